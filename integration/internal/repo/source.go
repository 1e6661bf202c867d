package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// notTheProduct are the directories of the root without code of the product. The code
// itself is found by the names of what it declares, so that it may move from package to
// package: see [Function], [Value], [Declaring] and [Constants].
var notTheProduct = []string{"bench", "cmd", "examples", "integration", "internal/standin", "tools"}

// Source is a Go file of the product, without tests.
type Source struct {
	Path string // from the root, with slashes
	AST  *ast.File
	text []byte
}

// Sources are all of them, by path.
func Sources(t *testing.T) []Source {
	t.Helper()
	found, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var sources = sync.OnceValues(func() ([]Source, error) {
	var found []Source
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if relative != "." && !hasProduct(name, relative) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
		if err != nil {
			return err
		}
		found = append(found, Source{filepath.ToSlash(relative), parsed, text})
		return nil
	})
	return found, err
})

// hasProduct tells whether a directory may have code of the product.
func hasProduct(dir, relative string) bool {
	base := filepath.Base(dir)
	if strings.HasPrefix(base, ".") || base == "testdata" || slices.Contains(notTheProduct, relative) {
		return false
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod")) // of a module of its own
	return err != nil
}

// Package is the import path of the file's package.
func (s Source) Package() string { return path.Join(module, path.Dir(s.Path)) }

// Functions are the functions and methods of a file, by name.
func (s Source) Functions() map[string]*ast.FuncDecl {
	found := make(map[string]*ast.FuncDecl)
	for _, decl := range s.AST.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok {
			found[f.Name.Name] = f
		}
	}
	return found
}

// Function is the one function or method of that name.
func Function(t *testing.T, name string) *ast.FuncDecl {
	t.Helper()
	var found []*ast.FuncDecl
	for _, source := range Sources(t) {
		if f := source.Functions()[name]; f != nil {
			found = append(found, f)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d functions are called %s: this test must learn which one it is now", len(found), name)
	}
	return found[0]
}

// Cases are the texts that the one function of that name has a case for.
func Cases(t *testing.T, function string) []string {
	t.Helper()
	var found []string
	ast.Inspect(Function(t, function), func(n ast.Node) bool {
		clause, ok := n.(*ast.CaseClause)
		if !ok {
			return true
		}
		for _, expr := range clause.List {
			if text, ok := Literal(expr); ok {
				found = append(found, text)
			}
		}
		return true
	})
	if len(found) == 0 {
		t.Fatalf("%s has no cases: this test must learn where the parser is now", function)
	}
	return found
}

// Declaring is the one file that declares a function, constant or variable of that
// name.
func Declaring(t *testing.T, name string) Source {
	t.Helper()
	var found []Source
	for _, source := range Sources(t) {
		if source.Functions()[name] != nil || source.values()[name] != nil {
			found = append(found, source)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d files declare %s: this test must learn which one it is now", len(found), name)
	}
	return found[0]
}

// Value is the value of the one constant or variable of that name.
func Value(t *testing.T, name string) ast.Expr {
	t.Helper()
	value := Declaring(t, name).values()[name]
	if value == nil {
		t.Fatalf("%s has no value of its own", name)
	}
	return value
}

// ValueText is the same as it is written.
func ValueText(t *testing.T, name string) string {
	t.Helper()
	source := Declaring(t, name)
	value := source.values()[name]
	if value == nil {
		t.Fatalf("%s has no value of its own", name)
	}
	start := source.AST.FileStart
	return string(source.text[value.Pos()-start : value.End()-start])
}

// values are those of the constants and variables that a file declares outside
// functions.
func (s Source) values() map[string]ast.Expr {
	found := make(map[string]ast.Expr)
	for _, decl := range s.AST.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range group.Specs {
			if spec, ok := spec.(*ast.ValueSpec); ok {
				for i, value := range spec.Values {
					found[spec.Names[i].Name] = value
				}
			}
		}
	}
	return found
}

// Strings are the constants and variables of a file with a text for a value, by name.
func (s Source) Strings() map[string]string {
	found := make(map[string]string)
	for name, value := range s.values() {
		if text, ok := Literal(value); ok {
			found[name] = text
		}
	}
	return found
}

// Constants are the texts whose names begin with a word and a capital letter, in any
// package, whether they are exported or not.
func Constants(t *testing.T, word string) []string {
	t.Helper()
	exported := strings.ToUpper(word[:1]) + word[1:]
	var values []string
	for _, source := range Sources(t) {
		for name, text := range source.Strings() {
			rest, ok := strings.CutPrefix(strings.ToUpper(name[:1])+name[1:], exported)
			if ok && rest != "" && 'A' <= rest[0] && rest[0] <= 'Z' {
				values = append(values, text)
			}
		}
	}
	if len(values) < 4 {
		t.Fatalf("of %s there are only %v: this test must learn how they are called now", word, values)
	}
	return values
}

// Called is the function or type that an expression in the file names, with the name of
// its package, as in "oauth.InvalidGrant", and "" if the expression is not a name.
func (s Source) Called(expr ast.Expr) string {
	switch f := expr.(type) {
	case *ast.Ident:
		return s.AST.Name.Name + "." + f.Name
	case *ast.SelectorExpr:
		if of, ok := f.X.(*ast.Ident); ok {
			return of.Name + "." + f.Sel.Name
		}
	}
	return ""
}

// Literal is the text of a string literal.
func Literal(expr ast.Expr) (string, bool) {
	lit, ok := expr.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}
