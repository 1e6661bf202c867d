package session

import (
	"context"
	"errors"
	"path"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"pgregory.net/rapid"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/sessionstest"
)

// Sessions in Caddy's file storage, at processes that share it, keep what engines
// promise as far as TestStorage goes.
func TestSessionsInFilesPassTheSuiteOfEngines(t *testing.T) {
	root := t.TempDir()
	var servers sync.Map
	sessionstest.TestStorage(t, sessionstest.Engines{Open: func(_ *testing.T, server string) sessions.Engine {
		all, _ := servers.LoadOrStore(server, &asEngines{})
		storage := &certmagic.FileStorage{Path: path.Join(root, server)}
		return all.(*asEngines).open(newNode(storage))
	}})
}

// The model of engines, with what the storage promises less. Calls to the storage meet
// faults, locks go stale, and writes take effect late.
func TestSessionsInAStorageThatFailsAreInTheModelOfEngines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			w := &modelWorld{storage: newShelf()}
			all := &asEngines{}
			sessionstest.Model(t, sessionstest.Modelled{
				Open: func() sessions.Engine { return all.open(newNode(w.storage)) },
				Strike: func(t *rapid.T, e sessions.Engine) (context.Context, bool, func()) {
					return w.strike(t, e.(*asEngine).node)
				},
				Storage: true,
			})
		})
	})
}

// asEngines makes engines of nodes that share a storage.
type asEngines struct {
	mu  sync.Mutex
	ids map[sessions.ID]bool // that were used
}

func (a *asEngines) open(n *node) sessions.Engine {
	return &asEngine{node: n, all: a, turns: mutexes{held: make(map[ID]*mutex)}}
}

// asEngine is a Store as an engine. Its swaps are those of Rotate, whose answer it
// chooses: it makes the process remember, as after a failure, that an exchange with
// this answer was begun and not delivered. What is remembered is one answer a session,
// so swaps of one session take turns here.
type asEngine struct {
	node  *node
	all   *asEngines
	turns mutexes
}

// epochOfStorage takes the place of the server secret, with which sessions end.
const epochOfStorage = "0000000000000000"

// id is the ID of a session as the Store has it.
func (e *asEngine) id(id sessions.ID) (ID, error) {
	if id.Epoch != epochOfStorage {
		return ID{}, sessions.ErrOtherEpoch
	}
	own, ok := ParseID(id.Day + "-" + id.Random)
	if !ok {
		return ID{}, errors.New("not the ID of a session")
	}
	e.all.mu.Lock()
	defer e.all.mu.Unlock()
	if e.all.ids == nil {
		e.all.ids = make(map[sessions.ID]bool)
	}
	e.all.ids[id] = true
	return own, nil
}

func (e *asEngine) Epoch(context.Context) (string, error) { return epochOfStorage, nil }

func (e *asEngine) Load(ctx context.Context, id sessions.ID) (sessions.State, error) {
	own, err := e.id(id)
	if err != nil {
		return sessions.State{}, err
	}
	return e.load(ctx, own)
}

func (e *asEngine) load(ctx context.Context, id ID) (sessions.State, error) {
	st, err := call(ctx, e.node.memory, readLimit, func(ctx context.Context) (state, error) {
		return e.node.readSurely(ctx, id)
	})
	switch {
	case err != nil:
		return sessions.State{}, err
	case st.over():
		return sessions.State{Revoked: st.revoked, Over: st.swept}, nil
	case errors.Is(st.unread, ErrDamaged):
		return sessions.State{}, sessions.ErrDamaged
	case st.unread != nil || !st.found:
		return sessions.State{}, st.unread
	}
	age := e.node.now().Sub(time.UnixMilli(st.Rotated))
	return sessions.State{Generation: st.Generation, Answer: st.Answer, Age: max(0, age)}, nil
}

func (e *asEngine) Swap(ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
	own, err := e.id(id)
	if err != nil {
		return sessions.State{}, err
	}
	unlock, _, err := e.turns.lock(ctx, own)
	if err != nil {
		return sessions.State{}, err
	}
	defer unlock()
	e.node.memory.undelivered.remember(own, record{Generation: next, Answer: answer})
	switch got, err := e.node.Rotate(ctx, own, next-1, 0, false); {
	case err == nil && got == next:
		return sessions.State{Generation: next, Answer: answer}, nil
	case err == nil:
		return sessions.State{}, errors.New("another generation than the next one")
	case errors.Is(err, ErrUnavailable):
		return sessions.State{}, err
	case errors.Is(err, ErrDamaged):
		return sessions.State{}, sessions.ErrDamaged
	}
	e.node.memory.undelivered.forget(own)
	return e.load(ctx, own)
}

func (e *asEngine) Revoke(ctx context.Context, id sessions.ID) error {
	own, err := e.id(id)
	if err != nil {
		return err
	}
	return e.node.Revoke(ctx, own)
}

// Revoked polls, and returns all that the view has of the sessions that were used.
func (e *asEngine) Revoked(ctx context.Context, after string) (ids []sessions.ID, next string, more bool, err error) {
	if after != "" && after != cursorOfStorage {
		return nil, "", false, sessions.ErrCursor
	}
	if err := e.node.Poll(ctx); err != nil {
		return nil, "", false, err
	}
	e.all.mu.Lock()
	defer e.all.mu.Unlock()
	for id := range e.all.ids {
		own, _ := ParseID(id.Day + "-" + id.Random)
		if revoked, _ := e.node.memory.InView(own); revoked {
			ids = append(ids, id)
		}
	}
	return ids, cursorOfStorage, false, nil
}

const cursorOfStorage = "polled"

func (e *asEngine) Sweep(ctx context.Context) (more bool, err error) {
	swept, err := e.node.Sweep(ctx)
	return swept.More, err
}

func (e *asEngine) Close() error { return nil }
