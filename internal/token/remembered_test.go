package token

import (
	"fmt"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/internal/clock"
)

func TestCheckedTokensAreBounded(t *testing.T) {
	token := new(AccessToken)
	for _, test := range []struct {
		name   string
		length int
		holds  int
	}{
		{"many short ones", 500, maxCheckedTokens},
		{"some large ones", 100_000, maxCheckedSize / 100_000},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, at := newCheckedTokens(), time.Now()
			add := func(i int) { c.add(digestToken(fmt.Sprint(i)), checkedToken{token: token, size: test.length}) }
			has := func(i int) bool { _, ok := c.get(digestToken(fmt.Sprint(i))); return ok }
			wantFull := func() {
				t.Helper()
				if c.tokens.Len() != test.holds || c.size != test.holds*test.length {
					t.Fatalf("%d tokens of %d bytes, want %d of %d", c.tokens.Len(), c.size, test.holds, test.length)
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

func atClock(t *testing.T, at time.Time) {
	before := clock.Now
	t.Cleanup(func() { clock.Now = before })
	clock.Now = func() time.Time { return at }
}
