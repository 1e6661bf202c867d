package fleet_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/fleet"
	"github.com/caddygrant/caddy-grant/sessions"
)

// faulty is an engine that breaks its promises: each function, if there is one, changes
// what a call returns.
type faulty struct {
	sessions.Engine
	state  func(sessions.State, error) (sessions.State, error)
	swap   func(next uint64, answer string) sessions.State
	revoke func() (done bool)
	feed   func([]sessions.ID) []sessions.ID
}

func (f *faulty) Load(ctx context.Context, id sessions.ID) (sessions.State, error) {
	st, err := f.Engine.Load(ctx, id)
	if f.state != nil {
		return f.state(st, err)
	}
	return st, err
}

func (f *faulty) Swap(ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
	st, err := f.Engine.Swap(ctx, id, next, answer)
	switch {
	case f.swap != nil && err == nil:
		return f.swap(next, answer), nil
	case f.state != nil:
		return f.state(st, err)
	}
	return st, err
}

func (f *faulty) Revoke(ctx context.Context, id sessions.ID) error {
	if f.revoke != nil && f.revoke() {
		return nil
	}
	return f.Engine.Revoke(ctx, id)
}

func (f *faulty) Revoked(ctx context.Context, after string) (ids []sessions.ID, next string, more bool, err error) {
	ids, next, more, err = f.Engine.Revoked(ctx, after)
	if f.feed != nil {
		ids = f.feed(ids)
	}
	return ids, next, more, err
}

func TestAFleetFindsAnEngineThatBreaksAPromise(t *testing.T) {
	for what, broken := range map[string]faulty{
		"every exchange wins": {swap: func(next uint64, answer string) sessions.State {
			return sessions.State{Generation: next, Answer: answer}
		}},
		"a failure is a missing record": {state: func(st sessions.State, err error) (sessions.State, error) { return st, nil }},
		"an answer is as old as the session": {state: func(st sessions.State, err error) (sessions.State, error) {
			st.Age = 24 * time.Hour
			return st, err
		}},
		"an answer is always new": {state: func(st sessions.State, err error) (sessions.State, error) {
			st.Age = 0
			return st, err
		}},
		"some sessions are over": {state: func(st sessions.State, err error) (sessions.State, error) {
			st.Over = st.Over || rand.IntN(100) == 0
			return st, err
		}},
		"some revocations are only said": {revoke: func() bool { return rand.IntN(4) == 0 }},
		"the feed has gaps":              {feed: func(ids []sessions.ID) []sessions.ID { return ids[len(ids)/2:] }},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				site := fleet.NewInMemory()
				site.Changed = func(engine sessions.Engine) sessions.Engine {
					changed := broken
					changed.Engine = engine
					return &changed
				}
				f := ran(t, fleet.Config{
					Site: site, Nodes: 5, Sessions: 300, Duration: 3 * time.Minute, Clients: 20, Pause: time.Second, Lifetime: 24 * time.Hour,
					Poll: 2 * time.Second, Grace: 10 * time.Second, Looks: 100, Every: 2 * time.Second, Trouble: 10 * time.Second,
				})
				if len(f.Violations()) == 0 {
					t.Errorf("it found nothing:\n%s", f)
				} else {
					t.Log(f.Violations()[0])
				}
			})
		})
	}
}
