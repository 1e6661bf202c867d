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
			x.clock = x.clock.Add(retryAge) // what was written is not young
			status := x.file.Status()
			for range 2 {
				err := x.file.check()
				if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), x.path)) {
					t.Errorf("%v, want %q", err, test.want)
				}
			}
			if x.file.Current() != "one" || x.file.Status() != status {
				t.Errorf("the check has brought %q into force, %v", x.file.Current(), x.file.Status())
			}
			x.polls(1)
		})
	}
}

// Any goroutine may ask, also when the file is closed.
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
