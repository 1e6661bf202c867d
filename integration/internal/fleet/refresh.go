package fleet

import (
	"errors"
	"sync"
	"time"

	"github.com/caddygrant/caddy-grant/internal/session"
)

// refresh uses the newest token.
func (c *client) refresh(s *slot) {
	a := c.use(c.node(), &s.name, s.generation, "refresh")
	c.took(s, a, !c.calm.Load() && c.IntN(100) < 4)
}

// took is what becomes of a session by the answer to its newest token, which may get
// lost on its way.
func (c *client) took(s *slot, a answer, lost bool) {
	if s.next.begun == 0 {
		s.next.begun = a.begun
	}
	switch {
	case a.err == nil:
		c.mayWork(s, a, s.next, s.generation+1)
		if s.next.done == 0 {
			s.next.done = a.done
		}
		if lost || !a.reached {
			s.next.lost = true
			return
		}
		s.generation++
		s.made, s.next = s.next, exchange{}
	case errors.Is(a.err, session.ErrUnavailable):
		s.next.lost, s.next.known = true, true
	case errors.Is(a.err, session.ErrReused):
		if !s.next.lost || c.withinGrace(&s.name, s.next, a) {
			c.violate(&s.name, "a token that its client may still use counts as used")
		}
		c.end(a.node, s)
	default:
		c.refused(s, a)
	}
}

// mayWork checks an answer to a token that was to make a generation, or made it.
func (c *client) mayWork(s *slot, a answer, e exchange, made uint32) {
	switch {
	case s.revoked != 0 && a.begun > s.revoked:
		c.violate(&s.name, "a revoked session got a token")
	case a.got != uint64(made):
		c.violate(&s.name, "a token of generation %d gave one of %d", made-1, a.got)
	case e.done == 0: // it had not worked yet
	case !s.graceful():
		c.violate(&s.name, "a token worked twice without a grace")
	case a.begun > e.done+c.graceAtMost() && !e.known:
		c.violate(&s.name, "a token worked again after the grace")
	}
}

// refused is what else can be the answer to a token.
func (c *client) refused(s *slot, a answer) {
	switch {
	case errors.Is(a.err, session.ErrRevoked):
		if !s.maybe {
			c.violate(&s.name, "a live session is revoked")
		}
		c.end(a.node, s) // the feed may lack it
	case errors.Is(a.err, session.ErrOver):
		if !c.isOver(&s.name) {
			c.violate(&s.name, "a live session is over")
		}
		s.ended = true
	case !errors.Is(a.err, session.ErrUnavailable):
		c.violate(&s.name, "a token was refused with %v", a.err)
		s.ended = true
	}
}

// withinGrace tells that a token has to work again: whatever its first use did, it did
// so after it began.
func (c *client) withinGrace(n *name, e exchange, a answer) bool {
	return n.graceful() && a.done-e.begun <= c.graceAtLeast()
}

// replay uses a token that was exchanged before, most often the last such.
func (c *client) replay(s *slot) {
	if s.generation == 0 {
		c.refresh(s)
		return
	}
	generation := s.generation - 1
	if c.IntN(10) < 3 {
		generation = uint32(c.IntN(int(s.generation)))
	}
	last := generation == s.generation-1
	a := c.use(c.node(), &s.name, generation, "replay")
	switch {
	case a.err == nil && !last:
		c.violate(&s.name, "generation %d worked again", generation)
	case a.err == nil:
		c.mayWork(s, a, s.made, s.generation)
	case errors.Is(a.err, session.ErrReused):
		if last && s.next.begun == 0 && c.withinGrace(&s.name, s.made, a) {
			c.violate(&s.name, "a token was refused within the grace")
		}
		c.end(a.node, s)
	default:
		c.refused(s, a)
	}
}

// race uses the newest token at several nodes at once.
func (c *client) race(s *slot) {
	all := make([]answer, 2+c.IntN(3))
	var racing sync.WaitGroup
	for i := range all {
		each := &client{c.Fleet, c.random(c.Uint64())}
		n := c.node()
		racing.Go(func() { all[i] = each.use(n, &s.name, s.generation, "race") })
	}
	racing.Wait()
	if s.next.begun == 0 {
		s.next.begun = all[0].begun
		for _, a := range all {
			s.next.begun = min(s.next.begun, a.begun)
		}
	}
	worked, reached, missing, before := 0, false, false, s.next
	for _, a := range all {
		switch {
		case a.err == nil:
			c.mayWork(s, a, before, s.generation+1)
			if worked++; s.next.done == 0 || a.done < s.next.done {
				s.next.done = a.done
			}
			reached = reached || a.reached
			s.next.lost = s.next.lost || !a.reached
		case errors.Is(a.err, session.ErrUnavailable):
			s.next.lost, s.next.known, missing = true, true, true
		}
	}
	if worked > 1 && !s.graceful() {
		c.violate(&s.name, "a token worked %d times at once", worked)
	}
	if reached {
		defer func() {
			if !s.ended {
				s.generation++
				s.made, s.next = s.next, exchange{}
			}
		}()
	}
	for _, a := range all {
		switch {
		case s.ended || a.err == nil || errors.Is(a.err, session.ErrUnavailable):
		case errors.Is(a.err, session.ErrReused):
			if c.withinGrace(&s.name, s.next, a) || worked == 0 && !missing && !before.lost {
				c.violate(&s.name, "of %d uses at once %d worked, and one was refused", len(all), worked)
			}
			c.end(a.node, s)
		default:
			c.refused(s, a)
		}
	}
}

// graceAtLeast and graceAtMost are for how long a token works again for certain, and for
// how long it may, in milliseconds, by clocks that may differ.
func (c *client) graceAtLeast() uint32 { return uint32(max(0, c.Grace-c.vague()) / time.Millisecond) }
func (c *client) graceAtMost() uint32  { return uint32((c.Grace + c.vague()) / time.Millisecond) }

func (c *client) vague() time.Duration {
	if c.ByOwnTime {
		return 2*c.Offset + vagueness
	}
	return vagueness
}

// vagueness is more than all that is rounded.
const vagueness = 20 * time.Millisecond
