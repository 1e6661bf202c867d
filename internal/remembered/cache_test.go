package remembered

import (
	"fmt"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/internal/clock"
)

func TestWhatIsRememberedIsBounded(t *testing.T) {
	const maxCount, maxSize = 1 << 12, 3 << 20
	for _, test := range []struct {
		name  string
		size  int
		holds int
	}{
		{"many short ones", 500, maxCount},
		{"some large ones", 100_000, maxSize / 100_000},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, at := New[int](maxCount, maxSize), time.Now()
			add := func(i int) { c.Add(DigestOf(fmt.Sprint(i)), i, test.size) }
			has := func(i int) bool {
				got, ok := c.Get(DigestOf(fmt.Sprint(i)))
				if ok && got != i {
					t.Fatalf("%d is remembered as %d", i, got)
				}
				return ok
			}
			wantFull := func() {
				t.Helper()
				if values, size := c.Len(); values != test.holds || size != test.holds*test.size {
					t.Fatalf("%d values of %d bytes, want %d of %d", values, size, test.holds, test.holds*test.size)
				}
			}
			atClock(t, at)
			for i := range test.holds {
				add(i)
				add(i) // again, which does not count twice
			}
			wantFull()
			add(-1)
			if has(-1) || !has(0) {
				t.Error("one that comes when it is full displaces one that is in use")
			}
			atClock(t, at.Add(inUse))
			if !has(0) {
				t.Error("one that is in use is forgotten")
			}
			add(-1)
			if !has(-1) || !has(0) || has(1) {
				t.Error("one that was not used for long does not make room")
			}
			wantFull()
		})
	}
}

func TestAValueIsReplacedAndOneThatIsTooLargeIsNotKept(t *testing.T) {
	c := New[string](4, 100)
	d := DigestOf("credential")
	c.Add(d, "before", 60)
	c.Add(d, "after", 70)
	if got, ok := c.Get(d); !ok || got != "after" {
		t.Errorf("got %q, %v", got, ok)
	}
	if values, size := c.Len(); values != 1 || size != 70 {
		t.Errorf("%d values of %d bytes", values, size)
	}
	c.Add(DigestOf("large"), "large", 101)
	if _, ok := c.Get(DigestOf("large")); ok {
		t.Error("one that is larger than all the room is remembered")
	}
}

func TestALookUpDoesNotAllocate(t *testing.T) {
	c := New[*int](4, 100)
	raw, value := "credential", 1
	c.Add(DigestOf(raw), &value, 1)
	if n := testing.AllocsPerRun(100, func() { c.Get(DigestOf(raw)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func atClock(t *testing.T, at time.Time) {
	before := clock.Now
	t.Cleanup(func() { clock.Now = before })
	clock.Now = func() time.Time { return at }
}
