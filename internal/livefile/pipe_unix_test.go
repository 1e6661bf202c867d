//go:build unix

package livefile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
)

// Opening a pipe without a writer blocks forever.
func TestAPipeIsRefusedWithoutOpeningIt(t *testing.T) {
	x := newFixture(t, "one")
	x.must(os.Remove(x.path))
	x.must(syscall.Mkfifo(x.path, 0o600))
	x.polls(2)
	x.want("one", "it is not a regular file")

	_, err := Open(x.options())
	if err == nil || !strings.Contains(err.Error(), "it is not a regular file") {
		t.Error(err)
	}
}

// A pipe that takes the file's place between the look at it and its opening must not
// hold up the polls forever.
func TestAFileThatBecomesAPipeIsNotWaitedFor(t *testing.T) {
	for name, swap := range map[string]func(path string) error{
		"a pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a link to a pipe": func(path string) error {
			return errors.Join(syscall.Mkfifo(path+".pipe", 0o600), os.Symlink(path+".pipe", path))
		},
		"a device":                  func(path string) error { return os.Symlink("/dev/zero", path) },
		"a directory":               func(path string) error { return os.Mkdir(path, 0o700) },
		"another file of that size": func(path string) error { return os.WriteFile(path, []byte("two"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			x := newFixture(t, "one")
			seen := look(x.path)
			x.must(os.Rename(x.path, x.path+".old"))
			x.must(swap(x.path))
			read := make(chan error, 1)
			go func() {
				_, err := seen.read(x.path)
				read <- err
			}()
			select {
			case err := <-read:
				if !errors.Is(err, errMoved) {
					t.Errorf("%v, want %v", err, errMoved)
				}
			case <-time.After(time.Minute):
				t.Fatal("it waits for a writer of the pipe")
			}
			x.want("one", "")
		})
	}
}

func TestAFileThatOthersCanChangeCausesAWarning(t *testing.T) {
	warnings := func(x *fixture) (texts []string) {
		for _, line := range x.logs.TakeAll() {
			if line.Level == zap.WarnLevel {
				texts = append(texts, line.ContextMap()["advice"].(string))
			}
		}
		return texts
	}
	one := func(t *testing.T, x *fixture, part string) {
		t.Helper()
		if got := warnings(x); len(got) != 1 || !strings.Contains(got[0], part) {
			t.Errorf("warnings %q, want one with %s", got, part)
		}
	}
	none := func(t *testing.T, x *fixture) {
		t.Helper()
		if got := warnings(x); len(got) != 0 {
			t.Errorf("warnings %q, want none", got)
		}
	}
	for mode, others := range map[os.FileMode]bool{0o600: false, 0o644: false, 0o444: false, 0o660: true, 0o664: true, 0o602: true, 0o666: true} {
		t.Run(mode.String(), func(t *testing.T) {
			x := prepare(t)
			x.write("one")
			x.must(os.Chmod(x.path, mode))
			x.clock = x.clock.Add(time.Minute)
			x.open()
			if !others {
				none(t, x)
				return
			}
			one(t, x, "chmod go-w "+x.path+"\"")
			x.polls(5)
			none(t, x) // it is said once
			x.write("two")
			x.must(os.Chmod(x.path, mode))
			x.polls(3)
			one(t, x, "chmod go-w") // and again for another version
			x.must(os.Chmod(x.path, 0o600))
			x.polls(2)
			none(t, x)
			x.must(os.Chmod(x.path, mode))
			x.polls(2)
			one(t, x, "chmod go-w") // and when it becomes so again
		})
	}
	t.Run("a directory", func(t *testing.T) {
		x := newFixture(t, "one")
		none(t, x)
		directory := filepath.Dir(x.path)
		x.must(os.Chmod(directory, 0o777|os.ModeSticky))
		x.polls(3)
		none(t, x) // others cannot replace what is not theirs
		x.must(os.Chmod(directory, 0o775))
		x.polls(3)
		one(t, x, "chmod go-w "+directory+"\"")
		x.must(os.Chmod(directory, 0o755))
	})
	t.Run("a directory behind a link", func(t *testing.T) {
		x := newFixture(t, "one")
		directory := t.TempDir()
		target := filepath.Join(directory, "users")
		x.must(os.Rename(x.path, target))
		x.must(os.Symlink(target, x.path))
		x.polls(3)
		none(t, x)
		x.must(os.Chmod(directory, 0o775))
		x.polls(3)
		one(t, x, "chmod go-w "+directory+"\"")
	})
}
