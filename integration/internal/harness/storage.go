package harness

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// StorageOf is the directory in which a site's Caddy keeps its state.
func StorageOf(s *Site) string { return filepath.Join(s.Dir, "storage") }

// ReadIfThere is the content of a file, empty if there is none.
func ReadIfThere(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(content)
}

// KeyObjects are the paths of the key objects in a storage directory, without what is
// written just now: certmagic gives that a number for a name.
func KeyObjects(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "storage", "grant", "*", "keys", "es256", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(paths, func(path string) bool { return strings.Trim(filepath.Base(path), "0123456789") == "" })
}
