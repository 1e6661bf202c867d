package fleet

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddygrant/caddy-grant/internal/session"
)

// Site is where the sessions of a fleet are.
type Site interface {
	// Open is how a process of that node gets there.
	Open(node int) (Way, error)
}

// Restarter is a site that can be killed, and started again with all that it had
// acknowledged.
type Restarter interface{ Restart() error }

// Way is how one process gets to the site.
type Way interface {
	// Store is the sessions for a process.
	Store(memory *session.Memory, now func() time.Time) *session.Store

	// Suffer makes the way as a trouble says, from now on; the zero Trouble ends all.
	Suffer(Trouble)

	// Close cuts the way at once. The process that had it has crashed.
	Close()
}

// node is one that crashes and starts again.
type node struct {
	index  int
	fleet  *Fleet
	offset atomic.Int64 // of its clock, a time.Duration

	mu      sync.Mutex
	process *process
	trouble Trouble
	turn    int // of troubles, to tell whether this one is still the last
}

// process is what a node has in memory, and loses in a crash.
type process struct {
	*session.Store
	way    Way
	ctx    context.Context // ends with it
	cancel context.CancelFunc
	polled atomic.Uint32 // when the last successful poll began; 0: none did
	failed atomic.Pointer[error]
}

func (n *node) now() time.Time { return time.Now().Add(time.Duration(n.offset.Load())) }

func (n *node) running() *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process
}

// start replaces the process of a node, if it has one.
func (n *node) start() error {
	way, err := n.fleet.Site.Open(n.index)
	if err != nil {
		return err
	}
	p := &process{way: way, Store: way.Store(session.NewMemory(), n.now)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	n.mu.Lock()
	n.process = p
	way.Suffer(n.trouble)
	n.mu.Unlock()
	go p.follow(n.fleet)
	if n.fleet.Sweep > 0 {
		go p.sweep(n.fleet)
	}
	return nil
}

// crash throws away what the process knows, and starts another one.
func (n *node) crash() error {
	n.running().end()
	return n.start()
}

func (p *process) end() {
	p.cancel()
	p.way.Close()
}

func (p *process) polledFrom() uint32 { return p.polled.Load() }

func (p *process) failure() error {
	if err := p.failed.Load(); err != nil {
		return *err
	}
	return errors.New("no poll has ended")
}

// follow keeps up with what other nodes revoke, as a server does. An engine that can
// tell that there is something new is heeded, but not too often.
func (p *process) follow(f *Fleet) {
	var woken <-chan struct{}
	for _, engine := range p.EngineNames() { // one, or none
		woken = p.Woken(p.ctx, engine)
	}
	for p.ctx.Err() == nil {
		begun := f.before(time.Now())
		_, err := p.KeepEpochs(p.ctx)
		if err = errors.Join(err, p.Poll(p.ctx)); err == nil {
			p.polled.Store(begun)
			f.count("poll", "done")
		} else {
			p.failed.Store(&err)
			f.count("poll", "failed")
		}
		wait := f.Poll
		if p.polled.Load() == 0 {
			wait = min(wait, time.Second)
		}
		heed := min(wait, 200*time.Millisecond)
		if !pause(p.ctx, heed) {
			return
		}
		timer := time.NewTimer(wait - heed)
		select {
		case <-p.ctx.Done():
		case <-woken:
			f.count("poll", "woken")
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (p *process) sweep(f *Fleet) {
	for pause(p.ctx, f.Sweep/2+rand.N(f.Sweep)) {
		for more := true; more && p.ctx.Err() == nil; {
			swept, err := p.Sweep(p.ctx)
			left, failed := p.SweepEngines(p.ctx)
			more = err == nil && swept.More || failed == nil && left
		}
		f.count("sweep", "done")
	}
}

// pause waits, or returns false when the context ends.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
