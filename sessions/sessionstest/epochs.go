package sessionstest

import (
	"errors"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/sessions"
)

func (s suite) agreed(t *testing.T) {
	for range 5 {
		w := &world{suite: s, server: newServer()}
		nodes := make([]*checked, 8)
		for i := range nodes {
			nodes[i] = w.open(t)
		}
		epochs := make([]string, 2*len(nodes))
		inParallel(len(epochs), func(i int) {
			var err error
			if epochs[i], err = nodes[i/2].Epoch(t.Context()); err != nil {
				t.Errorf("Epoch: %v", err)
			}
		})
		if t.Failed() {
			return
		}
		nodes = append(nodes, w.open(t), w.open(t))
		for _, node := range nodes {
			epochs = append(epochs, node.epoch(t), node.epoch(t))
		}
		for _, epoch := range epochs {
			if epoch != epochs[0] {
				t.Fatalf("one node has epoch %s, another %s", epochs[0], epoch)
			}
		}
	}
}

func (s suite) otherEpoch(t *testing.T) {
	w := s.begin(t)
	id := w.id()
	other := id
	other.Epoch = sessions.NewEpoch()
	answer := w.a.wins(t, id, 1)
	for _, node := range []*checked{w.a, w.b, w.open(t)} { // the last one was never asked for its epoch
		node.refuses(t, other)
	}
	w.b.has(t, id, at(1, answer))
	if read, _ := w.b.reads(t, ""); len(read) > 0 {
		t.Errorf("%d sessions are in the feed", len(read))
	}
}

// refuses fails unless a session is said to be of another epoch, whatever is done.
func (c *checked) refuses(t *testing.T, id sessions.ID) {
	t.Helper()
	if st, err := c.Load(t.Context(), id); !errors.Is(err, sessions.ErrOtherEpoch) {
		t.Errorf("Load: %s, %v; want ErrOtherEpoch", describe(st), err)
	}
	for next := range uint64(3) {
		if st, err := c.Swap(t.Context(), id, next+1, newAnswer()); !errors.Is(err, sessions.ErrOtherEpoch) {
			t.Errorf("Swap to %d: %s, %v; want ErrOtherEpoch", next+1, describe(st), err)
		}
	}
	if err := c.Revoke(t.Context(), id); !errors.Is(err, sessions.ErrOtherEpoch) {
		t.Errorf("Revoke: %v; want ErrOtherEpoch", err)
	}
}

// servers have names of which one is the beginning of another, or looks like a pattern
// for it.
func (s suite) servers(t *testing.T) {
	base := newServer()
	var worlds []*world
	for _, server := range []string{base, base + "-1", base + "_1", base + "x1", base + strings.Repeat("z", 64-len(base))} {
		w := &world{suite: s, server: server}
		w.a, w.b = w.open(t), w.open(t)
		w.epoch = w.a.epoch(t)
		for _, other := range worlds {
			if w.epoch == other.epoch {
				t.Fatalf("%s has the epoch of %s", server, other.server)
			}
		}
		worlds = append(worlds, w)
	}
	ids := make([]sessions.ID, len(worlds))
	for i, w := range worlds {
		ids[i] = w.id()
		w.a.wins(t, ids[i], 1)
		for _, other := range worlds {
			if other != w {
				other.b.refuses(t, ids[i])
			}
		}
	}
	for i, w := range worlds {
		w.a.revokes(t, ids[i])
	}
	for i, w := range worlds {
		w.sweep(t)
		w.b.has(t, ids[i], isRevoked)
		if read, _ := w.b.reads(t, ""); len(read) != 1 || !read[ids[i]] {
			t.Errorf("%s has %d sessions in its feed", w.server, len(read))
		}
	}
}

