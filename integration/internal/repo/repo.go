// Package repo finds the checkout that the tests run in, and reads the product's own
// source: what the README says is compared with what the code says.
package repo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
