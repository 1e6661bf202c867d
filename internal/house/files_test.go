package house

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const (
	mostFiles   = 56
	mostCircled = 3
)

func TestTheRootHasFewFilesAndNoLargeCircleOfThem(t *testing.T) {
	files, needs, methods := rootFiles(t)
	circles := circlesOf(files, needs)
	t.Logf("%d files", len(files))
	if len(files) > mostFiles {
		t.Errorf("the root package has %d files, more than %d: %v", len(files), mostFiles, files)
	}
	for _, circle := range circles {
		t.Logf("a circle: %v", circle)
		if len(circle) > mostCircled {
			t.Errorf("%d files need each other in a circle: %v", len(circle), circle)
		}
	}
	for _, typ := range slices.Sorted(maps.Keys(methods)) {
		if in := methods[typ]; len(in) > 2 {
			t.Errorf("the methods of %s are in %d files, want one or two: %v", typ, len(in), slices.Sorted(maps.Keys(in)))
		}
	}
}

// rootFiles returns the files of the root package, which of them each one needs, and in
// which files the methods of each type are.
func rootFiles(t *testing.T) (files []string, needs map[string][]string, methods map[string]map[string]bool) {
	t.Helper()
	exports := make(map[string]string)
	var root listed
	for _, p := range list(t, "-export", "-deps", ".") {
		exports[p.ImportPath] = p.Export
		if p.ImportPath == module {
			root = p
		}
	}
	fset := token.NewFileSet()
	var parsed []*ast.File
	for _, name := range root.GoFiles {
		file, err := parser.ParseFile(fset, filepath.Join(root.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, file)
	}
	info := &types.Info{Uses: make(map[*ast.Ident]types.Object), Defs: make(map[*ast.Ident]types.Object)}
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})}
	pkg, err := config.Check(module, fset, parsed, info)
	if err != nil {
		t.Fatal(err)
	}
	in := func(at token.Pos) string { return filepath.Base(fset.Position(at).Filename) }
	needed := make(map[string]map[string]bool)
	for identifier, object := range info.Uses {
		if object.Pkg() != pkg || !object.Pos().IsValid() || in(identifier.Pos()) == in(object.Pos()) {
			continue
		}
		if needed[in(identifier.Pos())] == nil {
			needed[in(identifier.Pos())] = make(map[string]bool)
		}
		needed[in(identifier.Pos())][in(object.Pos())] = true
	}
	needs = make(map[string][]string)
	for file, others := range needed {
		needs[file] = slices.Sorted(maps.Keys(others))
	}
	methods = make(map[string]map[string]bool)
	for identifier, object := range info.Defs {
		method, ok := object.(*types.Func)
		if !ok || method.Signature().Recv() == nil {
			continue
		}
		of := method.Signature().Recv().Type()
		if pointer, ok := of.(*types.Pointer); ok {
			of = pointer.Elem()
		}
		if named, ok := of.(*types.Named); ok {
			if methods[named.Obj().Name()] == nil {
				methods[named.Obj().Name()] = make(map[string]bool)
			}
			methods[named.Obj().Name()][in(identifier.Pos())] = true
		}
	}
	return root.GoFiles, needs, methods
}

// circlesOf are the files that need each other, directly or by way of others (Tarjan's
// strongly connected components), without files that are alone.
func circlesOf(files []string, needs map[string][]string) (circles [][]string) {
	index, low := make(map[string]int), make(map[string]int)
	var stack []string
	var visit func(file string)
	visit = func(file string) {
		index[file] = len(index) + 1
		low[file] = index[file]
		stack = append(stack, file)
		for _, other := range needs[file] {
			if index[other] == 0 {
				visit(other)
				low[file] = min(low[file], low[other])
			} else if slices.Contains(stack, other) {
				low[file] = min(low[file], index[other])
			}
		}
		if low[file] == index[file] {
			from := slices.Index(stack, file)
			if circle := slices.Clone(stack[from:]); len(circle) > 1 {
				slices.Sort(circle)
				circles = append(circles, circle)
			}
			stack = stack[:from]
		}
	}
	for _, file := range files {
		if index[file] == 0 {
			visit(file)
		}
	}
	return circles
}

func TestCirclesAreFound(t *testing.T) {
	needs := map[string][]string{"a": {"b"}, "b": {"c", "e"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}, "f": {"a"}}
	got := circlesOf([]string{"a", "b", "c", "d", "e", "f"}, needs)
	if len(got) != 2 || !slices.Equal(got[0], []string{"d", "e"}) || !slices.Equal(got[1], []string{"a", "b", "c"}) {
		t.Errorf("found %v", got)
	}
}
