package sessionstest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

// feedMutations are wrong about the feed.
var feedMutations = map[string]mutated{
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
				return nil, after[:min(len(after), sessions.MaxCursor)], false, nil
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
}
