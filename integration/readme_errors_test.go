package integration

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The error table has every answer that the code can give, and no other.
func TestReadmeErrorTable(t *testing.T) {
	listed := make(map[string]string)
	for line := range strings.Lines(readRepo(t, "README.md")) {
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
			t.Errorf("%s is answered %s, the README says %q", reason, answer, listed[reason])
		}
	}
	for reason := range listed {
		if _, ok := possible[reason]; !ok {
			t.Errorf("the README has %s, which no code answers", reason)
		}
	}
	if len(possible) < 40 {
		t.Errorf("only %d reasons were found in the code", len(possible))
	}
}

// possibleErrors reads from the code which reason is answered with which status and code:
// the constructors of oauth_error.go, and what they are called with.
func possibleErrors(t *testing.T) map[string]string {
	t.Helper()
	codes := make(map[string]string)
	parsed, err := parser.ParseFile(token.NewFileSet(), "../oauth_error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			codes[spec.Names[0].Name], _ = literal(spec.Values[0])
		}
		return true
	})
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
	decls := functions(t, "oauth_error.go")
	resolve = func(name string) constructor {
		if c, done := constructors[name]; done {
			return c
		}
		var c constructor
		set := func(field string, value ast.Expr) {
			switch field {
			case "status":
				selector, ok := value.(*ast.SelectorExpr)
				if !ok || statuses[selector.Sel.Name] == 0 {
					t.Fatalf("%s: a status that this test does not know", name)
				}
				c.status = statuses[selector.Sel.Name]
			case "code":
				c.code = codes[value.(*ast.Ident).Name]
			case "reason":
				c.reason, _ = literal(value)
			}
		}
		ast.Inspect(decls[name].Body, func(n ast.Node) bool {
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
				if called, ok := n.Fun.(*ast.Ident); ok && strings.HasPrefix(called.Name, "err") {
					c = resolve(called.Name)
					if len(n.Args) > 0 {
						c.reason, _ = literal(n.Args[0])
					}
				}
			}
			return true
		})
		constructors[name] = c
		return c
	}
	for name := range decls {
		if strings.HasPrefix(name, "err") {
			resolve(name)
		}
	}

	// Reasons that reach a constructor in a variable.
	variables := map[string][]string{}
	ast.Inspect(functions(t, "credentials.go")["checkClientSecret"], func(n ast.Node) bool {
		if result, ok := n.(*ast.ReturnStmt); ok {
			if reason, ok := literal(result.Results[0]); ok && reason != "" {
				variables["errInvalidClient"] = append(variables["errInvalidClient"], reason)
			}
		}
		return true
	})
	for _, file := range sources(t) {
		parameters, ok := functions(t, file)["parameters"] // of a grant
		if !ok || parameters.Body == nil {
			continue
		}
		ast.Inspect(parameters, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok {
				name, _ := literal(lit)
				variables["errMissingParameter"] = append(variables["errMissingParameter"], name)
			}
			return true
		})
	}

	possible := make(map[string]string)
	add := func(name, reason string) {
		c := constructors[name]
		if name == "errMissingParameter" {
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
	for _, file := range sources(t) {
		if file == "oauth_error.go" {
			continue
		}
		for _, f := range functions(t, file) {
			ast.Inspect(f, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				called, ok := call.Fun.(*ast.Ident)
				if !ok {
					return true
				}
				c, ok := constructors[called.Name]
				if !ok {
					return true
				}
				if c.reason != "" {
					add(called.Name, c.reason)
				} else if reason, ok := literal(call.Args[0]); ok {
					add(called.Name, reason)
				} else {
					if len(variables[called.Name]) == 0 {
						t.Fatalf("%s is called with a reason that this test cannot find", called.Name)
					}
					for _, reason := range variables[called.Name] {
						add(called.Name, reason)
					}
				}
				return true
			})
		}
	}
	return possible
}
