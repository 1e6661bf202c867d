package caddygrant

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/session"
)

// serverSessions is the sessions of a server in Caddy's storage, and what this process
// knows of them.
type serverSessions struct {
	*session.Store
	memory  *session.Memory
	bounds  *storageBounds
	poolKey string // empty until taken

	followed bool            // whether it keeps up with revocations
	unsure   bool            // whether they were read before the storage was known to answer
	keysRead <-chan struct{} // closed when it does, or does not

	logger *zap.Logger
	server string
	poll   time.Duration
}

// pooledMemory is a memory as a value of the pool.
type pooledMemory struct{ *session.Memory }

// Destruct ends the writing of what waits.
func (m pooledMemory) Destruct() error {
	m.Close()
	return nil
}

// newServerSessions joins what this process knows of the server's sessions.
func newServerSessions(ctx caddy.Context, s *Server) (*serverSessions, error) {
	storage := ctx.Storage()
	prefix := storagePrefix(s.Name, s.Issuer)
	poolKey := "sessions|" + prefix + "|" + storageIdentity(storage)
	pooled, _, err := processState.LoadOrNew(poolKey, func() (caddy.Destructor, error) {
		return pooledMemory{session.NewMemory()}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("joining the memory of sessions: %w", err)
	}
	memory := pooled.(pooledMemory).Memory
	return &serverSessions{
		Store: session.NewStore(storage, prefix, memory, func() time.Time { return clock.Now() }).
			WithWitness(s.keys.store.SecretName()),
		memory:   memory,
		bounds:   s.throttle.bounds,
		keysRead: s.keys.attempted,
		poolKey:  poolKey,
		logger:   s.logger,
		server:   s.Name,
		poll:     time.Duration(s.RevocationPoll),
	}, nil
}

// readRevocations takes over what storage has, so that a new process need not ask for one
// session after the other. What does not go quickly goes on later, see followRevocations.
func (x *serverSessions) readRevocations(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	switch err := x.Poll(ctx); {
	case errors.Is(err, session.ErrReading):
		x.logger.Info("revocations are still being read; until that is done, storage is asked for each session")
	case err != nil:
		x.logger.Error("reading revocations from storage; trying again at start", storageFailure(err)...)
	}
	x.unsure = !x.memory.Witnessed()
}

// followRevocations learns of sessions that other nodes revoke, until ctx ends.
func (x *serverSessions) followRevocations(ctx context.Context) {
	failing, reading := false, x.memory.ViewReadAt().IsZero()
	for x.awaitPoll(ctx) {
		err := x.Poll(ctx)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, session.ErrReading) {
			err = nil
		}
		switch {
		case err != nil && !failing:
			x.logger.Error("reading revocations from storage; what other nodes revoke is not known here until that works again", storageFailure(err)...)
		case err == nil && failing:
			x.logger.Info("revocations are read from storage again")
		}
		failing = err != nil
		if reading && !x.memory.ViewReadAt().IsZero() {
			reading = false
			x.logger.Info("read the revocations in storage", zap.Int("sessions", x.memory.ViewSize()))
		}
		observeView(x.server, x.memory.ViewReadAt())
	}
}

// SessionRevoked tells whether a session is revoked, for a check of its token: by what is in memory, or by
// storage where that has not been read yet.
func (x *serverSessions) SessionRevoked(ctx context.Context, id session.ID) (bool, error) {
	return x.IsRevoked(ctx, id, x.poll)
}

// awaitPoll waits until it is time to read, or returns false when ctx ends. What was read as empty before
// the server's secret was there is read again when it is.
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

// untilPoll is not long before the first reading, without which storage is asked for each
// session.
func (x *serverSessions) untilPoll() time.Duration {
	if x.memory.ViewReadAt().IsZero() {
		return min(x.poll, time.Second)
	}
	return x.poll
}

// sweep removes what is left of sessions that ended, about every hour and a half, until
// ctx ends. Nodes start and sweep at times of their own.
func (x *serverSessions) sweep(ctx context.Context) {
	warned := false
	wait := jitter(time.Hour)
	for sleep(ctx, wait) {
		wait = time.Hour + jitter(time.Hour)
		swept, err := x.Sweep(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			x.logger.Error("removing old sessions from storage", storageFailure(err)...)
		case swept.AllPast && !warned:
			warned = true
			x.logger.Warn("all sessions in storage ended more than a week ago by this clock; none was removed, since either the clock is wrong or nobody has refreshed a token for long")
		case swept.More:
			wait = time.Minute
		}
		if swept.Objects > 0 {
			x.logger.Info("removed old sessions from storage", zap.Int("days", swept.Days), zap.Int("objects", swept.Objects))
		}
	}
}

// release gives back the reference to the memory.
func (x *serverSessions) release() {
	if x.followed {
		x.followed = false
		unfollowView(x.server)
	}
	x.memory.Leave(x.Store)
	if x.poolKey == "" {
		return
	}
	if _, err := processState.Delete(x.poolKey); err != nil {
		x.logger.Error("releasing the memory of sessions", zap.Error(err))
	}
	x.poolKey = ""
}

// errStorage answers where storage failed: nothing is known then, and nothing granted.
func errStorage(ctx context.Context, cause error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return oauth.Gone()
	}
	return oauth.StorageUnavailable(cause, storageRemedy(cause))
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

// jitter is a random part of d.
func jitter(d time.Duration) time.Duration {
	return time.Duration(rand.Int64N(int64(d)))
}
