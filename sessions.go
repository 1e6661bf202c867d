package caddygrant

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
	"github.com/caddygrant/caddy-grant/internal/allowance"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/internal/storagecheck"
)

// serverSessions is the sessions of a server in Caddy's storage, and what this process
// knows of them.
type serverSessions struct {
	*session.Store
	memory *session.Memory
	pooled share[pooledMemory]

	sessionsOptions
	logger *zap.Logger

	ready    chan struct{}          // closed once it was tried to read the notices
	failure  atomic.Pointer[string] // of the last attempt to read what other nodes revoke; nil: it succeeded
	checked  bool                   // whether tokens are checked here, as of start
	followed bool                   // whether its view has a metric
	unsure   bool                   // whether they were read before the storage was known to answer
}

// sessionsOptions are what a server's sessions depend on.
type sessionsOptions struct {
	server   string
	storage  certmagic.Storage
	place    storagePlace
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
	return &serverSessions{
		Store: session.NewStore(o.storage, o.place.prefix, memory, func() time.Time { return clock.Now() }).
			WithWitness(o.witness),
		memory:          memory,
		pooled:          pooled,
		sessionsOptions: o,
		logger:          logger,
		ready:           make(chan struct{}),
	}
}

// start keeps up with what is in storage until ctx ends. Which sessions other nodes
// revoke matters only where tokens are checked; notices matter everywhere.
func (x *serverSessions) start(ctx context.Context, checked bool) {
	x.checked = checked
	x.memory.Serve(x.Store)
	go x.sweep(ctx)
	if checked {
		x.followed = true
		followView(x.server, x.memory.ViewReadAt())
	}
	go x.followRevocations(ctx)
}

// readRevocations reads the revocations in storage, so that a new process need not ask
// about each session. What takes too long is continued later, see followRevocations.
func (x *serverSessions) readRevocations(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, revocationsTimeout)
	defer cancel()
	err := x.Poll(ctx)
	if errors.Is(err, session.ErrReading) {
		err = nil
		x.logger.Info("revocations are still being read; until then, storage is asked about each session")
	}
	if err = cmp.Or(err, x.ReadNotices(ctx)); err != nil {
		x.logger.Error("reading revocations from storage; trying again at start", storagecheck.Failure(err)...)
	}
	x.unsure = !x.memory.Witnessed()
}

// followRevocations keeps up with the sessions that other nodes revoke, until ctx ends.
func (x *serverSessions) followRevocations(ctx context.Context) {
	failing, reading := false, x.memory.ViewReadAt().IsZero()
	ready := sync.OnceFunc(func() { close(x.ready) })
	defer ready()
	if _, read := x.memory.Notices(); read {
		ready()
	}
	for x.awaitPoll(ctx) {
		heard, err := x.read(ctx, x.checked)
		ready()
		if ctx.Err() != nil {
			return
		}
		switch {
		case err != nil && !failing:
			x.logger.Error("reading revocations from storage; what other nodes revoke is not known here until that works again", storagecheck.Failure(err)...)
		case err == nil && failing:
			x.logger.Info("revocations are read from storage again")
		}
		if failing = err != nil; failing {
			text := err.Error()
			x.failure.Store(&text)
		} else {
			x.failure.Store(nil)
		}
		if !x.checked {
			continue
		}
		if reading && !x.memory.ViewReadAt().IsZero() {
			reading = false
			x.logger.Info("read the revocations in storage", zap.Int("sessions", x.memory.ViewSize()))
		}
		if heard {
			observeView(x.server, x.memory.ViewReadAt())
		}
	}
}

// await waits for the first attempt to read the notices, which at a first start comes
// after that to make the keys: without the notices, storage is asked for them.
func (x *serverSessions) await(ctx context.Context) {
	select {
	case <-x.ready:
	case <-ctx.Done():
	}
}

