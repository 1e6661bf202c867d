package labelset

import (
	"slices"
	"strconv"
	"sync"
	"testing"
)

func TestASetHasNoMoreValuesThanItMay(t *testing.T) {
	s := New(10)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 100 {
				s.Label("a", strconv.Itoa(i))
			}
		})
	}
	all.Wait()
	n := 0
	for i := range 100 {
		if label := s.Label("a", strconv.Itoa(i)); label == strconv.Itoa(i) {
			n++
		} else if label != "" {
			t.Errorf("%d has the label %q", i, label)
		}
	}
	if n != 10 {
		t.Errorf("%d values have a label", n)
	}
	if label := s.Label("b", "1"); label != "1" {
		t.Errorf("another owner has the label %q", label)
	}
}

func TestAValueThatIsForgottenMakesRoom(t *testing.T) {
	s := New(2)
	for _, value := range []string{"a", "b", "c"} {
		s.Label("x", value)
	}
	if got := []string{s.Label("x", "c"), s.Forget("x", "c"), s.Forget("y", "a"), s.Forget("x", "a"), s.Label("x", "c"), s.Label("x", "a")}; !slices.Equal(got, []string{"", "", "", "a", "c", ""}) {
		t.Errorf("got %q", got)
	}
}
