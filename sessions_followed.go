package caddygrant

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/oneline"
	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/internal/storagecheck"
	"github.com/caddygrant/caddy-grant/sessions"
)

// start keeps up with what is in storage until ctx ends. Which sessions other nodes
// revoke matters only where tokens are checked; notices matter everywhere.
func (x *serverSessions) start(ctx context.Context, checked bool) {
	x.checked, x.served = checked, true
	x.memory.Serve(x.Store)
	go x.sweep(ctx)
	x.whole.Store(!x.ViewReadAt().IsZero())
	if checked {
		x.followed = true
		followView(x.server, x.ViewReadAt())
	}
	go x.followRevocations(ctx)
	for _, name := range x.EngineNames() {
		followEngine(x.server, name, x.inEngines[name].last.Load() == nil)
		go x.followEngine(ctx, name)
	}
}

// readRevocations reads the revocations in storage, so that a new process need not ask
// about each session. What takes too long is continued later, see followRevocations.
// Engines are not asked: `caddy validate` comes this far.
func (x *serverSessions) readRevocations(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, revocationsTimeout)
	defer cancel()
	err := x.PollStorage(ctx)
	if errors.Is(err, session.ErrReading) {
		err = nil
		x.logger.Info("revocations are still being read; until then, storage is asked about each session")
	}
	if err = cmp.Or(err, x.ReadNotices(ctx)); err != nil {
		x.logger.Error("reading revocations from storage; trying again at start", storagecheck.Failure(err)...)
	}
	x.unsure = !x.memory.Witnessed()
}

// followRevocations keeps up with the sessions that other nodes revoke in storage, and
// with what operators tell there, until ctx ends.
func (x *serverSessions) followRevocations(ctx context.Context) {
	ready := sync.OnceFunc(func() { close(x.ready) })
	defer ready()
	if _, read := x.memory.Notices(); read {
		ready()
	}
	for x.awaitPoll(ctx) {
		heard, err := x.read(ctx)
		ready()
		if ctx.Err() != nil {
			return
		}
		reading := errors.Is(err, session.ErrReading) // that has neither failed nor ended
		switch changed := !reading && x.stored.took(err); {
		case changed && err != nil:
			x.logger.Error("reading revocations; what other nodes revoke is not known here until that works again", storagecheck.Failure(err)...)
		case changed:
			x.logger.Info("revocations are read again")
		}
		x.observe(heard)
	}
}

// followEngine keeps up with an engine, until ctx ends. A storage or another engine that
// hangs does not hold that up.
func (x *serverSessions) followEngine(ctx context.Context, name string) {
	var woken <-chan struct{}
	if x.checked {
		woken = x.Woken(ctx, name)
	}
	for x.awaitNews(ctx, name, woken) {
		err := x.keepEpoch(ctx, name)
		if x.checked {
			polled := x.PollEngine(ctx, name)
			if errors.Is(polled, session.ErrReading) {
				polled = nil
			}
			err = cmp.Or(err, polled)
		}
		if ctx.Err() != nil {
			return
		}
		x.tookEngine(name, err)
		observeEngine(x.server, name, err == nil)
		x.observe(x.stored.last.Load() == nil)
	}
}

// tookEngine takes in how the last attempt to reach an engine ended.
func (x *serverSessions) tookEngine(name string, err error) {
	switch changed := x.inEngines[name].took(err); {
	case changed && err != nil:
		x.logger.Error("a session engine fails; until it works again, its sessions are unavailable, and this node does not learn what other nodes revoke there",
			zap.String("engine", name), zap.Error(err))
	case changed:
		x.logger.Info("a session engine answers again", zap.String("engine", name))
	}
}

// awaitNews waits until it is time to read an engine, or until the engine says that there is
// something to read; that it heeds a few times a second at most. It returns false when
// ctx ends.
func (x *serverSessions) awaitNews(ctx context.Context, name string, woken <-chan struct{}) bool {
	wait := x.pollIn(x.KnowsEpoch(name) && (!x.checked || !x.EngineReadAt(name).IsZero()))
	pause := min(wait, wakePause)
	if !sleep(ctx, pause) {
		return false
	}
	timer := time.NewTimer(wait - pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-woken:
	case <-timer.C:
	}
	return true
}

// observe tells how old the view is, once it is complete. heard tells whether notices
// were read too.
func (x *serverSessions) observe(heard bool) {
	at := x.ViewReadAt()
	if !x.checked || at.IsZero() {
		return
	}
	if !x.whole.Swap(true) {
		x.logger.Info("read the revocations", zap.Int("sessions", x.memory.ViewSize()))
	}
	if heard {
		observeView(x.server, at)
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

// read reads what other nodes have revoked in storage since the last time. heard tells
// whether notices were read. The error is a [session.ErrReading] where nothing failed, and
// not everything was read yet.
func (x *serverSessions) read(ctx context.Context) (heard bool, err error) {
	err = x.BeginNotices(ctx)
	unheard := x.ReadNotices(ctx)
	heard, err = unheard == nil, cmp.Or(err, unheard)
	if !x.checked {
		return heard, err
	}
	polled := x.PollStorage(ctx)
	if errors.Is(polled, session.ErrReading) {
		return heard, cmp.Or(err, polled)
	}
	return heard, cmp.Or(polled, err)
}

// checkEngines asks the engines once before the config starts, all at the same time. An
// engine that does not answer is asked again later; one that cannot keep what it promises
// refuses the config.
func (x *serverSessions) checkEngines(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, enginesPatience)
	defer cancel()
	names := x.EngineNames()
	unsuitable := make([]error, len(names))
	var asked sync.WaitGroup
	for i, name := range names {
		asked.Go(func() {
			err := x.keepEpoch(ctx, name)
			if errors.Is(err, sessions.ErrUnsuitable) {
				unsuitable[i] = err
			} else {
				x.tookEngine(name, err)
			}
		})
	}
	asked.Wait()
	return oneline.Join(unsuitable...)
}

// keepEpoch notices when an engine has lost what was in it.
func (x *serverSessions) keepEpoch(ctx context.Context, name string) error {
	epoch, err := x.KeepEpoch(ctx, name)
	if epoch != "" {
		x.logger.Error("a session engine has lost its sessions: all that began there before have ended",
			zap.String("engine", name), zap.String("epoch", epoch))
	}
	return err
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

// untilPoll is for the storage. Before the first reading, it is asked about each session.
func (x *serverSessions) untilPoll() time.Duration {
	_, heard := x.memory.Ended(session.Claims{})
	read := !x.checked || !x.memory.ViewReadAt().IsZero() || len(x.engines.All) > 0 && !x.engines.Storage
	return x.pollIn(heard && read)
}

// pollIn is short until there was a first answer.
func (x *serverSessions) pollIn(answered bool) time.Duration {
	if answered {
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
		more, err := x.SweepEngines(ctx)
		if err != nil && ctx.Err() == nil {
			x.logger.Error("removing old sessions from a session engine", zap.Error(err))
		}
		if more {
			wait = time.Minute
		}
		if swept.Objects > 0 {
			x.logger.Info("removed old sessions from storage", zap.Int("days", swept.Days), zap.Int("objects", swept.Objects))
		}
	}
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

const (
	// revocationsTimeout is how long the first reading of revocations may hold up a config.
	revocationsTimeout = 5 * time.Second

	// wakePause is between two readings at the least.
	wakePause = 200 * time.Millisecond

	// enginesPatience is how long engines that do not answer may hold up a config.
	enginesPatience = 2 * time.Second
)
