package command

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/repo"
	"github.com/caddygrant/caddy-grant/internal/configreview"
)

// atRunTime are warnings that come later than at a start, by how they begin, or that a
// check cannot have: it reads each file for the first time, and its storage is empty.
var atRunTime = []string{
	"file cannot be used", "[PANIC]", "file is unusable", "a source cannot tell", "a source panics",
	"reading revocations", "removing old sessions from", "a session engine ", "all sessions in storage ended",
	"getting the server's keys from storage", "reading the server's keys from storage",
	"making the token for the app", "renewing a session cookie", "the session that a login replaces goes on",
	"sharing failed logins by the storage", "the database cannot be asked now", "an operator ", "storing that API keys have ended",
	"API keys are refused, since two files have them", // a start fails
	"users of an outside issuer have no prefix",       // which it finds by itself
}

// Anyone who adds a warning of start-up gives it a rule. Else its finding has no severity
// of its own, and its place is not looked for.
func TestEachWarningOfStartUpHasARule(t *testing.T) {
	constants := make(map[string]string)
	for _, source := range repo.Sources(t) {
		for name, text := range source.Strings() {
			constants[name] = text
		}
	}
	warnings := 0
	for _, source := range repo.Sources(t) {
		if !slices.Contains([]string{".", "directory", "internal/configcheck", "internal/livefile"}, path.Dir(source.Path)) {
			continue
		}
		ast.Inspect(source.AST, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !slices.Contains([]string{"Warn", "Error", "warn"}, method.Sel.Name) {
				return true
			}
			said := longest(call.Args[0], constants)
			if said == "" || slices.ContainsFunc(atRunTime, func(begin string) bool { return strings.HasPrefix(said, begin) }) {
				return true
			}
			warnings++
			if !hasRule(said) {
				t.Errorf("%s: the warning %q has no rule: add one to startRules in internal/configreview, or the message to atRunTime here", source.Path, said)
			}
			return true
		})
	}
	if warnings < 20 {
		t.Errorf("only %d warnings were found", warnings)
	}
}

// hasRule tells whether a message, of which a part is known, has a rule.
func hasRule(said string) bool {
	for _, before := range []string{"", "refresh_token_ttl", "passwords", "users", "handle_errors ", "it has no "} {
		for _, after := range []string{"", "users: ", "proxies where a bearer_auth refuses"} {
			if configreview.RuleOf(before+said+after) != "startup-warning" {
				return true
			}
		}
	}
	return false
}

// longest is the longest literal part of a text that is put together.
func longest(expr ast.Expr, constants map[string]string) string {
	switch e := expr.(type) {
	case *ast.BasicLit:
		text, _ := repo.Literal(e)
		return text
	case *ast.Ident:
		return constants[e.Name]
	case *ast.BinaryExpr:
		x, y := longest(e.X, constants), longest(e.Y, constants)
		if e.Op == token.ADD && len(y) > len(x) {
			return y
		}
		return x
	}
	return ""
}
