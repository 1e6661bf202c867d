package livefile

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

func TestAChangeIsInForceAfterTwoPollsThatAgree(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(x *fixture)
	}{
		{"written in place", func(x *fixture) { x.write("two") }},
		{"renamed over the path", func(x *fixture) { x.must(os.Rename(x.beside("new", "two"), x.path)) }},
		{"replaced by a file with an older time", func(x *fixture) {
			path := x.beside("new", "two")
			x.stamp(path, x.clock.Add(-time.Hour))
			x.must(os.Rename(path, x.path))
		}},
		{"replaced by a file with the same time and size", func(x *fixture) {
			info, err := os.Stat(x.path)
			x.must(err)
			path := x.beside("new", "two")
			x.stamp(path, info.ModTime())
			x.must(os.Rename(path, x.path))
		}},
		{"replaced by a symbolic link", func(x *fixture) {
			target := x.beside("new", "two")
			x.must(os.Remove(x.path))
			x.must(os.Symlink(target, x.path))
		}},
		{"from a clock that is a year ahead", func(x *fixture) {
			x.write("two")
			x.stamp(x.path, x.clock.Add(365*24*time.Hour))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			x := newFixture(t, "one")
			x.polls(3)
			test.change(x)
			x.polls(1)
			x.want("one", "")
			x.polls(1)
			x.want("two", "")
			x.polls(3)
			if len(x.loaded) != 2 || x.parsed != 2 {
				t.Errorf("loaded %q, parsed %d times", x.loaded, x.parsed)
			}
		})
	}
}

// Kubernetes mounts a ConfigMap as users -> ..data/users, ..data -> <version>,
// and renames a new ..data over the old.
func TestADirectoryBehindALinkMayBeSwapped(t *testing.T) {
	x := prepare(t)
	dir := filepath.Dir(x.path)
	version := func(name, content string) {
		x.must(os.Mkdir(filepath.Join(dir, name), 0o700))
		x.beside(filepath.Join(name, "users"), content)
		x.must(os.Symlink(name, filepath.Join(dir, "..tmp")))
		x.must(os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")))
	}
	version("v1", "one")
	x.must(os.Symlink(filepath.Join("..data", "users"), x.path))
	x.clock = x.clock.Add(time.Minute)
	x.open()
	x.want("one", "")

	version("v2", "two")
	x.must(os.RemoveAll(filepath.Join(dir, "v1")))
	x.polls(2)
	x.want("two", "")
}

func TestATouchedFileIsNotParsedAgain(t *testing.T) {
	x := newFixture(t, "one")
	x.stamp(x.path, x.clock)
	x.polls(4)
	x.want("one", "")
	if x.parsed != 1 || len(x.loaded) != 1 || len(x.statuses) != 1 || x.logs.Len() != 0 {
		t.Errorf("parsed %d times, loaded %q, %d statuses, logged %v", x.parsed, x.loaded, len(x.statuses), x.logs.All())
	}
}

func TestAFileThatWasJustWrittenIsNotRead(t *testing.T) {
	x := newFixture(t, "one")
	x.write("two")
	for range 5 { // however many polls agree
		x.clock = x.clock.Add(Rest / 10)
		x.file.poll()
	}
	x.want("one", "")
	x.clock = x.clock.Add(Rest)
	x.file.poll()
	x.want("two", "")
}

// A file system that keeps whole seconds shows nothing of a write that follows
// the first reading within one.
func TestAnEditOfTheSameSizeInTheSecondOfTheLoadIsPickedUp(t *testing.T) {
	x := prepare(t)
	x.write("one")
	written := x.clock
	x.clock = x.clock.Add(Rest / 2)
	x.open()
	x.want("one", "")

	x.write("two")
	x.stamp(x.path, written)
	x.polls(1)
	x.want("two", "")
	if parsed := x.parsed; parsed != 2 {
		t.Errorf("parsed %d times", parsed)
	}
}

func TestAFileThatWasYoungAtTheLoadAndStaysIsNotParsedAgain(t *testing.T) {
	x := prepare(t)
	x.write("one")
	x.open()
	x.polls(3)
	x.want("one", "")
	if x.parsed != 1 || len(x.loaded) != 1 {
		t.Errorf("parsed %d times, loaded %q", x.parsed, x.loaded)
	}
}

func TestAFileThatChangesBetweenTheLookAndTheReadIsNotTaken(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(x *fixture)
	}{
		{"it grew", func(x *fixture) { x.write("one and more") }},
		{"it was cut", func(x *fixture) { x.write("o") }},
		{"it was written to", func(x *fixture) { x.write("two") }},
		{"it was renamed over", func(x *fixture) { x.must(os.Rename(x.beside("new", "two"), x.path)) }},
		{"it went", func(x *fixture) { x.must(os.Remove(x.path)) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			x := newFixture(t, "one")
			s := look(x.path)
			test.change(x)
			if data, err := s.read(x.path); err != errMoved {
				t.Errorf("read %q, %v", data, err)
			}
		})
	}
}

func TestOpenFollowsTheFileUntilClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	write := func(content string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	synctest.Test(t, func(t *testing.T) { // which fails if a goroutine is left
		file, err := Open(Options[string]{Path: path, Parse: parseWord, Logger: zap.NewNop})
		if err != nil {
			t.Fatal(err)
		}
		write("number two")
		time.Sleep(2*Interval + time.Millisecond)
		synctest.Wait()
		if got := file.Current(); got != "number two" {
			t.Errorf("%q is in force after two polls", got)
		}

		for range 2 {
			if err := file.Close(); err != nil {
				t.Error(err)
			}
		}
		write("the third")
		time.Sleep(10 * Interval)
		if got := file.Current(); got != "number two" {
			t.Errorf("%q is in force after Close", got)
		}
	})
}

func TestCurrentAndStatusMayBeCalledWhileVersionsChange(t *testing.T) {
	x := newFixture(t, "one")
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got := x.file.Current(); got != "one" && got != "two" {
					t.Errorf("read %q", got)
					return
				}
				x.file.Status()
			}
		})
	}
	for range 50 {
		for _, content := range []string{"two", "bad", "one"} {
			x.write(content)
			x.polls(2)
		}
	}
	close(stop)
	readers.Wait()
	x.want("one", "")
}

func TestAPanicOfACallbackDoesNotEndTheFollowing(t *testing.T) {
	x := prepare(t)
	x.write("one")
	x.clock = x.clock.Add(time.Minute)
	options := x.options()
	options.Loaded = func(v string) {
		if v == "two" {
			panic("two")
		}
	}
	file, err := load(options)
	x.must(err)
	x.file = file

	x.write("two")
	for range 2 {
		x.clock = x.clock.Add(Interval)
		x.file.guardedPoll()
	}
	if x.logs.FilterMessage("[PANIC] following a file").Len() != 1 {
		t.Errorf("logged %v", x.logs.All())
	}
	x.write("three")
	x.polls(2)
	x.want("three", "")
}
