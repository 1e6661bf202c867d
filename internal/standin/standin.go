// Package standin lets tests that run curl or htpasswd pass on a machine that has Go
// and nothing more: the test program itself runs again under the tool's name, and does
// what the tool does as far as the tests and the docs need it.
//
// With CADDY_GRANT_REAL_TOOLS=1 the same tests run the real tools, and fail without
// them. The tests of this package are those that both must pass.
package standin

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// tools are the programs, with the package that Debian has them in.
var tools = map[string]struct {
	debian string
	run    func(stdio, []string) int // its exit code
}{
	"curl":     {"curl", curl},
	"htpasswd": {"apache2-utils", htpasswd},
}

type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// Before any test: this may be a tool that a test runs.
func init() {
	if tool, ok := tools[filepath.Base(os.Args[0])]; ok {
		os.Exit(tool.run(stdio{os.Stdin, os.Stdout, os.Stderr}, os.Args[1:]))
	}
}

// Real tells whether the tests are to run the real tools.
func Real() bool { return os.Getenv("CADDY_GRANT_REAL_TOOLS") != "" }

// Path is where a tool is.
func Path(t testing.TB, tool string) string {
	t.Helper()
	if Real() {
		return real(t, tool)
	}
	return filepath.Join(directory(t), tool)
}

// SearchPath is a PATH that has all the tools, before what the tests have in theirs.
func SearchPath(t testing.TB) string {
	t.Helper()
	if !Real() {
		return directory(t) + string(os.PathListSeparator) + os.Getenv("PATH")
	}
	for tool := range tools {
		real(t, tool)
	}
	return os.Getenv("PATH")
}

func real(t testing.TB, tool string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		t.Fatalf("CADDY_GRANT_REAL_TOOLS asks for the real %s: apt-get install %s (%v)", tool, tools[tool].debian, err)
	}
	return path
}

// directory has a link to this test program under the name of each tool.
func directory(t testing.TB) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for tool := range tools {
		if err := os.Symlink(program, filepath.Join(dir, tool)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// unknown is the end of a tool that is asked for what only the real one can.
func unknown(s stdio, tool, format string, args ...any) int {
	fmt.Fprintf(s.err, "the stand-in for %s in internal/standin lacks %s\n", tool, fmt.Sprintf(format, args...))
	return 2
}
