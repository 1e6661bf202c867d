package password

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// flights lets equal attempts that come at the same time share one comparison. Unlike
// those of golang.org/x/sync/singleflight, a flight ends when its last caller has left.
type flights struct {
	mu       sync.Mutex
	underway map[attemptDigest]*flight
}

// flight is one comparison, in its own goroutine.
type flight struct {
	done   chan struct{} // closed when what follows is there
	result Result
	err    error

	cancel  context.CancelFunc
	waiting int  // guarded by flights.mu, as are the next two
	begun   bool // the hash is being made, or was
	claimed bool // a caller has reported the hashing
}

// comparison waits for its turn, asks the flight whether to begin, and compares.
type comparison func(ctx context.Context, begin func() bool) (Result, error)

// join takes part in the flight of that digest, or starts it. The caller must leave it
// in the end.
func (s *flights) join(d attemptDigest, compare comparison) (f *flight, joined bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.underway[d]; f != nil {
		f.waiting++
		return f, true
	}
	ctx, cancel := context.WithCancel(context.Background())
	f = &flight{done: make(chan struct{}), cancel: cancel, waiting: 1}
	s.underway[d] = f
	go func() {
		defer cancel()
		defer close(f.done)
		defer s.end(d, f)
		defer func() {
			if p := recover(); p != nil {
				f.err = fmt.Errorf("comparing a password: [PANIC] %T\n%s", p, debug.Stack())
			}
		}()
		f.result, f.err = compare(ctx, func() bool { return s.begin(f) })
	}()
	return f, false
}

// begin says whether any caller waits for the hash. From then on all callers stay, see
// giveUp.
func (s *flights) begin(f *flight) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.begun = f.waiting > 0
	return f.begun
}

// giveUp is leave for a caller that is gone before the end. It does nothing, and says
// so, if the hash is being made: the hash goes on anyway, and a guess that costs a hash
// must not be free for a client that hangs up.
func (s *flights) giveUp(d attemptDigest, f *flight) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.begun {
		return false
	}
	s.depart(d, f)
	return true
}

// leave ends the flight if no other caller waits: it is then in no line, and the next
// caller starts another flight.
func (s *flights) leave(d attemptDigest, f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.depart(d, f)
}

func (s *flights) depart(d attemptDigest, f *flight) {
	if f.waiting--; f.waiting == 0 {
		f.cancel()
		s.remove(d, f)
	}
}

func (s *flights) end(d attemptDigest, f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(d, f)
}

func (s *flights) remove(d attemptDigest, f *flight) {
	if s.underway[d] == f {
		delete(s.underway, d)
	}
}

// claim returns how long the hashing took to one caller, and 0 to all others.
func (s *flights) claim(f *flight) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.claimed {
		return 0
	}
	f.claimed = true
	return f.result.Hashing
}
