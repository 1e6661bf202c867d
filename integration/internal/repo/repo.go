// Package repo finds the checkout that the tests run in, and reads the product's own
// source: what the docs say is compared with what the code says.
package repo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	// before the checkout is looked for: this may be a tool, which runs anywhere
	_ "github.com/caddygrant/caddy-grant/internal/standin"
)

// module is the product's path. Modules below it, such as integration/storage, have
// another.
const module = "github.com/caddygrant/caddy-grant"

// root is found before any test changes its working directory.
var root = findRoot()

// findRoot walks up from the directory of the tests, which is below the root.
func findRoot() string {
	start, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		content, _ := os.ReadFile(filepath.Join(dir, "go.mod"))
		if strings.HasPrefix(string(content), "module "+module+"\n") {
			return dir
		}
		if dir == filepath.Dir(dir) {
			panic("no checkout of " + module + " around " + start)
		}
	}
}

// Path of a file or directory of the checkout, named with slashes from its root.
func Path(name string) string { return filepath.Join(root, filepath.FromSlash(name)) }

// Read reads a file of the checkout.
func Read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(Path(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// Page is a page of the docs.
type Page struct{ Name, Text string }

// Pages are README.md and all pages that it leads to.
func Pages(t *testing.T) []Page {
	t.Helper()
	pages := []Page{{"README.md", Read(t, "README.md")}, {"bench/README.md", Read(t, "bench/README.md")}}
	entries, err := os.ReadDir(Path("docs"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if name := "docs/" + entry.Name(); strings.HasSuffix(name, ".md") {
			pages = append(pages, Page{name, Read(t, name)})
		}
	}
	return pages
}

// Docs is the text of all pages.
func Docs(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	for _, page := range Pages(t) {
		text.WriteString(page.Text + "\n")
	}
	return text.String()
}
