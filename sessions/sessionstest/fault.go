package sessionstest

import (
	"errors"
	"slices"
	"sync"

	"github.com/caddygrant/caddy-grant/sessions"
)

// Fault is what happens to a call of a [Node].
type Fault int

// All faults but Fine end in an error. That is [ErrInjected], or what the context ended
// with.
const (
	Fine         Fault = iota
	Refused            // fails, and nothing is done
	FailsButDone       // fails, and all is done
	HalfDone           // fails, and a Revoke has written its marker, without an entry of the feed
	Late               // fails, and is done at some later time: see Memory.ComesTrue
	Hangs              // nothing is done until the context ends
	DoneButHangs       // is done, and then does not answer until the context ends
	Unsuitable         // fails with sessions.ErrUnsuitable, and nothing is done
	Panics             // before anything is done
)

func (f Fault) String() string {
	return [...]string{"Fine", "Refused", "FailsButDone", "HalfDone", "Late", "Hangs", "DoneButHangs", "Unsuitable", "Panics"}[f]
}

// ErrInjected is wrapped by the errors of faults.
var ErrInjected = errors.New("injected fault")

// Call is a call of a [Node].
type Call struct {
	Op   string      // the name of the method
	ID   sessions.ID // of Load, Swap and Revoke
	Next uint64      // of Swap
}

// Befall makes the next calls of a method meet these faults, one after the other. Op ""
// is any method.
func (n *Node) Befall(op string, all ...Fault) {
	n.faults.mu.Lock()
	defer n.faults.mu.Unlock()
	for _, fault := range all {
		n.faults.due = append(n.faults.due, due{op, fault})
	}
}

// Meet has f say which fault each call meets for which Befall has none, from now on;
// nil is none. It runs before the call, without a lock, so it can let others get in
// between, and count.
func (n *Node) Meet(f func(Call) Fault) {
	n.faults.mu.Lock()
	defer n.faults.mu.Unlock()
	n.faults.meet = f
}

// Recover forgets all faults that are still to come.
func (n *Node) Recover() {
	n.faults.mu.Lock()
	defer n.faults.mu.Unlock()
	n.faults.meet, n.faults.due = nil, nil
}

// faults are those of a node.
type faults struct {
	mu   sync.Mutex
	due  []due
	meet func(Call) Fault
}

type due struct {
	op    string
	fault Fault
}

func (f *faults) of(call Call) Fault {
	f.mu.Lock()
	for i, d := range f.due {
		if d.op == "" || d.op == call.Op {
			f.due = slices.Delete(f.due, i, i+1)
			f.mu.Unlock()
			return d.fault
		}
	}
	meet := f.meet
	f.mu.Unlock()
	if meet == nil {
		return Fine
	}
	return meet(call)
}
