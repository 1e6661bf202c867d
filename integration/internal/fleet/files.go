package fleet

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/caddygrant/caddy-grant/internal/session"
)

// OnFiles is Caddy's default storage, in a directory that all nodes have.
//
// Calls that are held fail in the end and do nothing: what a file system does later than
// its caller thinks takes a record back, see the guarantees in internal/session. For the
// same reason a lock is given back also by a process that has crashed; what it leaves
// behind is a matter for tests with real processes.
type OnFiles struct{ Directory string }

// Open implements [Site].
func (s *OnFiles) Open(int) (Way, error) {
	return &fileWay{Storage: &certmagic.FileStorage{Path: s.Directory}}, nil
}

// fileWay is a way whose troubles are those of calls.
type fileWay struct {
	certmagic.Storage

	mu      sync.Mutex
	trouble Trouble
	closed  bool
}

// Store implements [Way].
func (w *fileWay) Store(memory *session.Memory, now func() time.Time) *session.Store {
	return session.NewStore(&troubled{w}, "grant/"+Server, memory, now)
}

// Suffer implements [Way].
func (w *fileWay) Suffer(trouble Trouble) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trouble = trouble
}

// Close implements [Way].
func (w *fileWay) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
}

// meet is what happens to a call before it begins, and answered whether its caller
// learns what came of it.
func (w *fileWay) meet(ctx context.Context) (answered bool, err error) {
	w.mu.Lock()
	trouble, closed := w.trouble, w.closed
	if trouble.Kind == Cut {
		w.trouble = Trouble{}
	}
	w.mu.Unlock()
	switch {
	case closed || trouble.Kind == Refused:
		return false, errTrouble
	case trouble.Kind == Slow:
		if !pause(ctx, trouble.Delay/8) { // there are many calls
			return false, ctx.Err()
		}
	case trouble.Kind == Held:
		pause(ctx, time.Minute)
		return false, errTrouble
	}
	return trouble.Kind != AnswersHeld && trouble.Kind != Cut, ctx.Err()
}

// unanswered is how a call ends whose answer is held.
func unanswered(ctx context.Context) error {
	pause(ctx, time.Minute)
	return errTrouble
}

var errTrouble = errors.New("the storage is in trouble")

// troubled is the storage at the end of such a way.
type troubled struct{ way *fileWay }

// met makes a call, unless it meets a trouble.
func met[T any](ctx context.Context, w *fileWay, call func() (T, error)) (T, error) {
	var none T
	answered, err := w.meet(ctx)
	if err != nil {
		return none, err
	}
	result, err := call()
	if !answered {
		return none, unanswered(ctx)
	}
	return result, err
}

func (t *troubled) do(ctx context.Context, call func() error) error {
	_, err := met(ctx, t.way, func() (struct{}, error) { return struct{}{}, call() })
	return err
}

// Lock implements [certmagic.Locker]. A lock that its caller does not learn of is given
// back.
func (t *troubled) Lock(ctx context.Context, name string) error {
	answered, err := t.way.meet(ctx)
	if err != nil {
		return err
	}
	if err := t.way.Storage.Lock(ctx, name); err != nil || answered {
		return err
	}
	_ = t.way.Storage.Unlock(context.WithoutCancel(ctx), name)
	return unanswered(ctx)
}

// Unlock implements [certmagic.Locker].
func (t *troubled) Unlock(ctx context.Context, name string) error {
	return t.way.Storage.Unlock(ctx, name)
}

// Store implements [certmagic.Storage].
func (t *troubled) Store(ctx context.Context, key string, value []byte) error {
	return t.do(ctx, func() error { return t.way.Storage.Store(ctx, key, value) })
}

// Load implements [certmagic.Storage].
func (t *troubled) Load(ctx context.Context, key string) ([]byte, error) {
	return met(ctx, t.way, func() ([]byte, error) { return t.way.Storage.Load(ctx, key) })
}

// Delete implements [certmagic.Storage].
func (t *troubled) Delete(ctx context.Context, key string) error {
	return t.do(ctx, func() error { return t.way.Storage.Delete(ctx, key) })
}

// Exists implements [certmagic.Storage].
func (t *troubled) Exists(ctx context.Context, key string) bool {
	found, err := met(ctx, t.way, func() (bool, error) { return t.way.Storage.Exists(ctx, key), nil })
	return err == nil && found
}

// List implements [certmagic.Storage].
func (t *troubled) List(ctx context.Context, key string, recursive bool) ([]string, error) {
	return met(ctx, t.way, func() ([]string, error) { return t.way.Storage.List(ctx, key, recursive) })
}

// Stat implements [certmagic.Storage].
func (t *troubled) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	return met(ctx, t.way, func() (certmagic.KeyInfo, error) { return t.way.Storage.Stat(ctx, key) })
}
