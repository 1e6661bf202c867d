package sessionstest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/caddygrant/caddy-grant/sessions"
)

// Node is a node's access to a [Memory], for one authorization server. Its calls can
// meet faults, see [Node.Befall] and [Node.Meet].
type Node struct {
	memory *Memory
	server string
	faults faults

	closed atomic.Bool

	used bool // it has seen an epoch; under the memory's mutex
}

// do makes a call, whose effect has the memory's mutex. half is what a call that is cut
// off does; nil if that is nothing. late tells whether the call changes something, and
// so can take effect later.
func (n *Node) do(ctx context.Context, call Call, late bool, effect func(*kept) error, half func(*kept)) error {
	if n.closed.Load() {
		return fmt.Errorf("%s: the engine was closed", call.Op)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", call.Op, err)
	}
	fault := n.faults.of(call)
	switch fault {
	case Panics:
		panic("injected panic")
	case Hangs:
		<-ctx.Done()
		return fmt.Errorf("%s: %w", call.Op, ctx.Err())
	case Unsuitable:
		return fmt.Errorf("%w: %s: injected", sessions.ErrUnsuitable, call.Op)
	}
	err := n.locked(fault, late, effect, half)
	switch {
	case fault == DoneButHangs:
		<-ctx.Done()
		return fmt.Errorf("%s: %w", call.Op, ctx.Err())
	case fault != Fine:
		return fmt.Errorf("%s: %w", call.Op, ErrInjected)
	}
	return err
}

// locked is the part of a call that is done at the server.
func (n *Node) locked(fault Fault, late bool, effect func(*kept) error, half func(*kept)) error {
	n.memory.mu.Lock()
	defer n.memory.mu.Unlock()
	if n.memory.stopped {
		return errStopped
	}
	switch fault {
	case Fine, FailsButDone, DoneButHangs:
		k := n.memory.of(n.server)
		err := effect(k)
		n.used = n.used || k.epoch != ""
		return err
	case HalfDone:
		if half != nil {
			half(n.memory.of(n.server))
		}
	case Late:
		if late {
			n.memory.late = append(n.memory.late, func() { _ = effect(n.memory.of(n.server)) })
		}
	}
	return nil
}

// Epoch implements [sessions.Engine].
func (n *Node) Epoch(ctx context.Context) (epoch string, err error) {
	err = n.do(ctx, Call{Op: "Epoch"}, false, func(k *kept) error {
		if !k.hasEpoch() {
			if n.used {
				return errNoEpoch
			}
			k.begin()
		}
		epoch = k.epoch
		return nil
	}, nil)
	if err != nil {
		return "", err
	}
	return epoch, nil
}

// Load implements [sessions.Engine].
func (n *Node) Load(ctx context.Context, id sessions.ID) (st sessions.State, err error) {
	if !id.IsValid() {
		return st, errID
	}
	err = n.do(ctx, Call{Op: "Load", ID: id}, false, func(k *kept) (err error) {
		st, err = k.state(id, n.memory.time())
		return err
	}, nil)
	if err != nil {
		return sessions.State{}, err
	}
	return st, nil
}

// Swap implements [sessions.Engine].
func (n *Node) Swap(ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
	switch {
	case !id.IsValid():
		return sessions.State{}, errID
	case next == 0:
		return sessions.State{}, errors.New("Swap: no swap makes generation 0")
	case !isAnswer(answer):
		return sessions.State{}, errors.New("Swap: the answer is not 32 characters of 0-9 and a-f")
	}
	var st sessions.State // of this call, also where the effect comes later
	err := n.do(ctx, Call{Op: "Swap", ID: id, Next: next}, true, func(k *kept) (err error) {
		st, err = k.swap(id, next, answer, n.memory.time())
		return err
	}, nil)
	if err != nil {
		return sessions.State{}, err
	}
	return st, nil
}

// Revoke implements [sessions.Engine].
func (n *Node) Revoke(ctx context.Context, id sessions.ID) error {
	if !id.IsValid() {
		return errID
	}
	return n.do(ctx, Call{Op: "Revoke", ID: id}, true,
		func(k *kept) error { return k.revoke(id, n.memory.time(), false) },
		func(k *kept) { _ = k.revoke(id, n.memory.time(), true) })
}

// Revoked implements [sessions.Engine].
func (n *Node) Revoked(ctx context.Context, after string) (ids []sessions.ID, next string, more bool, err error) {
	err = n.do(ctx, Call{Op: "Revoked"}, false, func(k *kept) (err error) {
		ids, next, more, err = k.page(after)
		return err
	}, nil)
	if err != nil {
		return nil, "", false, err
	}
	return ids, next, more, nil
}

// Sweep implements [sessions.Engine].
func (n *Node) Sweep(ctx context.Context) (more bool, err error) {
	return false, n.do(ctx, Call{Op: "Sweep"}, true, func(k *kept) error {
		k.sweep(n.memory.time())
		return nil
	}, nil)
}

// Close implements [sessions.Engine].
func (n *Node) Close() error {
	n.closed.Store(true)
	return nil
}

func isAnswer(s string) bool { return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == "" }

var (
	errNoEpoch = errors.New("the engine has lost its epoch")
	errStopped = errors.New("the engine was stopped")
	errID      = errors.New("not the ID of a session")
)

var _ sessions.Engine = (*Node)(nil)
