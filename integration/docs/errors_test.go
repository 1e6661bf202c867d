package docs

import (
	"go/ast"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// The error table has every answer that the code can give, and no other.
func TestDocsErrorTable(t *testing.T) {
	listed := make(map[string]string)
	for line := range strings.Lines(repo.Docs(t)) {
		cells := row(line)
		if len(cells) != 5 || !regexp.MustCompile(`^\d{3}( or \d{3})?$`).MatchString(cells[0]) {
			continue
		}
		for reason := range strings.SplitSeq(cells[2], ", ") {
			listed[strings.Trim(reason, "`")] = cells[0] + " " + strings.Trim(cells[1], "`")
		}
	}
	possible := possibleErrors(t)
	for reason, answer := range possible {
		if listed[reason] != answer {
			t.Errorf("%s is answered %s, the docs say %q", reason, answer, listed[reason])
		}
	}
	for reason := range listed {
		if _, ok := possible[reason]; !ok {
			t.Errorf("the docs have %s, which no code answers", reason)
		}
	}
	if len(possible) < 40 {
		t.Errorf("only %d reasons were found in the code", len(possible))
	}
}

// possibleErrors reads from the code which reason is answered with which status and
// code: the constructors, which are in one file, and what they are called with.
func possibleErrors(t *testing.T) map[string]string {
	t.Helper()
	constructing := repo.Declaring(t, "InvalidClient")
	codes := constructing.Strings()
	statuses := map[string]int{
		"StatusBadRequest": http.StatusBadRequest, "StatusUnauthorized": http.StatusUnauthorized, "StatusForbidden": http.StatusForbidden, "StatusNotFound": http.StatusNotFound,
		"StatusMethodNotAllowed": http.StatusMethodNotAllowed, "StatusRequestEntityTooLarge": http.StatusRequestEntityTooLarge,
		"StatusUnsupportedMediaType": http.StatusUnsupportedMediaType, "StatusTooEarly": http.StatusTooEarly,
		"StatusTooManyRequests": http.StatusTooManyRequests, "StatusServiceUnavailable": http.StatusServiceUnavailable, "StatusInternalServerError": http.StatusInternalServerError,
	}

	type constructor struct {
		status       int
		code, reason string // no reason: its first argument is one
	}
	constructors := make(map[string]constructor)
	var resolve func(name string) constructor
	decls := constructing.Functions()
	makesError := func(f *ast.FuncDecl) bool { // and is not a method
		if f == nil || f.Recv != nil || f.Type.Results == nil || len(f.Type.Results.List) != 1 {
			return false
		}
		result, ok := f.Type.Results.List[0].Type.(*ast.StarExpr)
		return ok && constructing.Called(result.X) == "oauth.Error"
	}
	resolve = func(name string) constructor {
		if c, done := constructors[name]; done {
			return c
		}
		var c constructor
		set := func(field string, value ast.Expr) {
			switch field {
			case "Status":
				selector, ok := value.(*ast.SelectorExpr)
				if !ok || statuses[selector.Sel.Name] == 0 {
					t.Fatalf("%s: a status that this test does not know", name)
				}
				c.status = statuses[selector.Sel.Name]
			case "Code":
				c.code = codes[value.(*ast.Ident).Name]
			case "Reason":
				c.reason, _ = repo.Literal(value)
			}
		}
		ast.Inspect(decls[strings.TrimPrefix(name, "oauth.")].Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				set(n.Key.(*ast.Ident).Name, n.Value)
			case *ast.AssignStmt:
				for i, left := range n.Lhs {
					if selector, ok := left.(*ast.SelectorExpr); ok {
						set(selector.Sel.Name, n.Rhs[i])
					}
				}
			case *ast.CallExpr:
				if called := constructing.Called(n.Fun); makesError(decls[strings.TrimPrefix(called, "oauth.")]) {
					c = resolve(called)
					if len(n.Args) > 0 {
						c.reason, _ = repo.Literal(n.Args[0])
					}
				}
			}
			return true
		})
		constructors[name] = c
		return c
	}
	for name, f := range decls {
		if makesError(f) {
			resolve("oauth." + name)
		}
	}

	// Reasons that reach a constructor in a variable.
	variables := map[string][]string{}
	ast.Inspect(repo.Function(t, "CheckClient"), func(n ast.Node) bool {
		if set, ok := n.(*ast.AssignStmt); ok && len(set.Rhs) == 1 {
			if reason, ok := repo.Literal(set.Rhs[0]); ok {
				variables["oauth.InvalidClient"] = append(variables["oauth.InvalidClient"], reason)
			}
		}
		return true
	})
	for _, source := range repo.Sources(t) {
		parameters, ok := source.Functions()["parameters"] // of a grant
		if !ok || parameters.Body == nil {
			continue
		}
		ast.Inspect(parameters, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok {
				name, _ := repo.Literal(lit)
				variables["oauth.MissingParameter"] = append(variables["oauth.MissingParameter"], name)
			}
			return true
		})
	}

	possible := make(map[string]string)
	add := func(name, reason string) {
		c := constructors[name]
		if name == "oauth.MissingParameter" {
			reason = "missing_" + reason
		}
		if c.status == 0 || c.code == "" || reason == "" {
			t.Fatalf("%s with reason %q: this test does not understand it", name, reason)
		}
		status := strconv.Itoa(c.status)
		if c.code == "invalid_client" {
			status += " or 401" // see TestWhoGetsTheBasicChallenge
		}
		possible[reason] = status + " " + c.code
	}
	for _, source := range repo.Sources(t) {
		if source.Path == constructing.Path {
			continue
		}
		for _, f := range source.Functions() {
			ast.Inspect(f, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				called := source.Called(call.Fun)
				c, ok := constructors[called]
				if !ok {
					return true
				}
				if c.reason != "" {
					add(called, c.reason)
				} else if reason, ok := repo.Literal(call.Args[0]); ok {
					add(called, reason)
				} else {
					if len(variables[called]) == 0 {
						t.Fatalf("%s is called with a reason that this test cannot find", called)
					}
					for _, reason := range variables[called] {
						add(called, reason)
					}
				}
				return true
			})
		}
	}
	return possible
}
