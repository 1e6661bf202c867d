package session

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/sessionstest"
)

// engines is a storage and an engine in memory.
func engines() (*shelf, *sessionstest.Memory) {
	return newShelf(), sessionstest.NewMemory(nil)
}

func TestAnEngineThatThisNodeDoesNotKnowIsUnavailable(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, memory := engines()
		only := newEngineNode(t, storage, memory, false)
		plain := newNode(storage)
		for what, c := range map[string]struct {
			n  *node
			id ID
		}{"also storage": {only.node, monthAhead()}, "also memory": {plain, only.began(t)}} {
			_, rotated := c.n.Rotate(t.Context(), c.id, 0, 0, true)
			_, glanced := c.n.Glance(t.Context(), c.id, 0, 0)
			_, checked := c.n.Check(t.Context(), c.id, 1, 0)
			_, revoked := c.n.Revoked(t.Context(), c.id)
			_, asked := c.n.IsRevoked(t.Context(), c.id, time.Second)
			for _, err := range []error{rotated, glanced, checked, revoked, asked, c.n.Revoke(t.Context(), c.id), c.n.RevokeLost(t.Context(), c.id, 1)} {
				if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), `"`+what+`"`) {
					t.Errorf("error %v", err)
				}
			}
		}
	})
}

// Nodes of both configs at once, and back.
func TestMovingToAnEngineAndBackEndsNoSession(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, memory := engines()
		know := Engines{All: map[string]sessions.Engine{"memory": memory.Open(testServer)}, Storage: true}
		before := newNode(storage) // which knows both, and begins sessions in the storage
		before.Store = before.WithEngines(know)
		after := newEngineNode(t, storage, memory, true)
		ids := []ID{monthAhead(), after.began(t)}
		for round := range uint64(3) {
			for _, id := range ids {
				before.wantRotated(t, id, 2*round, 0, 2*round+1)
				after.wantRotated(t, id, 2*round+1, 0, 2*round+2)
				before.wantRefused(t, id, 2*round, 0, ErrReused)
			}
		}
		if origin, err := before.Origin(t.Context()); err != nil || origin.NewID(time.Now()).engineName() != "" {
			t.Errorf("a session begins at %v, error %v", origin, err)
		}
		for i, n := range []*node{before, after.node} {
			other := []*node{after.node, before}[i]
			must(t, n.Poll(t.Context()))
			must(t, other.Poll(t.Context()))
			must(t, n.Revoke(t.Context(), ids[i]))
			must(t, other.Poll(t.Context()))
			if revoked, err := other.IsRevoked(t.Context(), ids[i], time.Second); !revoked || err != nil {
				t.Errorf("session %s: revoked %v, error %v", ids[i], revoked, err)
			}
			other.wantRefused(t, ids[i], 6, 0, ErrRevoked)
		}
	})
}

func TestAnEngineThatIsDownAtTheStartBeginsSessionsOnceItAnswers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, memory := engines()
		memory.Stop()
		n := newNode(storage)
		n.Store = n.WithEngines(Engines{New: "memory", All: map[string]sessions.Engine{"memory": memory.Open(testServer)}})
		_, err := n.KeepEpochs(t.Context())
		wantUnavailable(t, err)
		_, err = n.Origin(t.Context())
		wantUnavailable(t, err)
		wantUnavailable(t, n.Poll(t.Context()))
		memory.Start()
		if renewed, err := n.KeepEpochs(t.Context()); err != nil || len(renewed) > 0 {
			t.Fatalf("renewed %v, error %v", renewed, err)
		}
		origin, err := n.Origin(t.Context())
		must(t, err)
		n.wantRotated(t, origin.NewID(time.Now().AddDate(0, 1, 0)), 0, 0, 1)
		must(t, n.Poll(t.Context()))
	})
}

// An engine that was emptied looks like one in which nothing has happened yet.
// What a fail-over loses: the newest token is ahead, and the session ends.
func TestAnUnsuitableEngineIsToldApartFromOneThatIsDown(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, memory := engines()
		n := newEngineNode(t, storage, memory, false)
		time.Sleep(epochFor)
		n.engine.Befall("Epoch", sessionstest.Unsuitable, sessionstest.Refused, sessionstest.Panics)
		if _, err := n.KeepEpochs(t.Context()); !errors.Is(err, sessions.ErrUnsuitable) {
			t.Errorf("error %v", err)
		}
		for range 2 {
			if _, err := n.KeepEpochs(t.Context()); errors.Is(err, sessions.ErrUnsuitable) || !errors.Is(err, ErrUnavailable) {
				t.Errorf("error %v", err)
			}
		}
	})
}

