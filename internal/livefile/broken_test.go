package livefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

func TestTheLastGoodVersionStaysActiveWhileTheFileIsUnusable(t *testing.T) {
	for _, test := range []struct {
		name, failure string
		spoil         func(x *fixture)
	}{
		{"it has gone", "{path}: reading it: ", func(x *fixture) { x.must(os.Remove(x.path)) }},
		{"it is empty", "{path}: it is empty", func(x *fixture) { x.write("") }},
		{"it does not parse", "{path}: bad word", func(x *fixture) { x.write("bad") }},
		{"its parser panics", "{path}: panic with a string", func(x *fixture) { x.write("panic") }},
		{"it is a directory", "{path}: reading it: it is a directory", func(x *fixture) {
			x.must(os.Remove(x.path))
			x.must(os.Mkdir(x.path, 0o700))
		}},
		{"it is a link to itself", "{path}: reading it: ", func(x *fixture) {
			x.must(os.Remove(x.path))
			x.must(os.Symlink(x.path, x.path))
		}},
		{"it is far too large", "{path}: reading it: it is larger than 1024 MiB", func(x *fixture) {
			x.must(os.Truncate(x.path, maxSize+1))
			x.stamp(x.path, x.clock)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			x := newFixture(t, "one")
			loadedAt := x.file.Status().LoadedAt
			test.spoil(x)
			x.polls(1)
			x.want("one", "") // it takes two
			x.polls(1)
			failure := strings.ReplaceAll(test.failure, "{path}", x.path)
			x.want("one", failure)
			x.wantLogged(zap.ErrorLevel, 1)
			if !x.file.Status().LoadedAt.Equal(loadedAt) {
				t.Error("the time of the active version has changed")
			}

			parsed := x.parsed
			x.polls(100)
			x.want("one", failure)
			x.wantLogged(zap.ErrorLevel, 1)
			if x.parsed != parsed {
				t.Errorf("parsed %d more times", x.parsed-parsed)
			}

			x.must(os.RemoveAll(x.path))
			x.write("two")
			x.polls(2)
			x.want("two", "")
			x.wantLogged(zap.InfoLevel, 1)
			if len(x.statuses) != 3 || x.statuses[0].Err != nil || x.statuses[1].Err == nil || x.statuses[2].Err != nil {
				t.Errorf("observed %v", x.statuses)
			}
			if !x.file.Status().LoadedAt.Equal(x.clock) {
				t.Error("the new version does not have the time of its load")
			}
		})
	}
}

func TestAFileThatComesBackAsItWasIsGoodAgain(t *testing.T) {
	for name, back := range map[string]func(x *fixture, aside string){
		"the same file":                   func(x *fixture, aside string) { x.must(os.Rename(aside, x.path)) },
		"another with the same content":   func(x *fixture, _ string) { x.write("one") },
		"the same file over a broken one": func(x *fixture, aside string) { x.write("bad"); x.polls(2); x.must(os.Rename(aside, x.path)) },
	} {
		t.Run(name, func(t *testing.T) {
			x := newFixture(t, "one")
			loadedAt := x.file.Status().LoadedAt
			aside := filepath.Join(filepath.Dir(x.path), "aside")
			x.must(os.Rename(x.path, aside))
			x.polls(2)
			x.want("one", x.path+": reading it")
			back(x, aside)
			x.polls(2)
			x.want("one", "")
			x.wantLogged(zap.InfoLevel, 1)
			if len(x.loaded) != 1 || !x.file.Status().LoadedAt.Equal(loadedAt) {
				t.Errorf("loaded %q at %s", x.loaded, x.file.Status().LoadedAt)
			}
		})
	}
}

func TestAGapInARenameIsNotReported(t *testing.T) {
	x := newFixture(t, "one")
	for range 5 {
		x.must(os.Remove(x.path))
		x.polls(1)
		x.write("two")
		x.polls(1)
	}
	x.want("one", "")
	x.polls(1)
	x.want("two", "")
	x.wantLogged(zap.ErrorLevel, 0)
}

