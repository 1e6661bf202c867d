package governed

import (
	"slices"
	"testing"
)

func TestTheNewestConfigGoverns(t *testing.T) {
	var applied []string
	s := New("default", func(value string) { applied = append(applied, value) })
	for _, step := range []struct {
		name string
		do   func()
		want []string
	}{
		{"the first config starts", func() { s.Govern(1, "one") }, []string{"one"}},
		{"the next one starts", func() { s.Govern(2, "two") }, []string{"two"}},
		{"the first one stops", func() { s.Yield(1) }, nil},
		{"a config starts of which another app fails", func() { s.Govern(3, "three") }, []string{"three"}},
		{"it stops", func() { s.Yield(3) }, []string{"two"}},
		{"it stops again", func() { s.Yield(3) }, nil},
	} {
		applied = nil
		step.do()
		if !slices.Equal(applied, step.want) {
			t.Errorf("%s: applied %q, want %q", step.name, applied, step.want)
		}
	}
}