// read reads what other nodes have revoked since the last time. heard tells whether
// notices were read.
func (x *serverSessions) read(ctx context.Context, checked bool) (heard bool, err error) {
	err = x.BeginNotices(ctx)
	unheard := x.ReadNotices(ctx)
	heard, err = unheard == nil, cmp.Or(err, unheard)
	if !checked {
		return heard, err
	}
	polled := x.Poll(ctx)
	if errors.Is(polled, session.ErrReading) {
		polled = nil
	}
	return heard, cmp.Or(polled, err)
}

// Rotate is that of the store, within the bounds.
func (x *serverSessions) Rotate(ctx context.Context, of allowance.Owner, c session.Claims, generation uint64, grace time.Duration, current bool) (uint64, error) {
	return x.Within(x.bounds.FirstRefreshBy(of)).Of(c).Rotate(ctx, c.ID, generation, grace, current)
}

// Revoke is that of the store, within the bounds.
func (x *serverSessions) Revoke(ctx context.Context, of allowance.Owner, id session.ID) error {
	err := x.revocable(of).Revoke(ctx, id)
	if _, refused := allowance.Refused(err); refused {
		if revoked, _ := x.memory.InView(id); revoked { // it is waiting to be written, or was written meanwhile
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

// awaitPoll waits until it is time to read, or returns false when ctx ends. What was
// read as empty before the server's secret existed is read again once it does.
func (x *serverSessions) awaitPoll(ctx context.Context) bool {
	if !x.unsure {
		return sleep(ctx, x.untilPoll())
	}
	x.unsure = false
	select {
	case <-ctx.Done():
		return false
	case <-x.keysRead:
		return true
	}
}

// untilPoll is short before the first reading, without which storage is asked about
// each session.
func (x *serverSessions) untilPoll() time.Duration {
	_, heard := x.memory.Ended(session.Claims{})
	if heard && (!x.checked || !x.memory.ViewReadAt().IsZero()) {
		return x.poll
	}
	return min(x.poll, time.Second)
}

// sweep removes what is left of ended sessions, about every hour and a half, until ctx
// ends. The times are random, so that nodes do not sweep together.
func (x *serverSessions) sweep(ctx context.Context) {
	warned := false
	wait := rand.N(time.Hour)
	for sleep(ctx, wait) {
		wait = time.Hour + rand.N(time.Hour)
		swept, err := x.Sweep(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			x.logger.Error("removing old sessions from storage", storagecheck.Failure(err)...)
		case swept.AllPast && !warned:
			warned = true
			x.logger.Warn("all sessions in storage ended more than a week ago by this clock; none was removed: either the clock is wrong, or no token has been refreshed for a long time")
		case swept.More:
			wait = time.Minute
		}
		if swept.Objects > 0 {
			x.logger.Info("removed old sessions from storage", zap.Int("days", swept.Days), zap.Int("objects", swept.Objects))
		}
	}
}

// knowledge is what the server knows of the revoked sessions.
func (x *serverSessions) knowledge() adminapi.Knowledge {
	known := adminapi.Knowledge{Revoked: x.memory.ViewSize()}
	if at := x.memory.ViewReadAt(); !at.IsZero() {
		known.ReadAt = &at
	}
	if failure := x.failure.Load(); failure != nil {
		known.Error = *failure
	}
	return known
}

// release gives back the reference to the memory.
func (x *serverSessions) release() {
	if x.followed {
		x.followed = false
		unfollowView(x.server)
	}
	x.memory.Leave(x.Store)
	_, _ = x.pooled.leave() // Destruct does not fail
}

// sleep waits, or returns false when ctx ends.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
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

// revocationsTimeout is how long the first reading of revocations may hold up a config.
const revocationsTimeout = 5 * time.Second

// errStorage is the answer when storage failed: nothing is known then, and nothing is
// granted.
func errStorage(ctx context.Context, cause error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return oauth.Gone()
	}
	return oauth.StorageUnavailable(cause, storagecheck.Remedy(cause))
}
