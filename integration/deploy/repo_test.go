// Package deploy tests the image, the compose file and the drop-in for systemd with the
// programs that read them. It is a module of its own, since only it needs their
// libraries.
package deploy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// inRepo is the path of a file of the checkout.
func inRepo(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(inRepo(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// docsBlock is the text of a block in docs/deploy.md.
func docsBlock(t *testing.T, info string) string {
	t.Helper()
	_, rest, found := strings.Cut(read(t, "docs/deploy.md"), "\n```"+info+"\n")
	text, _, closed := strings.Cut(rest, "\n```\n")
	if !found || !closed {
		t.Fatalf("docs/deploy.md has no block %q", info)
	}
	return text + "\n"
}
