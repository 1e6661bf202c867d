package password

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"
)

// ErrBusy says that too many comparisons run or wait.
var ErrBusy = errors.New("waiting for a free slot to hash a password: too many are already being hashed or waiting")

// Limits bound the hashing of a process.
type Limits struct {
	Concurrency int           // comparisons that run at the same time; below 1 counts as 1
	Queue       int           // callers that wait for one to end, over all keys; 0: no waiting
	Wait        time.Duration // the longest that one of them waits; 0: no waiting
}

// DefaultLimits returns a concurrency of one less than the processors that Go uses, and
// at least 1, so that hashing leaves one to everything else; a queue of 64; and a wait
// of 5 seconds.
func DefaultLimits() Limits {
	return Limits{Concurrency: max(1, runtime.GOMAXPROCS(0)-1), Queue: 64, Wait: 5 * time.Second}
}

// Gate bounds how many comparisons run at the same time. A process has one. Waiting is
// fair: keys take turns, and the callers of one key go in the order in which they came.
// Callers with priority go before all others. The zero Gate is not usable, see NewGate.
type Gate struct {
	mu      sync.Mutex
	limits  Limits
	running int
	waiting int
	lines   map[lineKey]*line // each has a caller in it
	turns   []*line           // the same lines, next one first, those with priority before all others
}

// line is where the callers of one key wait.
type line struct {
	lineKey
	callers []*caller
}

type lineKey struct {
	key      string
	priority bool
}

// caller is one Acquire that waits.
type caller struct {
	served  bool          // guarded by Gate.mu, as is evicted
	evicted bool          // gave its place in the queue to another key
	ready   chan struct{} // closed when served or evicted
}

// NewGate returns a gate with the given limits.
func NewGate(limits Limits) *Gate {
	return &Gate{limits: limits, lines: make(map[lineKey]*line)}
}

// SetLimits changes the limits. Free slots are given away at once. Lower limits do not
// interrupt anything: what runs goes on, and a waiting caller keeps its place and its
// longest wait.
func (g *Gate) SetLimits(limits Limits) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limits = limits
	g.serve()
}

// Acquire takes a slot for one comparison, and waits for it if necessary. The key says
// who asks, such as the client's address; keys share the slots. The caller calls
// release when the comparison is done; calling it again does nothing.
//
// The error is ErrBusy at once when half of the queue, at least one place, is taken by
// the same key, or when it is full of keys that have no more places than this one;
// ErrBusy when another key with fewer places needs this one's; ErrBusy after
// Limits.Wait; ctx.Err() when the context ends first. There is no slot to release then.
func (g *Gate) Acquire(ctx context.Context, key string) (release func(), err error) {
	return g.acquire(ctx, lineKey{key, false})
}

// AcquireFirst is Acquire with priority: before those without, and in the place of one
// of them when the queue is full. It is for callers that are few, or that have shown
// before that they are not strangers.
func (g *Gate) AcquireFirst(ctx context.Context, key string) (release func(), err error) {
	return g.acquire(ctx, lineKey{key, true})
}

func (g *Gate) acquire(ctx context.Context, key lineKey) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, wait, err := g.enter(key)
	if err != nil {
		return nil, err
	}
	release = sync.OnceFunc(g.release)
	if c == nil {
		return release, nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-c.ready:
	case <-timer.C:
	case <-ctx.Done():
	}
	// It may have been served at the last moment, and the context may end at any time:
	// ask once.
	served, gone := g.leave(key, c), ctx.Err()
	switch {
	case gone != nil && served:
		release() // to the next caller: this one is gone
		return nil, gone
	case gone != nil:
		return nil, gone
	case !served:
		return nil, ErrBusy
	}
	return release, nil
}

// Load returns how many comparisons run and how many callers wait for one to end.
func (g *Gate) Load() (running, waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.running, g.waiting
}

// Limits returns the active limits, with a concurrency of at least 1.
func (g *Gate) Limits() Limits {
	g.mu.Lock()
	defer g.mu.Unlock()
	limits := g.limits
	limits.Concurrency = g.concurrency()
	return limits
}

