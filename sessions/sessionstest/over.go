package sessionstest

import (
	"math"
	"testing"

	"github.com/caddygrant/caddy-grant/sessions"
)

func (s suite) over(t *testing.T) {
	w := s.begin(t)
	long := w.id()
	long.Day = "19700101"
	for _, id := range []sessions.ID{w.ending(-9), w.ending(-10), w.ending(-40), w.ending(-4000), long} {
		for range 2 {
			w.a.has(t, id, isOver)
			for next := range uint64(2) {
				w.b.swaps(t, id, next+1, newAnswer(), isOver)
			}
			w.a.revokes(t, id) // for which nothing is left to do
			w.b.has(t, id, isOver)
		}
	}
	late := w.id()
	late.Day = "99991231"
	for _, id := range []sessions.ID{w.ending(0), w.ending(-1), w.ending(-3), w.ending(-6), w.ending(1), w.ending(4000), late} {
		w.a.has(t, id, at(0, ""))
		answer := w.a.wins(t, id, 1)
		w.b.has(t, id, at(1, answer))
		w.a.revokes(t, id)
		w.b.has(t, id, isRevoked)
		if read, _ := w.b.reads(t, ""); !read[id] {
			t.Errorf("the session of %s is not in the feed", id.Day)
		}
	}
}

// sweep sweeps until nothing is left.
func (w *world) sweep(t *testing.T) {
	t.Helper()
	for range maxSweeps {
		more, err := w.a.Sweep(t.Context())
		if err != nil {
			t.Fatalf("Sweep: %v", err)
		}
		if !more {
			return
		}
	}
	t.Fatalf("Sweep does not end after %d calls", maxSweeps)
}

func (s suite) sweepsNothing(t *testing.T) {
	w := s.begin(t)
	type live struct {
		id   sessions.ID
		want sessions.State
	}
	var all []live
	for _, days := range s.days {
		id, revoked := w.ending(days), w.ending(days)
		all = append(all, live{id, at(1, w.a.wins(t, id, 1))}, live{revoked, isRevoked})
		w.a.wins(t, revoked, 1)
		w.a.revokes(t, revoked)
	}
	_, cursor := w.b.reads(t, "")
	for range 2 {
		w.sweep(t)
		read, _ := w.b.reads(t, "")
		for _, s := range all {
			w.b.has(t, s.id, s.want)
			if read[s.id] != s.want.Revoked {
				t.Errorf("the session of %s is in the feed: %v", s.id.Day, read[s.id])
			}
		}
	}
	id := w.id()
	w.a.revokes(t, id)
	if read, _ := w.b.reads(t, cursor); !read[id] {
		t.Error("a session is missing after a cursor of before the sweep")
	}
}

// sweepsOver has nodes that sweep at once.
func (s suite) sweepsOver(t *testing.T) {
	w := s.begin(t)
	w.sweep(t) // there is nothing
	if s.Plant == nil || s.Remains == nil {
		t.Skip("there is no Plant, or no Remains")
	}
	var over []sessions.ID
	for i := range 60 {
		id := w.ending(-9 - i%4)
		if i%3 == 0 {
			s.Plant(t, w.server, id, isRevoked)
		} else {
			s.Plant(t, w.server, id, at(uint64(i), newAnswer()))
		}
		over = append(over, id)
	}
	kept := w.ending(-6)
	w.a.wins(t, kept, 1)
	w.a.revokes(t, kept)
	for _, id := range over {
		w.b.has(t, id, isOver)
		w.b.swaps(t, id, math.MaxInt32, newAnswer(), isOver)
	}
	inParallel(2, func(i int) {
		if _, err := []*checked{w.a, w.b}[i].Sweep(t.Context()); err != nil {
			t.Errorf("Sweep: %v", err)
		}
	})
	w.sweep(t)
	for _, id := range over {
		if s.Remains(t, w.server, id) {
			t.Errorf("the session of %s has left something behind", id.Day)
		}
		w.b.has(t, id, isOver)
		w.a.swaps(t, id, 1, newAnswer(), isOver)
	}
	w.b.has(t, kept, isRevoked)
	if read, _ := w.b.reads(t, ""); !read[kept] {
		t.Error("a session that is not over is missing in the feed")
	}
}

const maxSweeps = 10_000
