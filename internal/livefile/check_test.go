package livefile

import (
	"os"
	"strings"
	"testing"
)

func TestACheckTellsHowTheFileIsNow(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(x *fixture)
		want  string
	}{
		"unchanged":                {func(*fixture) {}, ""},
		"good and new":             {func(x *fixture) { x.write("two") }, ""},
		"written as it was":        {func(x *fixture) { x.write("one") }, ""},
		"broken":                   {func(x *fixture) { x.write("bad") }, "bad word"},
		"empty":                    {func(x *fixture) { x.write("") }, "it is empty"},
		"missing":                  {func(x *fixture) { x.must(os.Remove(x.path)) }, "no such file"},
		"a directory":              {func(x *fixture) { x.must(os.Remove(x.path)); x.must(os.Mkdir(x.path, 0o700)) }, "directory"},
		"its parser panics":        {func(x *fixture) { x.write("panic") }, "panic"},
		"broken for a while":       {func(x *fixture) { x.write("bad"); x.polls(3) }, "bad word"},
		"missing for a while":      {func(x *fixture) { x.must(os.Remove(x.path)); x.polls(3) }, "no such file"},
		"good again before a poll": {func(x *fixture) { x.write("bad"); x.polls(3); x.write("two") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			x := newFixture(t, "one")
			test.spoil(x)
			x.clock = x.clock.Add(retryAge) // what was written is no longer recent
			status := x.file.Status()
			for range 2 {
				err := x.file.check()
				if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), x.path)) {
					t.Errorf("%v, want %q", err, test.want)
				}
			}
			if x.file.Current() != "one" || x.file.Status() != status {
				t.Errorf("the check has activated %q, %v", x.file.Current(), x.file.Status())
			}
			x.polls(1)
		})
	}
}

// Any goroutine may ask, even when the file is closed.
func TestACheckIsAnsweredByTheGoroutineThatPolls(t *testing.T) {
	x := prepare(t)
	x.write("one")
	x.clock = x.clock.Add(Rest * 5)
	file, err := Open(x.options())
	x.must(err)
	if err := file.Check(); err != nil {
		t.Error(err)
	}
	x.must(file.Close())
	if err := file.Check(); err != nil {
		t.Error(err)
	}
}

// What decides by the absence of an entry has to know that no change is on its way.
func TestAFileIsCurrentUnlessAnEarlierChangeIsNotActive(t *testing.T) {
	for name, test := range map[string]struct {
		change func(x *fixture)
		want   bool
	}{
		"unchanged":                     {func(*fixture) {}, true},
		"changed, and not read yet":     {func(x *fixture) { x.write("two"); x.clock = x.clock.Add(2 * Rest) }, false},
		"changed, and read":             {func(x *fixture) { x.write("two"); x.clock = x.clock.Add(2 * Rest); x.polls(3) }, true},
		"changed just now":              {func(x *fixture) { x.write("two") }, true},
		"broken, and not read yet":      {func(x *fixture) { x.write("bad"); x.clock = x.clock.Add(2 * Rest) }, false},
		"broken":                        {func(x *fixture) { x.write("bad"); x.clock = x.clock.Add(2 * Rest); x.polls(3) }, false},
		"broken, then changed just now": {func(x *fixture) { x.write("bad"); x.clock = x.clock.Add(2 * Rest); x.polls(3); x.write("two") }, false},
		"gone":                          {func(x *fixture) { x.must(os.Remove(x.path)) }, false},
		"gone for a while":              {func(x *fixture) { x.must(os.Remove(x.path)); x.polls(3) }, false},
		"broken, then as it was": {func(x *fixture) {
			x.write("bad")
			x.clock = x.clock.Add(2 * Rest)
			x.polls(3)
			x.write("one")
			x.clock = x.clock.Add(2 * Rest)
			x.polls(3)
		}, true},
		"written again with the same words": {func(x *fixture) { x.write("one"); x.clock = x.clock.Add(2 * Rest); x.polls(3) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			x := newFixture(t, "one")
			test.change(x)
			if err := x.file.behind(x.clock); (err == nil) != test.want {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestAFileThatIsNotFollowedIsNotCurrent(t *testing.T) {
	x := prepare(t)
	x.write("one")
	x.clock = x.clock.Add(Rest * 5)
	file, err := Open(x.options())
	x.must(err)
	if !file.IsCurrent(x.clock) {
		t.Error("it is not current")
	}
	x.must(file.Close())
	if file.IsCurrent(x.clock) {
		t.Error("it is current")
	}
}
