package labelset

import (
	"slices"
	"testing"
)

func TestAGaugeIsThereAsLongAsAConfigFollows(t *testing.T) {
	var f Followers
	of := Of{"default", "redis"}
	var got []string
	did := func(what string) func() { return func() { got = append(got, what) } }
	begun := func(first bool) {
		if first {
			did("first")()
		} else {
			did("another")()
		}
	}
	f.Observe(of, did("too early"))
	f.Begin(of, begun)
	f.Begin(of, begun) // a reload
	f.End(of, did("removed too early"))
	f.Observe(of, did("observed"))
	f.Observe(Of{"default"}, did("other labels"))
	f.End(of, did("removed"))
	f.Observe(of, did("too late"))
	f.Begin(of, begun)
	if want := []string{"first", "another", "observed", "removed", "first"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
