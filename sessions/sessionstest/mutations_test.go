package sessionstest

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

// mutations are engines that break one promise, each with the test that notices.
var mutations = map[string]struct {
	noticed string
	mutation
}{
	"a swap ignores that the session was revoked": {"a revoked session has no swap that wins", mutation{
		swap: func(n *Node, ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
			st, err := n.Swap(ctx, id, next, answer)
			if st.Revoked {
				st = at(next, answer)
			}
			return st, err
		},
	}},
	"a swap overwrites a revocation that came in between": {"no swap wins after Revoke has returned", mutation{
		swap: func(n *Node, ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
			st, err := n.Load(ctx, id)
			if err != nil || st.Revoked || st.Generation != next-1 {
				return st, err
			}
			time.Sleep(100 * time.Microsecond)
			n.memory.Plant(n.server, id, at(next, answer))
			return at(next, answer), nil
		},
	}},
	"a swap looks, and then writes": {"of parallel swaps one wins", mutation{
		swap: func(n *Node, ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
			st, err := n.Load(ctx, id)
			if err != nil || st.Revoked || st.Generation != next-1 {
				return st, err
			}
			time.Sleep(100 * time.Microsecond)
			n.memory.Plant(n.server, id, at(next, answer))
			return at(next, answer), nil
		},
	}},
	"a swap takes any later generation": {"a swap needs the generation before its own", mutation{
		swap: func(n *Node, ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
			st, err := n.Swap(ctx, id, next, answer)
			if err == nil && !st.Revoked && next > st.Generation {
				n.memory.Plant(n.server, id, at(next, answer))
				st = at(next, answer)
			}
			return st, err
		},
	}},
	"a swap takes a generation back": {"a swap needs the generation before its own", mutation{
		swap: func(n *Node, ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
			st, err := n.Swap(ctx, id, next, answer)
			if err == nil && !st.Revoked && next < st.Generation {
				n.memory.Plant(n.server, id, at(next, answer))
				st = at(next, answer)
			}
			return st, err
		},
	}},
	"the last swap wins": {"a swap that lost returns what won", mutation{
		swap: func(n *Node, ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
			st, err := n.Swap(ctx, id, next, answer)
			if err == nil && !st.Revoked && next == st.Generation {
				n.memory.Plant(n.server, id, at(next, answer))
				st = at(next, answer)
			}
			return st, err
		},
	}},
	"a swap that lost returns nothing": {"a swap that lost returns what won", mutation{
		swap: func(n *Node, ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
			st, err := n.Swap(ctx, id, next, answer)
			if err == nil && !st.Revoked && st.Answer != answer {
				st = at(0, "")
			}
			return st, err
		},
	}},
	"a repetition is an error": {"a swap with the same answer changes nothing", mutation{
		swap: func(n *Node, ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
			if st, _ := n.Load(ctx, id); won(st, next, answer) {
				return sessions.State{}, errors.New("duplicate key")
			}
			return n.Swap(ctx, id, next, answer)
		},
	}},
	"an answer alone makes a repetition": {"swaps make one generation after the other, at any node", mutation{
		swap: func(n *Node, ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
			if st, err := n.Load(ctx, id); st.Answer == answer {
				return st, err
			}
			return n.Swap(ctx, id, next, answer)
		},
	}},
	"a repetition resets the age": {"the age is how long ago the exchange was", mutation{
		swap: func(n *Node, ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
			st, err := n.Swap(ctx, id, next, answer)
			if won(st, next, answer) {
				n.memory.Plant(n.server, id, at(next, answer))
				st.Age = 0
			}
			return st, err
		},
	}},
	"an age in milliseconds passes for one in nanoseconds": {"the age is how long ago the exchange was", mutation{
		load: func(n *Node, ctx context.Context, id sessions.ID) (sessions.State, error) {
			st, err := n.Load(ctx, id)
			st.Age /= 1_000_000
			return st, err
		},
	}},
	"a revocation needs a record": {"a revoked session has no swap that wins", mutation{
		revoke: func(n *Node, ctx context.Context, id sessions.ID) error {
			if st, err := n.Load(ctx, id); err != nil || st.Generation == 0 && !st.Revoked {
				return err
			}
			return n.Revoke(ctx, id)
		},
	}},
	"a second revocation is an error": {"a revoked session has no swap that wins", mutation{
		revoke: func(n *Node, ctx context.Context, id sessions.ID) error {
			if st, _ := n.Load(ctx, id); st.Revoked {
				return errors.New("duplicate key")
			}
			return n.Revoke(ctx, id)
		},
	}},
	"a repetition does not complete a revocation": {"keeps its promises in any order of operations", mutation{
		revoke: func(n *Node, ctx context.Context, id sessions.ID) error {
			var revoked bool
			n.kept(func(k *kept) { revoked = k.get(id).revoked })
			if revoked {
				return nil
			}
			return n.Revoke(ctx, id)
		},
	}},
	"a late swap asks for nothing": {"keeps its promises in any order of operations", mutation{
		swap: func(n *Node, ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
			st, err := n.Swap(ctx, id, next, answer)
			if errors.Is(err, ErrInjected) {
				n.memory.mu.Lock()
				n.memory.late = append(n.memory.late, func() {
					n.memory.of(n.server).put(id, record{generation: next, answer: answer, made: time.Now()})
				})
				n.memory.mu.Unlock()
			}
			return st, err
		},
	}},
	"sessions go by their random bits": {"sessions have nothing in common", mutation{
		swap: func(n *Node, ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
			id.Day = "20991231"
			return n.Swap(ctx, id, next, answer)
		},
	}},
	"the feed has no revocation": {"the feed has what was revoked, and nothing else", mutation{
		revoke: func(n *Node, ctx context.Context, id sessions.ID) (err error) {
			n.kept(func(k *kept) { err = k.revoke(id, time.Now(), true) })
			return err
		},
	}},
	"revocations become visible out of order": {"a node that follows the feed misses nothing", mutation{
		revoke: func(n *Node, ctx context.Context, id sessions.ID) (err error) {
			var seq uint64
			n.kept(func(k *kept) {
				err = k.revoke(id, time.Now(), true)
				k.seq++
				seq = k.seq
			})
			time.Sleep(time.Duration(seq%3) * 100 * time.Microsecond)
			n.kept(func(k *kept) {
				i, _ := slices.BinarySearchFunc(k.feed, seq, func(e entry, seq uint64) int { return int(e.seq) - int(seq) })
				k.feed = slices.Insert(k.feed, i, entry{seq, id})
			})
			return err
		},
	}},
	"a page leaves its last entry out": {"the feed has pages", mutation{
		revoked: func(n *Node, ctx context.Context, after string) ([]sessions.ID, string, bool, error) {
			ids, next, more, err := n.Revoked(ctx, after)
			if more {
				ids = ids[1:]
			}
			return ids, next, more, err
		},
	}},
	"a page says that there is no other": {"the feed has pages", mutation{
		revoked: func(n *Node, ctx context.Context, after string) ([]sessions.ID, string, bool, error) {
			ids, next, _, err := n.Revoked(ctx, after)
			return ids, next, false, err
		},
	}},
	"the feed is one page": {"the feed has pages", mutation{
		revoked: func(n *Node, _ context.Context, after string) (ids []sessions.ID, next string, more bool, err error) {
			n.kept(func(k *kept) {
				for range 100 { // of which there would be more at a real size
					for _, e := range k.feed {
						ids = append(ids, e.id)
					}
				}
				next = k.feedID
			})
			return ids, next, false, nil
		},
	}},
	"a bad cursor is the end of the feed": {"a cursor that is not one is ErrCursor, never a gap", mutation{
		revoked: func(n *Node, ctx context.Context, after string) ([]sessions.ID, string, bool, error) {
			ids, next, more, err := n.Revoked(ctx, after)
			if errors.Is(err, sessions.ErrCursor) {
				return nil, after[:min(len(after), maxCursor)], false, nil
			}
			return ids, next, more, err
		},
	}},
	"a bad cursor is an error of another kind": {"a cursor that is not one is ErrCursor, never a gap", mutation{
		revoked: func(n *Node, ctx context.Context, after string) ([]sessions.ID, string, bool, error) {
			ids, next, more, err := n.Revoked(ctx, after)
			if errors.Is(err, sessions.ErrCursor) {
				err = errors.New("invalid stream ID")
			}
			return ids, next, more, err
		},
	}},
	"a cursor of another server counts": {"a cursor that is not one is ErrCursor, never a gap", mutation{
		revoked: func(n *Node, ctx context.Context, after string) ([]sessions.ID, string, bool, error) {
			if len(after) > sessions.EpochLength {
				n.kept(func(k *kept) { after = k.feedID + after[sessions.EpochLength:] })
			}
			return n.Revoked(ctx, after)
		},
	}},
	"a lost cursor goes on": {"a cursor that was lost is ErrCursor, and the feed is complete from its start", mutation{
		hooks: func(m *Memory, e *Engines) {
			e.LoseCursors = func(_ *testing.T, server string) { m.Open(server).kept(func(k *kept) { k.feed = k.feed[15:] }) }
		},
	}},
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
	"any ID is right": {"an ID that is not valid is an error", mutation{
		load: func(n *Node, ctx context.Context, id sessions.ID) (sessions.State, error) {
			st, err := n.Load(ctx, id)
			if errors.Is(err, errID) {
				err = nil
			}
			return st, err
		},
	}},
	"any answer is right": {"swaps with an answer of another form are errors", mutation{
		swap: func(n *Node, ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
			if !isAnswer(answer) {
				return at(next, answer), nil
			}
			return n.Swap(ctx, id, next, answer)
		},
	}},
	"generations are floating point": {"generations have 64 bits", mutation{
		swap: func(n *Node, ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
			n.kept(func(k *kept) {
				if r := k.get(id); r.generation > 0 && float64(r.generation) == float64(next) {
					k.put(id, record{generation: next - 1, answer: r.answer, made: r.made})
				}
			})
			st, err := n.Swap(ctx, id, next, answer)
			return sessions.State{Generation: uint64(float64(st.Generation)), Answer: st.Answer, Age: st.Age}, err
		},
	}},
	"generations have 63 bits": {"generations have 64 bits", mutation{
		load: func(n *Node, ctx context.Context, id sessions.ID) (sessions.State, error) {
			st, err := n.Load(ctx, id)
			st.Generation &= math.MaxInt64
			return st, err
		},
	}},
	"a damaged record is replaced": {"a damaged record is not replaced, and can be revoked", mutation{
		swap: func(n *Node, ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
			st, err := n.Swap(ctx, id, next, answer)
			if errors.Is(err, sessions.ErrDamaged) {
				n.memory.Plant(n.server, id, at(next, answer))
				return at(next, answer), nil
			}
			return st, err
		},
	}},
	"a damaged record cannot be revoked": {"a damaged record is not replaced, and can be revoked", mutation{
		revoke: func(n *Node, ctx context.Context, id sessions.ID) error {
			if _, err := n.Load(ctx, id); err != nil {
				return err
			}
			return n.Revoke(ctx, id)
		},
	}},
}
