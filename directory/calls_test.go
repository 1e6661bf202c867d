package directory

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A source that hangs for good holds no more after ten reloads than after three, and the
// first of them can mend it.
func TestReloadsAddNoMoreCallsToASourceThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		var open atomic.Int64
		ask := func(context.Context) error {
			open.Add(1)
			defer open.Add(-1)
			<-over
			return errDown
		}
		calls := NewCalls()
		load := func(source Users) *UserDirectory {
			t.Helper()
			d, err := NewUserDirectory([]Users{source}, Settings{Calls: calls})
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		flood := func(d *UserDirectory) {
			for i := range maxCalls {
				go func() { _, _ = d.ByUsername(t.Context(), fmt.Sprint("nobody", i)) }()
			}
			time.Sleep(2 * patience)
		}
		flood(load(&fake{name: "users db", ask: ask}))

		user, err := load(&fake{name: "users db", users: []*User{alice()}}).ByUsername(t.Context(), "alice")
		wantUser(t, user, err, "alice")

		for range 9 {
			flood(load(&fake{name: "users db", ask: ask}))
		}
		if n := open.Load(); n != maxCallsInAll {
			t.Errorf("%d calls are open, want %d", n, maxCallsInAll)
		}
		hanging := load(&fake{name: "users db", ask: ask})
		user, err = hanging.ByUsername(t.Context(), "alice")
		wantUnavailable(t, user, err, "users db", "too many")
		for range maxCalls { // a place that was refused there is none of its own
			if _, err := hanging.ByUsername(t.Context(), "alice"); !IsBusy(err) {
				t.Fatal(err)
			}
		}
		user, err = load(&fake{name: "users file", users: []*User{alice()}}).ByUsername(t.Context(), "alice")
		wantUser(t, user, err, "alice") // another source

		close(over)
		synctest.Wait()
		if _, err := hanging.ByUsername(t.Context(), "alice"); err == nil || IsBusy(err) {
			t.Errorf("the places that were refused are not there: %v", err)
		}
		user, err = load(&fake{name: "users db", users: []*User{alice()}}).ByUsername(t.Context(), "alice")
		wantUser(t, user, err, "alice")
		for key, total := range calls.totals {
			if len(total) != 0 {
				t.Errorf("%d places of %q are taken", len(total), key)
			}
		}
	})
}

// Two sources of a server may have one name.
func TestSourcesOfOneNameHaveBoundsOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		calls := NewCalls()
		for range 5 {
			d, err := NewUserDirectory([]Users{&fake{name: "users db", users: []*User{alice()}}, &fake{name: "users db", ask: hangs(over)}}, Settings{Calls: calls})
			if err != nil {
				t.Fatal(err)
			}
			for i := range maxCalls {
				go func() { _, _ = d.ByUsername(t.Context(), fmt.Sprint("nobody", i)) }()
			}
			time.Sleep(2 * patience)
			user, err := d.ByUsername(t.Context(), "alice")
			wantUser(t, user, err, "alice")
		}
		close(over)
		time.Sleep(patience)
	})
}
