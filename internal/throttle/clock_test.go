package throttle

import (
	"testing"
	"time"
)

func TestAClockSetBackNeitherLocksOutNorFrees(t *testing.T) {
	a := from("192.0.2.1", "alice")
	t.Run("a wait lasts as long as it should", func(t *testing.T) {
		w := newWorld(t, Limits{})
		w.fails(5, a)
		w.pass(10 * time.Second)
		w.refused(a, 20*time.Second, LimitPair, "before")
		w.pass(-10 * 365 * 24 * time.Hour)
		w.refused(a, 20*time.Second, LimitPair, "set back by ten years")
		w.pass(20 * time.Second)
		w.fails(1, a)
		w.refused(a, time.Minute, LimitPair, "another failure")
	})
	t.Run("what is in flight fails when its time is up", func(t *testing.T) {
		w := newWorld(t, Limits{})
		w.fails(4, a)
		w.reserve(a)
		w.pass(-time.Hour)
		w.refused(a, time.Second, LimitPair, "set back")
		w.pass(time.Minute)
		w.refused(a, 30*time.Second, LimitPair, "lost")
	})
	t.Run("failures are forgotten in their time", func(t *testing.T) {
		w := newWorld(t, Limits{})
		w.fails(5, a)
		w.pass(-time.Hour)
		w.entries()
		w.pass(24*time.Hour - 1)
		if e := w.entries(); e.Pairs != 1 {
			t.Errorf("%+v", e)
		}
		w.pass(1)
		if e := w.entries(); e.Pairs != 0 {
			t.Errorf("%+v", e)
		}
	})
	t.Run("a rate's minute, too", func(t *testing.T) {
		c := newFakeClock()
		r := newRate(1, c.now)
		if err := r.Allow("x"); err != nil {
			t.Fatal(err)
		}
		c.pass(-time.Hour)
		if err := r.Allow("x"); err == nil {
			t.Error("set back: allowed")
		}
		c.pass(time.Minute)
		if err := r.Allow("x"); err != nil {
			t.Error(err)
		}
	})
}

func TestTheRealClockIsUsed(t *testing.T) {
	throttle := New(DefaultLimits())
	a := from("192.0.2.1", "alice")
	for range 5 {
		r, err := throttle.Reserve(a)
		if err != nil {
			t.Fatal(err)
		}
		r.Fail()
	}
	if _, err := throttle.Reserve(a); err == nil {
		t.Error("not refused")
	}
	if err := NewRate(1).Allow("x"); err != nil {
		t.Error(err)
	}
}
