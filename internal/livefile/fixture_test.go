package livefile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// fixture is a followed file that a test polls itself, with its own clock.
type fixture struct {
	t     *testing.T
	path  string
	clock time.Time
	logs  *observer.ObservedLogs

	file     *File[string]
	parsed   int
	loaded   []string
	statuses []Status
}

// newFixture opens a file that was written a minute ago.
func newFixture(t *testing.T, content string) *fixture {
	t.Helper()
	x := prepare(t)
	x.write(content)
	x.clock = x.clock.Add(time.Minute)
	x.open()
	return x
}

// prepare sets the clock and a path, and writes nothing.
func prepare(t *testing.T) *fixture {
	t.Helper()
	x := &fixture{t: t, path: filepath.Join(t.TempDir(), "users"), clock: time.Now().Add(-24 * time.Hour)}
	now = func() time.Time { return x.clock }
	t.Cleanup(func() { now = time.Now })
	return x
}

func (x *fixture) options() Options[string] {
	core, logs := observer.New(zapcore.DebugLevel)
	x.logs = logs
	return Options[string]{
		Path: x.path,
		Parse: func(data []byte) (string, error) {
			x.parsed++
			return parseWord(data)
		},
		Loaded:  func(v string) { x.loaded = append(x.loaded, v) },
		Logger:  func() *zap.Logger { return zap.New(core) },
		Observe: func(s Status) { x.statuses = append(x.statuses, s) },
	}
}

var errBad = errors.New("bad word")

// parseWord refuses "bad…" and panics on "panic".
func parseWord(data []byte) (string, error) {
	text := string(data)
	switch {
	case strings.HasPrefix(text, "bad"):
		return "", errBad
	case text == "panic":
		panic("in the middle of " + text + " with $2y$secret")
	}
	return text, nil
}

func (x *fixture) open() {
	x.t.Helper()
	file, err := load(x.options())
	if err != nil {
		x.t.Fatal(err)
	}
	x.file = file
}

// write rewrites the file in place, now by the fixture's clock.
func (x *fixture) write(content string) {
	x.t.Helper()
	if err := os.WriteFile(x.path, []byte(content), 0o600); err != nil {
		x.t.Fatal(err)
	}
	x.stamp(x.path, x.clock)
}

func (x *fixture) stamp(path string, at time.Time) {
	x.t.Helper()
	if err := os.Chtimes(path, at, at); err != nil {
		x.t.Fatal(err)
	}
}

// beside writes another file in the directory.
func (x *fixture) beside(name, content string) string {
	x.t.Helper()
	path := filepath.Join(filepath.Dir(x.path), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		x.t.Fatal(err)
	}
	x.stamp(path, x.clock)
	return path
}

func (x *fixture) must(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

// polls lets the interval pass and polls, n times.
func (x *fixture) polls(n int) {
	for range n {
		x.clock = x.clock.Add(Interval)
		x.file.poll()
	}
}

// want checks what is in force, and that the status has an error with that text,
// or none for "".
func (x *fixture) want(version, failure string) {
	x.t.Helper()
	if got := x.file.Current(); got != version {
		x.t.Errorf("%q is in force, want %q", got, version)
	}
	err := x.file.Status().Err
	switch {
	case failure == "" && err != nil:
		x.t.Errorf("the status has the error %v", err)
	case failure != "" && (err == nil || !strings.Contains(err.Error(), failure)):
		x.t.Errorf("the status has the error %v, want %s", err, failure)
	}
}

// wantLogged checks how many lines there are at a level.
func (x *fixture) wantLogged(level zapcore.Level, count int) {
	x.t.Helper()
	lines := x.logs.FilterLevelExact(level).All()
	if len(lines) != count {
		x.t.Errorf("%d lines at level %s, want %d: %v", len(lines), level, count, lines)
	}
}
