package sessionstest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

// engineMutations are wrong about the engine as a whole: its epoch, what is over, failures.
var engineMutations = map[string]mutated{
	"a node makes a new epoch where one is missing": {"an engine that has lost everything does not pass for a new one", mutation{
		epoch: func(n *Node, ctx context.Context) (string, error) { return n.memory.Open(n.server).Epoch(ctx) },
	}},
	"without an epoch there is another one": {"an engine that has lost everything does not pass for a new one", mutation{
		load: func(n *Node, ctx context.Context, id sessions.ID) (sessions.State, error) {
			st, err := n.Load(ctx, id)
			if errors.Is(err, errNoEpoch) {
				err = sessions.ErrOtherEpoch
			}
			return st, err
		},
	}},
	"a node keeps the epoch that it has seen": {"an engine that has lost everything does not pass for a new one", mutation{
		epoch: func() func(n *Node, ctx context.Context) (string, error) {
			var seen sync.Map
			return func(n *Node, ctx context.Context) (string, error) {
				if epoch, ok := seen.Load(n); ok {
					return epoch.(string), nil
				}
				epoch, err := n.Epoch(ctx)
				if err == nil {
					seen.Store(n, epoch)
				}
				return epoch, err
			}
		}(),
	}},
	"a part has no epoch": {"an engine that has lost a part takes no session back", mutation{
		hooks: func(m *Memory, e *Engines) {
			e.EmptyPart = func(t *testing.T) {
				m.FlushPart()
				for _, k := range m.servers {
					k.part = false
				}
			}
		},
	}},
	"a node that comes later fills the part that is empty": {"an engine that has lost a part takes no session back", mutation{
		epoch: func(n *Node, ctx context.Context) (string, error) {
			n.memory.mu.Lock()
			n.memory.of(n.server).part = n.used && n.memory.of(n.server).part
			n.memory.mu.Unlock()
			return n.Epoch(ctx)
		},
	}},
	"each node makes its own epoch": {"nodes agree on the epoch", mutation{
		epoch: func(n *Node, ctx context.Context) (epoch string, err error) {
			n.kept(func(k *kept) { epoch = k.epoch })
			if epoch == "" {
				time.Sleep(100 * time.Microsecond)
				epoch = sessions.NewEpoch()
				n.kept(func(k *kept) { k.epoch = epoch })
			}
			return epoch, nil
		},
	}},
	"any epoch is right": {"a session of another epoch is refused", mutation{
		load: func(n *Node, ctx context.Context, id sessions.ID) (sessions.State, error) {
			n.kept(func(k *kept) { id.Epoch = k.epoch })
			return n.Load(ctx, id)
		},
	}},
	"a revocation needs no epoch": {"a session of another epoch is refused", mutation{
		revoke: func(n *Node, ctx context.Context, id sessions.ID) error {
			n.kept(func(k *kept) { id.Epoch = k.epoch })
			return n.Revoke(ctx, id)
		},
	}},
	"all servers are one": {"servers have nothing in common", mutation{
		hooks: func(m *Memory, e *Engines) {
			e.Open = func(*testing.T, string) sessions.Engine { return m.Open("") }
		},
	}},
	"the feed of all servers is one": {"servers have nothing in common", mutation{
		revoke: func(n *Node, ctx context.Context, id sessions.ID) error {
			err := n.Revoke(ctx, id)
			n.memory.mu.Lock()
			defer n.memory.mu.Unlock()
			for server, k := range n.memory.servers {
				if server != n.server && err == nil {
					k.bury(id, false)
				}
			}
			return err
		},
	}},
	"an engine that is down has no record": {"an engine that cannot be reached says that nothing is known", mutation{
		load: func(n *Node, ctx context.Context, id sessions.ID) (sessions.State, error) {
			st, err := n.Load(ctx, id)
			if errors.Is(err, errStopped) {
				err = nil
			}
			return st, err
		},
	}},
	"an engine that is down is not suitable": {"an engine that cannot be reached says that nothing is known", mutation{
		epoch: func(n *Node, ctx context.Context) (string, error) {
			epoch, err := n.Epoch(ctx)
			if errors.Is(err, errStopped) {
				err = errors.Join(sessions.ErrUnsuitable, err)
			}
			return epoch, err
		},
	}},
	"an error has the password": {"an engine that cannot be reached says that nothing is known", mutation{
		load: func(n *Node, ctx context.Context, id sessions.ID) (sessions.State, error) {
			st, err := n.Load(ctx, id)
			if err != nil {
				err = errors.New("dialing redis://user:correct horse@10.0.0.5:6379")
			}
			return st, err
		},
	}},
	"a restart loses what was not written yet": {"what was acknowledged survives a restart", mutation{
		hooks: func(m *Memory, e *Engines) {
			var earlier Snapshot
			e.Restart = func(*testing.T) {
				if earlier.servers != nil {
					m.FailOver(earlier)
				}
				earlier = m.Snapshot()
			}
		},
	}},
	"a restart makes a new epoch": {"what was acknowledged survives a restart", mutation{
		hooks: func(m *Memory, e *Engines) {
			e.Restart = func(*testing.T) {
				m.mu.Lock()
				defer m.mu.Unlock()
				for _, k := range m.servers {
					k.epoch = sessions.NewEpoch()
				}
			}
		},
	}},
	"a session is never over": {"a session that ended over a week ago is over", mutation{
		load: func(n *Node, ctx context.Context, id sessions.ID) (sessions.State, error) {
			st, err := n.Load(ctx, id)
			st.Over = false
			return st, err
		},
	}},
	"a session is over on its last day": {"a session that ended over a week ago is over", mutation{
		load: func(n *Node, ctx context.Context, id sessions.ID) (sessions.State, error) {
			if id.Over().Add(-sessions.KeepOver - 24*time.Hour).Before(time.Now()) {
				return sessions.State{Over: true}, nil
			}
			return n.Load(ctx, id)
		},
	}},
	"a revocation of what is over is an error": {"a session that ended over a week ago is over", mutation{
		revoke: func(n *Node, ctx context.Context, id sessions.ID) error {
			if st, _ := n.Load(ctx, id); st.Over {
				return errors.New("over")
			}
			return n.Revoke(ctx, id)
		},
	}},
	"a sweep removes records that are in use": {"a sweep removes nothing of a session that is not over", mutation{
		sweep: func(n *Node, _ context.Context) (bool, error) {
			n.kept(func(k *kept) { clear(k.days) })
			return false, nil
		},
	}},
	"a sweep removes entries of the feed that are in use": {"a sweep removes nothing of a session that is not over", mutation{
		sweep: func(n *Node, _ context.Context) (bool, error) {
			n.kept(func(k *kept) { k.feed = nil })
			return false, nil
		},
	}},
	"a sweep leaves the feed": {"a sweep removes what is over", mutation{
		sweep: func(n *Node, _ context.Context) (bool, error) {
			n.kept(func(k *kept) {
				feed := slices.Clone(k.feed)
				k.sweep(time.Now())
				k.feed = feed
			})
			return false, nil
		},
	}},
	"a sweep has always more": {"a sweep removes nothing of a session that is not over", mutation{
		sweep: func(n *Node, ctx context.Context) (bool, error) { return true, nil },
	}},
	"contexts are ignored": {"nothing begins after the context has ended", mutation{
		swap: func(n *Node, ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
			return n.Swap(context.WithoutCancel(ctx), id, next, answer)
		},
	}},
	"a call begins although the context has ended": {"nothing begins after the context has ended", mutation{
		revoke: func(n *Node, ctx context.Context, id sessions.ID) error {
			if err := n.Revoke(context.WithoutCancel(ctx), id); err != nil {
				return err
			}
			return ctx.Err()
		},
	}},
	"Close ends nothing": {"calls fail after Close", mutation{
		close: func(*Node) error { return nil },
	}},
	"Close closes all nodes": {"calls fail after Close", mutation{
		close: func(n *Node) error {
			n.memory.Stop()
			return n.Close()
		},
	}},
	"a call hangs after Close": {"Close ends calls that are under way", mutation{
		close: func(n *Node) error {
			n.Meet(func(Call) Fault { return Hangs })
			return nil
		},
	}},
}
