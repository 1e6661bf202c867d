package sessionstest

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

// swapMutations are wrong about the state of a session.
var swapMutations = map[string]mutated{
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
