package caddygrant

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/allowance"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/internal/storagecheck"
	"github.com/caddygrant/caddy-grant/sessions"
)

// serverSessions is the sessions of a server in Caddy's storage and in engines, and what
// this process knows of them.
type serverSessions struct {
	*session.Store
	memory *session.Memory
	pooled share[pooledMemory]

	sessionsOptions
	logger *zap.Logger

	ready     chan struct{}        // closed once it was tried to read the notices
	stored    attempts             // to read what other nodes revoke in storage
	inEngines map[string]*attempts // to reach each engine, and to read it
	whole     atomic.Bool          // whether all revocations were read
	checked   bool                 // whether tokens are checked here, as of start
	followed  bool                 // whether its view has a metric
	served    bool                 // whether it was started, and so may have requests
	unsure    bool                 // whether they were read before the storage was known to answer
}

// attempts are those to learn what is in the storage, or in an engine.
type attempts struct {
	last atomic.Pointer[failedAttempt] // nil: the last one succeeded
}

type failedAttempt struct {
	text  string
	since time.Time // the first of those that failed
}

// took takes in how the last attempt ended. changed says that it is another way than the
// attempt before did.
func (a *attempts) took(err error) (changed bool) {
	before := a.last.Load()
	if err == nil {
		a.last.Store(nil)
		return before != nil
	}
	failed := &failedAttempt{oneLine(err), clock.Now()}
	if before != nil {
		failed.since = before.since
	}
	a.last.Store(failed)
	return before == nil
}

// oneLine is an error as operators see it outside the log: without the stack of a panic.
func oneLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\ngoroutine ")
	return strings.ReplaceAll(text, "\n", "; ")
}

// sessionsOptions are what a server's sessions depend on.
type sessionsOptions struct {
	server   string
	storage  certmagic.Storage
	place    storagePlace
	engines  session.Engines
	witness  string          // an object that is there as long as the storage is
	keysRead <-chan struct{} // closed once it is known whether the storage answers
	bounds   *allowance.Bounds
	poll     time.Duration // how often revocations are read
}

// pooledMemory is a memory as a value of the pool.
type pooledMemory struct{ *session.Memory }

// Destruct stops the writing of what is waiting.
func (m pooledMemory) Destruct() error {
	m.Close()
	return nil
}

// newServerSessions joins what this process knows of the server's sessions.
func newServerSessions(logger *zap.Logger, o sessionsOptions) *serverSessions {
	pooled := join(sessionsKey{o.place}, func() pooledMemory { return pooledMemory{session.NewMemory()} })
	memory := pooled.value.Memory
	o.engines.Failed = func(engine, call string) { countEngineFailure(o.server, engine, call) }
	x := &serverSessions{
		Store: session.NewStore(o.storage, o.place.prefix, memory, func() time.Time { return clock.Now() }).
			WithWitness(o.witness).WithEngines(o.engines),
		memory:          memory,
		pooled:          pooled,
		sessionsOptions: o,
		logger:          logger,
		ready:           make(chan struct{}),
		inEngines:       make(map[string]*attempts),
	}
	for _, name := range x.EngineNames() {
		x.inEngines[name] = new(attempts)
	}
	return x
}

// Rotate is that of the store, within the bounds.
func (x *serverSessions) Rotate(ctx context.Context, of allowance.Owner, c session.Claims, generation uint64, grace time.Duration, current bool) (uint64, error) {
	return x.Within(x.bounds.FirstRefreshBy(of)).Of(c).Rotate(ctx, c.ID, generation, grace, current)
}

// Revoke is that of the store, within the bounds.
func (x *serverSessions) Revoke(ctx context.Context, of allowance.Owner, id session.ID) error {
	err := x.revocable(of).Revoke(ctx, id)
	if _, refused := allowance.Refused(err); refused {
		if x.memory.HasRevocation(id) { // it is waiting to be written, or was written meanwhile
			return nil // it no longer gives a token
		}
	}
	return err
}