func TestSessionsInAnEngineAreListedBesideThoseInTheStorage(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, memory := engines()
		n := newEngineNode(t, storage, memory, true)
		stored, kept, gone := monthAhead(), n.began(t), n.began(t)
		for _, id := range []ID{stored, kept, gone} {
			if _, err := n.Of(Claims{ID: id, Subject: "alice", Client: "web", Version: 7}).Rotate(t.Context(), id, 0, 0, true); err != nil {
				t.Fatal(err)
			}
		}
		n.wantRotated(t, kept, 1, 0, 2)
		must(t, n.Revoke(t.Context(), gone))
		known, more, err := n.listed(t.Context(), "alice", 10)
		if err != nil || more || len(known) != 3 {
			t.Fatalf("known %v, more %v, error %v", known, more, err)
		}
		for _, k := range known {
			want := Known{Claims: Claims{ID: k.ID, Subject: "alice", Client: "web", Version: 7}, Generation: 1}
			switch k.ID {
			case kept:
				want.Generation = 2
			case gone:
				want.Generation, want.Revoked = 0, true
			}
			if k.Rotated = (time.Time{}); k != want {
				t.Errorf("got %+v, want %+v", k, want)
			}
		}
		if slices.ContainsFunc(known, func(k Known) bool { return k.ID != stored && k.ID != kept && k.ID != gone }) {
			t.Error("an ID that was not read as it was written")
		}
		memory.Flush()
		n.another(t, memory)
		if known, _, err := n.listed(t.Context(), "alice", 10); err != nil || len(known) != 1 || known[0].ID != stored {
			t.Errorf("after the engine was emptied: %v, error %v", known, err)
		}
	})
}

// An engine that hangs holds up a bounded number of its own calls, and no session that
// lives elsewhere.
func TestAnEngineThatHangsHoldsUpNoSessionElsewhere(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, memory := engines()
		n := newEngineNode(t, storage, memory, true)
		n.engine.Meet(func(sessionstest.Call) sessionstest.Fault { return sessionstest.Hangs })
		begun := time.Now()
		failed := make(chan error)
		for range 2 * maxCalls {
			id := n.began(t)
			go func() {
				_, err := n.Rotate(t.Context(), id, 0, 0, true)
				failed <- err
			}()
		}
		n.wantRotated(t, monthAhead(), 0, 0, 1)
		must(t, n.Revoke(t.Context(), monthAhead()))
		if waited := time.Since(begun); waited > 0 {
			t.Errorf("waited for %v", waited)
		}
		for range 2 * maxCalls {
			wantUnavailable(t, <-failed)
		}
		if waited := time.Since(begun); waited > rotateLimit {
			t.Errorf("the calls took %v", waited)
		}
	})
}

// A revocation that waits for its allowance ends the session here at once.
func TestARevocationThatWaitsReachesTheEngineLater(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, memory := engines()
		n := newEngineNode(t, storage, memory, false)
		id := n.began(t)
		n.memory.Serve(n.Store)
		defer n.memory.Close()
		n.RevokeLater(id, time.Minute)
		n.wantRefused(t, id, 0, 0, ErrRevoked)
		other := n.another(t, memory)
		other.wantRotated(t, id, 0, 0, 1)
		time.Sleep(2 * time.Minute)
		other.wantRefused(t, id, 1, 0, ErrRevoked)
	})
}

// waking is an engine that tells of revocations.
type waking struct {
	sessions.Engine
	woken chan struct{}
}

func (w waking) Wake(context.Context) <-chan struct{} { return w.woken }

func TestAnEngineThatCanTellWakesThoseThatPoll(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, memory := engines()
		n, of := newNode(storage), make(chan struct{})
		n.Store = n.WithEngines(Engines{New: "memory", All: map[string]sessions.Engine{
			"memory": waking{memory.Open(testServer), of}, "mute": memory.Open(testServer),
		}})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		woken := n.Woken(ctx, "memory")
		if n.Woken(ctx, "mute") != nil {
			t.Error("an engine that cannot tell")
		}
		for range 3 {
			of <- struct{}{}
			<-woken
		}
		select {
		case <-woken:
			t.Error("woken for nothing")
		case <-time.After(time.Hour):
		}
	})
}

// A reload is what an operator is told to do after an engine has lost its data.
// An operator may point a config at another Redis: what was read of one says nothing of
// the other.
func TestWhatIsKnownOfAnEngineIsNotTakenForAnotherOfItsName(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, memory := engines()
		n := newEngineNode(t, storage, memory, false)
		must(t, n.Poll(t.Context()))
		id := n.began(t)
		if revoked, err := n.IsRevoked(t.Context(), id, time.Second); revoked || err != nil {
			t.Fatalf("revoked %v, error %v", revoked, err)
		}
		elsewhere := sessionstest.NewMemory(nil).Open(testServer)
		moved := NewStore(n.storage, testPrefix, n.memory, time.Now).WithEngines(Engines{
			New: "memory", All: map[string]sessions.Engine{"memory": elsewhere}, Identities: map[string]string{"memory": "another"},
		})
		_, err := moved.Origin(t.Context())
		wantUnavailable(t, err)
		if _, err := moved.KeepEpochs(t.Context()); err != nil {
			t.Fatal(err)
		}
		if revoked, err := moved.IsRevoked(t.Context(), id, time.Second); !revoked || err != nil {
			t.Errorf("at an engine of another epoch: revoked %v, error %v", revoked, err)
		}
		if origin, err := n.Origin(t.Context()); err != nil || origin.engine != id.engine {
			t.Errorf("the config before begins sessions in %q, error %v", origin.engine, err)
		}
	})
}

// A fail-over takes back what other processes would read.