// enter takes a free slot and returns nil, or puts a caller into the key's line and
// returns it with its longest wait.
func (g *Gate) enter(key lineKey) (*caller, time.Duration, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running < g.concurrency() { // no caller waits then: serve leaves no slot free
		g.running++
		return nil, 0, nil
	}
	l := g.lines[key]
	if g.limits.Wait <= 0 || g.limits.Queue <= 0 || l != nil && len(l.callers) >= max(1, g.limits.Queue/2) {
		return nil, 0, ErrBusy
	}
	if g.waiting > g.limits.Queue || g.waiting == g.limits.Queue && !g.evictFor(key, l) {
		return nil, 0, ErrBusy
	}
	if l = g.lines[key]; l == nil {
		l = &line{lineKey: key}
		g.lines[key] = l
		g.toTheEnd(l)
	}
	c := &caller{ready: make(chan struct{})}
	l.callers = append(l.callers, c)
	g.waiting++
	return c, g.limits.Wait, nil
}

// toTheEnd puts a line behind the others of its priority.
func (g *Gate) toTheEnd(l *line) {
	i := len(g.turns)
	if l.priority {
		if i = slices.IndexFunc(g.turns, func(other *line) bool { return !other.priority }); i < 0 {
			i = len(g.turns)
		}
	}
	g.turns = slices.Insert(g.turns, i, l)
}

// evictFor makes room in a full queue: the last caller of the longest line goes, if
// that line stays at least as long as that of the newcomer, which may be nil. So a few
// keys that fill the queue do not close it to others. A newcomer with priority takes
// the place of any caller without; a caller with priority loses its place only to that.
func (g *Gate) evictFor(key lineKey, newcomer *line) bool {
	places := 1
	if newcomer != nil {
		places += len(newcomer.callers)
	}
	longest := g.longestLine(false)
	switch {
	case key.priority && longest != nil:
		places = 0
	case key.priority:
		longest = g.longestLine(true)
	}
	if longest == nil || len(longest.callers) <= places {
		return false
	}
	last := longest.callers[len(longest.callers)-1]
	g.remove(longest, last)
	last.evicted = true
	close(last.ready)
	return true
}

// longestLine returns the longest line with or without priority, nil if there is none.
func (g *Gate) longestLine(priority bool) *line {
	var longest *line
	for _, l := range g.turns {
		if l.priority == priority && (longest == nil || len(l.callers) > len(longest.callers)) {
			longest = l
		}
	}
	return longest
}

// leave takes a caller out of its line if it is still there, and returns whether a slot
// was given to it meanwhile.
func (g *Gate) leave(key lineKey, c *caller) (served bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !c.served && !c.evicted {
		g.remove(g.lines[key], c)
	}
	return c.served
}

// remove takes a caller out of its line.
func (g *Gate) remove(l *line, c *caller) {
	i := slices.Index(l.callers, c)
	l.callers = slices.Delete(l.callers, i, i+1)
	g.waiting--
	if len(l.callers) == 0 {
		delete(g.lines, l.lineKey)
		i := slices.Index(g.turns, l)
		g.turns = slices.Delete(g.turns, i, i+1)
	}
}

// release frees a slot.
func (g *Gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
	g.serve()
}

// serve gives the free slots away: to the first caller of the line whose turn it is,
// which then goes behind the others.
func (g *Gate) serve() {
	for g.running < g.concurrency() && len(g.turns) > 0 {
		l := g.turns[0]
		c := l.callers[0]
		l.callers = slices.Delete(l.callers, 0, 1)
		g.turns = slices.Delete(g.turns, 0, 1)
		if len(l.callers) > 0 {
			g.toTheEnd(l)
		} else {
			delete(g.lines, l.lineKey)
		}
		g.waiting--
		g.running++
		c.served = true
		close(c.ready)
	}
}

// concurrency is at least 1: a gate that never opens would let requests wait in vain.
func (g *Gate) concurrency() int { return max(1, g.limits.Concurrency) }