// End revokes a session that must not go on, whatever the bounds say: beyond them it
// ends in this process at once, and in storage as soon as they allow; later tells
// whether that is the case.
func (x *serverSessions) End(ctx context.Context, of allowance.Owner, id session.ID) (later bool, err error) {
	bounded := x.revocable(of)
	err = bounded.Revoke(ctx, id)
	refused, ok := allowance.Refused(err)
	switch {
	case !ok:
		return false, err
	case bounded.RevokeLater(id, refused.RetryAfter):
		return true, nil
	}
	return false, x.Store.Revoke(ctx, id) // too many are waiting: better to write too much than to let a thief in
}

func (x *serverSessions) revocable(of allowance.Owner) *session.Store {
	return x.Within(x.bounds.RevocationBy(of))
}

func closeEngines(all map[string]sessions.Engine) {
	for _, engine := range all {
		_ = engine.Close() // it has nothing that is not durable
	}
}

// release gives back the reference to the memory.
func (x *serverSessions) release() {
	if x.followed {
		x.followed = false
		unfollowView(x.server)
	}
	if x.served {
		for _, name := range x.EngineNames() {
			unfollowEngine(x.server, name)
		}
	}
	x.memory.Leave(x.Store)
	if x.served {
		// Caddy cleans a config up while its last requests are still answered
		time.AfterFunc(enginesLinger, func() { closeEngines(x.engines.All) })
	} else {
		closeEngines(x.engines.All)
	}
	_, _ = x.pooled.leave() // Destruct does not fail
}

// SessionRevoked tells whether a session is revoked, for a check of its token: by what
// is in memory, or by storage if that has not been read yet.
func (x *serverSessions) SessionRevoked(ctx context.Context, c session.Claims) (bool, error) {
	ended, known := x.memory.Ended(c)
	if !known {
		if _, err := x.Version(ctx); err != nil {
			return false, err
		}
		if ended, known = x.memory.Ended(c); !known {
			return false, session.ErrUnavailable
		}
	}
	if ended {
		return true, nil
	}
	return x.IsRevoked(ctx, c.ID, x.poll)
}

// Revoked is that of the store, by what storage has.
func (x *serverSessions) Revoked(ctx context.Context, c session.Claims) (bool, error) {
	if ended, err := x.EndedNow(ctx, c); ended || err != nil {
		return ended, err
	}
	return x.Store.Revoked(ctx, c.ID)
}

// Check is that of the store, with session.ErrEnded.
func (x *serverSessions) Check(ctx context.Context, c session.Claims, generation uint64, grace time.Duration) (current bool, err error) {
	return x.unlessEnded(ctx, c, func() (bool, error) { return x.Store.Check(ctx, c.ID, generation, grace) })
}

// Glance is that of the store, with session.ErrEnded.
func (x *serverSessions) Glance(ctx context.Context, c session.Claims, generation uint64, grace time.Duration) (current bool, err error) {
	return x.unlessEnded(ctx, c, func() (bool, error) { return x.Store.Glance(ctx, c.ID, generation, grace) })
}

func (x *serverSessions) unlessEnded(ctx context.Context, c session.Claims, look func() (bool, error)) (bool, error) {
	switch ended, err := x.EndedNow(ctx, c); {
	case err != nil:
		return false, err
	case ended:
		return false, session.ErrEnded
	}
	return look()
}

// enginesLinger is longer than a request of a config that has ended goes on: 10 seconds to
// read its form, the wait for a check of a password, and rotateLimit of the sessions.
const enginesLinger = time.Minute

// errStorage is the answer when storage failed: nothing is known then, and nothing is
// granted.
func errStorage(ctx context.Context, cause error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return oauth.Gone()
	}
	return oauth.StorageUnavailable(cause, storagecheck.Remedy(cause))
}
