package fleet

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/caddygrant/caddy-grant/internal/session"
)

// logOut ends a session, at times while it is used elsewhere.
func (c *client) logOut(s *slot) {
	if c.IntN(2) == 0 {
		c.end(c.node(), s)
		return
	}
	other := &client{c.Fleet, c.random(c.Uint64())}
	was, at := s.name, c.node()
	var a answer
	var using sync.WaitGroup
	using.Go(func() { a = other.use(at, &was, was.generation, "refresh") })
	c.end(c.node(), s)
	using.Wait()
	switch {
	case s.ended && a.err == nil && a.begun > s.revoked:
		c.violate(&s.name, "a revoked session got a token")
	case !s.ended:
		c.took(s, a, false)
	}
}

// visitGrave uses a session whose revocation was acknowledged.
func (c *client) visitGrave() {
	g, found := c.dead.some(int(c.Uint32() >> 1))
	if !found {
		return
	}
	switch draw := c.IntN(10); {
	case draw < 5:
		c.access(g.name, g.revoked, true)
	case draw < 7:
		c.introspect(g.name, g.revoked, true)
	default:
		c.useGrave(g)
	}
}

// useGrave uses the newest token of a revoked session, the one before, or the one after,
// which an answer that was lost may have had.
func (c *client) useGrave(g grave) {
	generation := g.generation + uint32(c.IntN(2))
	if g.generation > 0 && c.IntN(3) == 0 {
		generation = g.generation - 1
	}
	switch a := c.use(c.node(), &g.name, generation, "revoked"); {
	case a.err == nil:
		c.violate(&g.name, "a revoked session got a token")
	case errors.Is(a.err, session.ErrOver) && !c.isOver(&g.name),
		!errors.Is(a.err, session.ErrOver) && !errors.Is(a.err, session.ErrRevoked) && !errors.Is(a.err, session.ErrUnavailable):
		c.violate(&g.name, "a revoked session was refused with %v", a.err)
	}
}

// access shows an access token to a node, which knows of a revocation once it has
// polled since, and before its first poll asks.
func (c *client) access(n name, revoked uint32, maybe bool) {
	at := c.node()
	p := at.running()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	polled, begun := p.polledFrom(), c.Fleet.before(time.Now())
	is, err := p.IsRevoked(ctx, c.id(&n), c.Poll)
	polls := polled > revoked || polled == 0 && p.polledFrom() == 0 && p.ViewReadAt().IsZero()
	c.judge(n, "access", is, err, maybe,
		revoked != 0 && polls && begun > revoked+uint32(c.Poll/time.Millisecond))
}

// introspect asks a node for the state of a session by what the engine has.
func (c *client) introspect(n name, revoked uint32, maybe bool) {
	p := c.node().running()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	begun := c.Fleet.before(time.Now())
	is, err := p.Revoked(ctx, c.id(&n))
	c.judge(n, "introspect", is, err, maybe, revoked != 0 && begun > revoked)
}

// judge compares what a node says of a session with what it may say.
func (c *client) judge(n name, op string, is bool, err error, maybe, must bool) {
	if err == nil && is {
		c.count(op, "revoked")
	} else {
		c.count(op, outcome(err))
	}
	c.trace(&n, "%s: revoked %v, %v", op, is, err)
	switch {
	case err != nil && !errors.Is(err, session.ErrUnavailable):
		c.violate(&n, "%s failed with %v", op, err)
	case err != nil:
	case is && !maybe && !c.isOver(&n):
		c.violate(&n, "%s: a live session counts as revoked", op)
	case !is && must:
		c.violate(&n, "%s: a revoked session counts as live", op)
	}
}

// check asks what would become of the newest token, without using it.
func (c *client) check(s *slot) {
	n := c.node()
	ctx, cancel := context.WithTimeout(n.running().ctx, patience)
	defer cancel()
	a := answer{node: n, begun: c.Fleet.before(time.Now())}
	_, a.err = n.running().Check(ctx, c.id(&s.name), uint64(s.generation), c.grace(&s.name))
	a.done = c.after(time.Now())
	c.count("check", outcome(a.err))
	switch {
	case errors.Is(a.err, session.ErrReused):
		if !s.next.lost || c.withinGrace(&s.name, s.next, a) {
			c.violate(&s.name, "a token that its client may still use would count as used")
		}
	case a.err == nil && s.next.done != 0 && !s.graceful():
		c.violate(&s.name, "a token that was used would work again")
	case a.err != nil:
		c.refused(s, a)
	}
}
