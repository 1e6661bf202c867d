package livefile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func TestAReloadTakesTheFileAsItIsNow(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(x *fixture)
		active  string
		failure string // of the reload and in the status
	}{
		"unchanged":         {func(*fixture) {}, "one", ""},
		"written now":       {func(x *fixture) { x.write("two") }, "two", ""},
		"renamed over it":   {func(x *fixture) { x.must(os.Rename(x.beside("new", "two"), x.path)) }, "two", ""},
		"written as it was": {func(x *fixture) { x.write("one") }, "one", ""},
		"broken":            {func(x *fixture) { x.write("bad") }, "one", "bad word"},
		"empty":             {func(x *fixture) { x.write("") }, "one", "it is empty"},
		"missing":           {func(x *fixture) { x.must(os.Remove(x.path)) }, "one", "no such file"},
		"a directory":       {func(x *fixture) { x.must(os.Remove(x.path)); x.must(os.Mkdir(x.path, 0o700)) }, "one", "directory"},
		"its parser panics": {func(x *fixture) { x.write("panic") }, "one", "panic"},
		"good again": {func(x *fixture) {
			x.write("bad")
			x.polls(3)
			x.write("two")
		}, "two", ""},
		"what it was again": {func(x *fixture) {
			x.write("bad")
			x.polls(3)
			x.write("one")
		}, "one", ""},
		"as before, by its size and time": {func(x *fixture) {
			before := x.clock.Add(-time.Minute)
			x.write("two")
			x.stamp(x.path, before)
		}, "two", ""},
	} {
		t.Run(name, func(t *testing.T) {
			x := newFixture(t, "one")
			test.change(x)
			for range 2 {
				err := x.file.reload()
				if test.failure == "" && err != nil || test.failure != "" && (err == nil || !strings.Contains(err.Error(), test.failure) || !strings.HasPrefix(err.Error(), x.path+": ")) {
					t.Errorf("%v, want %q", err, test.failure)
				}
				x.want(test.active, test.failure)
				if logged := x.logs.FilterLevelExact(zapcore.ErrorLevel).Len(); test.failure != "" && logged != 1 {
					t.Errorf("%d lines of errors", logged)
				}
			}
			x.polls(3)
			x.want(test.active, test.failure)
			if last := x.loaded[len(x.loaded)-1]; last != test.active || len(x.loaded) > 2 {
				t.Errorf("loaded %q", x.loaded)
			}
			failures := 0
			if test.failure != "" {
				failures = 1
			}
			if name != "good again" && name != "what it was again" {
				x.wantLogged(zapcore.ErrorLevel, failures)
			}
		})
	}
}

// A writer that had not finished is followed, also when nothing but the content shows it.
func TestAFileThatWasReloadedWhileItWasWrittenIsReadAgain(t *testing.T) {
	for _, first := range []string{"tw", "bad"} {
		x := newFixture(t, "one")
		x.write(first)
		err := x.file.reload()
		if (first == "bad") != (err != nil) {
			t.Fatal(err)
		}
		whole := first[:len(first)-1] + "o" // of the same size, within the tick of the clock
		at := x.clock
		x.write(whole)
		x.stamp(x.path, at)
		x.polls(1)
		x.want(whole, "")
	}
}

// What moves is not what the caller calls complete.
func TestAFileThatMovesWhileItIsReloadedIsTriedAgain(t *testing.T) {
	x := newFixture(t, "one")
	x.write("longer than before")
	s := look(x.path)
	x.write("two")
	if err := x.file.take(s); !errors.Is(err, errMoved) {
		t.Errorf("%v", err)
	}
	x.want("one", "")
	x.must(x.file.reload())
	x.want("two", "")
}

func TestAReloadIsMadeByTheGoroutineThatPolls(t *testing.T) {
	x := prepare(t)
	x.write("0")
	x.clock = x.clock.Add(Rest * 5)
	options := x.options()
	var loaded sync.Map
	options.Loaded = func(v string) { loaded.Store(v, true) }
	file, err := Open(options)
	x.must(err)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 20 {
				temporary := fmt.Sprintf("%s.%d", x.path, i)
				if err := os.WriteFile(temporary, fmt.Appendf(nil, "%d of %d", n, i), 0o600); err != nil {
					t.Error(err)
				}
				if err := os.Rename(temporary, x.path); err != nil {
					t.Error(err)
				}
				if err := file.Reload(t.Context()); err != nil {
					t.Error(err)
				}
				_ = file.Check()
			}
		})
	}
	all.Wait()
	x.must(file.Reload(t.Context()))
	content, err := os.ReadFile(x.path)
	x.must(err)
	if file.Current() != string(content) {
		t.Errorf("%q is active, want %q", file.Current(), content)
	}
	if _, ok := loaded.Load(file.Current()); !ok {
		t.Error("Loaded was not called")
	}

	x.must(file.Close())
	if err := file.Reload(t.Context()); !errors.Is(err, ErrClosed) || !strings.HasPrefix(err.Error(), x.path) {
		t.Error(err)
	}
}

func TestAReloadEndsWithItsContext(t *testing.T) {
	x := prepare(t)
	x.write("one")
	x.clock = x.clock.Add(Rest * 5)
	options := x.options()
	goOn, parsing := make(chan struct{}), make(chan struct{})
	options.Parse = func(data []byte) (string, error) {
		if string(data) == "slow" {
			close(parsing)
			<-goOn
		}
		return string(data), nil
	}
	file, err := Open(options)
	x.must(err)
	defer file.Close()
	defer close(goOn)
	x.must(os.WriteFile(x.path, []byte("slow"), 0o600))

	asked, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- file.Reload(asked) }()
	<-parsing
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := file.Reload(asked); !errors.Is(err, context.Canceled) { // while the other goes on
		t.Error(err)
	}
}

func TestAPanicOfACallbackEndsAReload(t *testing.T) {
	x := prepare(t)
	x.write("one")
	x.clock = x.clock.Add(Rest * 5)
	options := x.options()
	options.Loaded = func(v string) {
		if v == "two" {
			panic("with a secret")
		}
	}
	options.Logger = zap.NewNop
	file, err := Open(options)
	x.must(err)
	defer file.Close()
	x.must(os.WriteFile(x.path, []byte("two"), 0o600))
	if err := file.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "panic with a string") || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
	x.must(os.WriteFile(x.path, []byte("three"), 0o600))
	if err := file.Reload(t.Context()); err != nil || file.Current() != "three" {
		t.Errorf("%q is active, error %v", file.Current(), err)
	}
}
