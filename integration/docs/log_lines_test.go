package docs

import (
	"go/ast"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// eachCall calls f with every call of the product's source.
func eachCall(t *testing.T, f func(repo.Source, *ast.CallExpr)) {
	for _, source := range repo.Sources(t) {
		ast.Inspect(source.AST, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				f(source, call)
			}
			return true
		})
	}
}

// A line that the docs quote is one that the code writes, word for word.
func TestTheLinesOfTheLogAreQuotedAsTheyAre(t *testing.T) {
	written := make(map[string]bool)
	eachCall(t, func(_ repo.Source, call *ast.CallExpr) {
		if of, ok := call.Fun.(*ast.SelectorExpr); ok && strings.Contains("Info Warn Error Debug Log", of.Sel.Name) {
			for _, argument := range call.Args {
				if text, ok := repo.Literal(argument); ok {
					written[text] = true
				}
			}
		}
	})
	_, table, _ := strings.Cut(repo.Read(t, "docs/logs-and-metrics.md"), "\n| Line | Level | Logger | What it means |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	quoted := 0
	for line := range strings.Lines(table) {
		cells := row(line)
		if len(cells) != 4 {
			continue // below the head
		}
		for i, text := range strings.Split(cells[0], "`") {
			if i%2 == 0 {
				continue
			}
			if quoted++; !written[text] {
				t.Errorf("no code writes the line %q", text)
			}
		}
	}
	if quoted < 10 {
		t.Errorf("only %d lines were found in the docs", quoted)
	}
}

// The docs have each field that is added to Caddy's access log.
func TestTheFieldsOfTheAccessLogAreListed(t *testing.T) {
	_, section, _ := strings.Cut(repo.Read(t, "docs/logs-and-metrics.md"), "\n### The access log\n")
	section, _, _ = strings.Cut(section, "\n### ")
	found := 0
	eachCall(t, func(source repo.Source, call *ast.CallExpr) {
		if of, ok := call.Fun.(*ast.SelectorExpr); !ok || of.Sel.Name != "AddLogField" {
			return
		}
		field, ok := call.Args[len(call.Args)-1].(*ast.CallExpr)
		if !ok {
			return
		}
		name, ok := repo.Literal(field.Args[0])
		if found++; !ok || !strings.Contains(section, "`"+name+"`") {
			t.Errorf("%s adds a field %q, which is not in the docs", source.Path, name)
		}
	})
	if found < 6 {
		t.Errorf("only %d fields were found in the code", found)
	}
}
