package fleet

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/caddygrant/caddy-grant/internal/session"
)

// client does one thing after the other, each with a session that is drawn.
type client struct {
	*Fleet
	*rand.Rand
}

// step is one thing that clients do.
func (c *client) step(ctx context.Context) {
	if c.Pause > 0 && !pause(ctx, drawn(c.Rand, c.Pause)) {
		return
	}
	draw := c.IntN(100)
	if draw < 10 {
		c.visitGrave()
		return
	}
	s := c.some()
	if !s.take() {
		return
	}
	defer s.give()
	if s.ended {
		c.begin(s)
		return
	}
	switch {
	case draw < 62:
		c.refresh(s)
	case draw < 65:
		c.replay(s)
	case draw < 70:
		c.race(s)
	case draw < 73:
		c.logOut(s)
	case draw < 78:
		c.check(s)
	case draw < 84:
		c.introspect(s.name, s.revoked, s.maybe)
	default:
		c.access(s.name, s.revoked, s.maybe)
	}
}

// some is a session. Most of what happens, happens to a few.
func (c *client) some() *slot {
	if n := len(c.slots); c.IntN(10) < 6 {
		return &c.slots[c.IntN(max(1, min(n/10, mostHot)))]
	}
	return &c.slots[c.IntN(len(c.slots))]
}

// mostHot is how many sessions more than every second request is about.
const mostHot = 1000

func (c *client) node() *node { return c.nodes[c.IntN(len(c.nodes))] }

func (c *client) grace(n *name) time.Duration {
	if n.graceful() {
		return c.Grace
	}
	return 0
}

// begin has another session take the place of one that ended.
func (c *client) begin(s *slot) {
	n := c.node()
	ctx, cancel := context.WithTimeout(n.running().ctx, patience)
	defer cancel()
	if err := c.logIn(ctx, n, s); err != nil {
		s.ended = true
		c.count("login", outcome(err))
		return
	}
	c.count("login", "done")
}

// answer is that of a node to the use of a refresh token.
type answer struct {
	node        *node
	got         uint64
	err         error
	begun, done uint32
	reached     bool // the client
}

// use sends a refresh token to a node, which does what a server does.
func (c *client) use(n *node, of *name, generation uint32, op string) answer {
	p := n.running()
	wait := patience
	if !c.calm.Load() && c.IntN(100) < 4 { // the client hangs up
		wait = drawn(c.Rand, 20*time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(p.ctx, wait)
	defer cancel()
	id, grace := c.id(of), c.grace(of)
	a := answer{node: n, begun: c.Fleet.before(time.Now())}
	var current bool
	if current, a.err = p.Glance(ctx, id, uint64(generation), grace); a.err == nil {
		a.got, a.err = p.Rotate(ctx, id, uint64(generation), grace, current)
	}
	a.done, a.reached = c.after(time.Now()), p.ctx.Err() == nil
	c.count(op, outcome(a.err))
	c.trace(of, "%d-%d ms: %s of generation %d at node %d: %d, %v, reached %v", a.begun, a.done, op, generation, n.index, a.got, a.err, a.reached)
	return a
}

// end revokes a session, as a server does that sees a token used again, and as a client
// does that logs out.
func (c *client) end(n *node, s *slot) {
	ctx, cancel := context.WithTimeout(n.running().ctx, patience)
	defer cancel()
	s.maybe = true
	err := n.running().Revoke(ctx, c.id(&s.name))
	done := c.after(time.Now())
	c.count("revoke", outcome(err))
	c.trace(&s.name, "until %d ms: revoking at node %d: %v", done, n.index, err)
	switch {
	case err == nil:
		s.revoked, s.ended = done, true
		c.dead.bury(s)
	case !errors.Is(err, session.ErrUnavailable):
		c.violate(&s.name, "a revocation failed with %v", err)
	}
}

// outcome is how an error is counted.
func outcome(err error) string {
	switch {
	case err == nil:
		return "done"
	case errors.Is(err, session.ErrUnavailable):
		return "unavailable"
	}
	return err.Error()
}

// patience is longer than any answer takes.
const patience = 15 * time.Second
