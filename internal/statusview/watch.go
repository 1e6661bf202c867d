package statusview

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

// usualPatience is how long a node may take to answer.
const usualPatience = 5 * time.Second

// Watcher looks at nodes again and again. Each is asked on its own: one that does not
// answer holds up no other.
type Watcher struct {
	mu       sync.Mutex
	interval time.Duration
	patience time.Duration
	nodes    []*watched
	changed  func()
}

type watched struct {
	Target
	wake chan struct{} // look now

	mu      sync.Mutex
	history history
	node    Node
}

// NewWatcher watches once Run is called. It calls changed after each answer.
func NewWatcher(targets []Target, interval time.Duration, changed func()) *Watcher {
	w := &Watcher{interval: interval, patience: usualPatience, changed: changed}
	for _, target := range targets {
		w.nodes = append(w.nodes, &watched{
			Target: target, wake: make(chan struct{}, 1), node: Node{Address: Printable(target.Address)},
		})
	}
	return w
}

// Run looks at all nodes until the context ends.
func (w *Watcher) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, node := range w.nodes {
		all.Go(func() {
			for ctx.Err() == nil {
				node.look(ctx, w.patience)
				if ctx.Err() != nil {
					return
				}
				w.changed()
				select {
				case <-ctx.Done():
				case <-node.wake:
				case <-time.After(w.Interval()):
				}
			}
		})
	}
	all.Wait()
}

// Interval is the time between two looks.
func (w *Watcher) Interval() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.interval
}

// SetInterval changes the time between two looks, and looks at once.
func (w *Watcher) SetInterval(interval time.Duration) {
	w.mu.Lock()
	w.interval = interval
	w.mu.Unlock()
	for _, node := range w.nodes {
		select {
		case node.wake <- struct{}{}:
		default: // it is about to
		}
	}
}

// View is what the nodes looked like last.
func (w *Watcher) View() View {
	view := View{Nodes: make([]Node, len(w.nodes))}
	for i, node := range w.nodes {
		node.mu.Lock()
		view.Nodes[i] = node.node
		node.mu.Unlock()
	}
	return view
}

// look asks the node once.
func (n *watched) look(ctx context.Context, patience time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, err := ask(ctx, n.Source)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %v", patience)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		n.node = Node{Address: n.node.Address, Asked: true, Error: Printable(err.Error()), Last: n.node.Last}
		return
	}
	n.history.add(s)
	n.node = n.history.show(n.node.Address, s, time.Now())
}

// show is the view of a node that answered.
func (h *history) show(address string, s *sample, now time.Time) Node {
	if s.counters == nil {
		h = new(history) // what it has is of another time
	}
	node := Node{Address: address, Asked: true, Last: now, Warning: s.warning}
	if len(s.statuses) > 0 {
		node.Facts = append(node.Facts, h.hashing(s.statuses[0].Checks)) // all servers share it
	}
	names := adminapi.IssuerNames(s.issuers)
	for i, issuer := range s.issuers { // which belong to no server
		node.Facts = append(node.Facts, issuerFact(names[i], issuer, now))
	}
	for i := range s.statuses {
		status := &s.statuses[i]
		server := Server{Name: status.Name, Issuer: status.Issuer, Facts: facts(status, now)}
		if s.counters != nil {
			server.Done, server.Refused = h.done(status.Name), h.refused(status.Name)
		}
		node.Servers = append(node.Servers, server)
	}
	return node
}