func TestEachErrorIsLoggedOnceAndAgainEveryHour(t *testing.T) {
	x := newFixture(t, "one")
	hour := int(time.Hour / Interval)

	x.write("bad")
	x.polls(2)
	x.wantLogged(zap.ErrorLevel, 1)
	x.polls(hour - 1)
	x.wantLogged(zap.ErrorLevel, 1)
	x.polls(1)
	x.wantLogged(zap.ErrorLevel, 2)
	x.polls(hour)
	x.wantLogged(zap.ErrorLevel, 3)

	for range 5 { // two errors that take turns are still two
		x.write("")
		x.polls(2)
		x.write("bad")
		x.polls(2)
	}
	x.wantLogged(zap.ErrorLevel, 4)

	x.write("two")
	x.polls(2)
	x.write("bad")
	x.polls(2)
	x.wantLogged(zap.ErrorLevel, 5) // a new incident
}

func TestAPanicOfTheParserIsLoggedWithItsPlaceAndWithoutItsValue(t *testing.T) {
	x := newFixture(t, "one")
	x.write("panic")
	x.polls(2)
	line := x.logs.All()[0].ContextMap()
	if stack, _ := line["stack"].(string); !strings.Contains(stack, "parseWord") {
		t.Errorf("the stack is %s", stack)
	}
	for key, value := range line {
		if text, ok := value.(string); ok && strings.Contains(text, "$2y$secret") {
			t.Errorf("%s has a piece of the file: %s", key, text)
		}
	}
}

func TestOpenNamesThePathOfAFileThatItCannotUse(t *testing.T) {
	for _, test := range []struct {
		name, want string
		is         error
		make       func(x *fixture)
	}{
		{"missing", "{path}: reading it: ", fs.ErrNotExist, func(*fixture) {}},
		{"a directory", "{path}: reading it: it is a directory; give the path of a file", nil, func(x *fixture) { x.must(os.Mkdir(x.path, 0o700)) }},
		{"empty", "{path}: it is empty", errEmpty, func(x *fixture) { x.write("") }},
		{"broken", "{path}: bad word", errBad, func(x *fixture) { x.write("bad") }},
		{"a panic", "{path}: panic with a string", nil, func(x *fixture) { x.write("panic") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			x := prepare(t)
			test.make(x)
			x.clock = x.clock.Add(time.Minute)
			_, err := Open(x.options())
			if err == nil || !strings.HasPrefix(err.Error(), strings.ReplaceAll(test.want, "{path}", x.path)) {
				t.Fatal(err)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v is not %v", err, test.is)
			}
			if x.parsed > 1 || len(x.loaded) > 0 || len(x.statuses) > 0 {
				t.Errorf("parsed %d times, loaded %q, observed %v", x.parsed, x.loaded, x.statuses)
			}
		})
	}
}

func TestOpenTriesAFileAgainThatIsBeingWritten(t *testing.T) {
	for _, start := range []string{"", "bad"} {
		x := prepare(t)
		x.write(start)
		options := x.options()
		options.Parse = func(data []byte) (string, error) {
			if x.parsed++; x.parsed == 2 {
				defer x.write("one") // before the third attempt
			}
			return parseWord(data)
		}
		file, err := load(options)
		if err != nil {
			t.Fatalf("started with %q: %v", start, err)
		}
		if file.Current() != "one" || x.parsed != 3 {
			t.Errorf("started with %q: %q after %d tries", start, file.Current(), x.parsed)
		}
	}
}

func TestOpenGivesUpOnAFileThatStaysBroken(t *testing.T) {
	x := prepare(t)
	x.write("bad")
	options := x.options()
	options.Parse = func(data []byte) (string, error) {
		x.parsed++
		x.clock = x.clock.Add(retryAge / 2)
		return parseWord(data)
	}
	if _, err := load(options); !errors.Is(err, errBad) || x.parsed != 2 {
		t.Errorf("%v after %d tries", err, x.parsed)
	}
}

func TestAnEmptyFileIsAVersionWhereItMeansThatNothingIsLeft(t *testing.T) {
	x := prepare(t)
	x.write("one")
	x.clock = x.clock.Add(time.Minute)
	options := x.options()
	options.Empty = true
	file, err := load(options)
	if err != nil {
		t.Fatal(err)
	}
	x.file = file
	x.write("")
	x.clock = x.clock.Add(time.Minute)
	x.polls(2)
	x.want("", "")
	if _, err := load(options); err != nil {
		t.Errorf("it cannot be the first version: %v", err)
	}
}
