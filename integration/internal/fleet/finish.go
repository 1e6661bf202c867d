package fleet

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddygrant/caddy-grant/internal/session"
)

// finish looks at sessions when all troubles have ended: at those that were used, at some
// that were not, and at those that were revoked.
func (f *Fleet) finish(ctx context.Context) error {
	for _, n := range f.nodes {
		n.mu.Lock()
		n.trouble = Trouble{}
		n.process.way.Suffer(Trouble{})
		n.mu.Unlock()
	}
	if err := f.ready(ctx, time.Now()); err != nil {
		return err
	}
	var due []*slot
	unused := 0
	for i := range f.slots {
		s := &f.slots[i]
		used := s.made.begun != 0 || s.next.begun != 0 || s.maybe
		if s.ended || used && len(due)-unused >= f.Looks || !used && unused >= 1+f.Looks/20 {
			continue
		}
		if !used {
			unused++
		}
		due = append(due, s)
	}
	graves := min(f.Looks, f.dead.size()) / f.Clients
	var place atomic.Int64
	var looking sync.WaitGroup
	for i := range f.Clients {
		looking.Go(func() {
			c := &client{Fleet: f, Rand: f.random(uint64(i) + 1<<20)}
			for n := int(place.Add(1)) - 1; n < len(due) && ctx.Err() == nil && !f.broken(); n = int(place.Add(1)) - 1 {
				c.lookAt(due[n])
			}
			for range graves {
				if g, found := f.dead.some(int(c.Uint32() >> 1)); found && ctx.Err() == nil {
					c.access(g.name, g.revoked, true)
					c.useGrave(g)
				}
			}
		})
	}
	looking.Wait()
	return ctx.Err()
}

// lookAt uses a session, which has to be available.
func (c *client) lookAt(s *slot) {
	for range tries {
		a := c.use(c.node(), &s.name, s.generation, "finish")
		c.took(s, a, false)
		if !errors.Is(a.err, session.ErrUnavailable) {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	c.violate(&s.name, "it is unavailable although all troubles have ended")
}

const tries = 10