// emptiedInPart has sessions in all parts, of which some are in the one that is lost.
func (s suite) emptiedInPart(t *testing.T) {
	if s.EmptyPart == nil {
		t.Skip("there is no EmptyPart")
	}
	w := s.begin(t)
	w.b.epoch(t)
	spent, revoked := make(map[sessions.ID]string), make(map[sessions.ID]bool)
	for range s.size.sessions {
		id := w.id()
		w.a.wins(t, id, 1)
		spent[id] = w.b.wins(t, id, 2)
		id = w.id()
		w.a.revokes(t, id)
		revoked[id] = true
	}
	s.EmptyPart(t)
	lost := 0
	looks := func(node *checked) {
		t.Helper()
		for id, answer := range spent {
			st, err := node.Load(t.Context(), id)
			if err != nil {
				lost++
			} else if !same(st, at(2, answer)) {
				t.Fatalf("Load: %s, of a session at generation 2", describe(st))
			}
			if st, err := node.Swap(t.Context(), id, 1, newAnswer()); err == nil && !same(st, at(2, answer)) {
				t.Fatalf("Swap to 1: %s, of a session at generation 2", describe(st))
			}
		}
		for id := range revoked {
			if st, err := node.Load(t.Context(), id); err == nil && !st.Revoked {
				t.Fatalf("Load: %s, of a revoked session", describe(st))
			}
			if st, err := node.Swap(t.Context(), id, 1, newAnswer()); err == nil && !st.Revoked {
				t.Fatalf("Swap to 1: %s, of a revoked session", describe(st))
			}
		}
	}
	looks(w.a)
	if lost == 0 {
		t.Error("EmptyPart has taken nothing away")
	}
	_, err := w.a.Epoch(t.Context())
	if err == nil || isCertain(err) {
		t.Errorf("Epoch: %v; want an error that says that nothing is known", err)
	}
	again := &world{suite: s, server: w.server}
	again.a = again.open(t)
	if again.epoch, err = again.a.Epoch(t.Context()); err != nil {
		t.Logf("Epoch at another node: %v", err) // more has to be done, which the engine documents
	} else {
		again.a.wins(t, again.id(), 1)
	}
	looks(again.a)
	looks(w.a)
	looks(w.b)
}

// emptied has a node that was there before, and one that comes afterwards.
func (s suite) emptied(t *testing.T) {
	if s.Empty == nil {
		t.Skip("there is no Empty")
	}
	w := s.begin(t)
	w.b.epoch(t)
	fresh, spent, revoked := w.id(), w.id(), w.id()
	w.a.wins(t, spent, 1)
	w.a.revokes(t, revoked)
	_, cursor := w.a.reads(t, "")
	s.Empty(t)
	nothingIsKnown := func(what string, err error) {
		t.Helper()
		if err == nil || isCertain(err) {
			t.Errorf("%s: %v; want an error that says that nothing is known", what, err)
		}
	}
	for range 2 { // also when it is asked again
		for _, node := range []*checked{w.a, w.b} {
			_, err := node.Epoch(t.Context())
			nothingIsKnown("Epoch", err)
			for _, id := range []sessions.ID{fresh, spent, revoked} {
				_, err := node.Load(t.Context(), id)
				nothingIsKnown("Load", err)
				_, err = node.Swap(t.Context(), id, 1, newAnswer())
				nothingIsKnown("Swap", err)
				nothingIsKnown("Revoke", node.Revoke(t.Context(), id))
			}
			if ids, _, _, err := node.Revoked(t.Context(), cursor); err == nil {
				t.Errorf("Revoked: %d sessions after a cursor", len(ids))
			}
		}
	}

	again := &world{suite: s, server: w.server}
	again.a = again.open(t)
	again.epoch = again.a.epoch(t)
	if again.epoch == w.epoch {
		t.Fatal("the epoch is the same after everything was lost")
	}
	for _, node := range []*checked{again.a, w.a, w.b} {
		if epoch := node.epoch(t); epoch != again.epoch {
			t.Errorf("one node has epoch %s, another %s", again.epoch, epoch)
		}
		for _, id := range []sessions.ID{fresh, spent, revoked} {
			node.refuses(t, id)
		}
		if ids, _, _, err := node.Revoked(t.Context(), cursor); !errors.Is(err, sessions.ErrCursor) {
			t.Errorf("Revoked after a cursor of before: %d sessions, %v; want ErrCursor", len(ids), err)
		}
		node.wins(t, again.id(), 1)
		id := again.id()
		node.revokes(t, id)
		if read, _ := again.a.reads(t, ""); !read[id] {
			t.Error("a revocation is missing in the feed")
		}
	}
}
