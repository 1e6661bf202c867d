//go:build unix

package command

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestFilesThatCannotBeReadAreFindings(t *testing.T) {
	for name, prepare := range map[string]func(path string) error{
		"a pipe":      func(path string) error { return syscall.Mkfifo(path, 0o640) },
		"a directory": func(path string) error { return os.Mkdir(path, 0o750) },
		"a loop":      func(path string) error { return os.Symlink(path, path) },
		"a huge file": func(path string) error {
			if err := os.WriteFile(path, nil, 0o640); err != nil {
				return err
			}
			return os.Truncate(path, 1<<40) // of holes
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := checkFixture(t, strings.Replace(checkedSite, "%DIR%/users", "%DIR%/odd", 1), nil)
			if err := prepare(filepath.Join(dir, "odd")); err != nil {
				t.Fatal(err)
			}
			findings := checked(t, dir)
			if len(findings) != 1 || findings[0].Rule != "config-refused" || !strings.Contains(findings[0].Message, "odd") {
				t.Errorf("got %+v", findings)
			}
		})
	}
}
