package session

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// paid are the sessions whose revocation an allowance has counted, and which is not
// complete. An attempt that failed may still take effect, so what was counted is not
// returned: else whatever fails could write without a bound. But it counts for that
// session from then on, and later attempts are not counted again: an owner who logs out
// while an engine, or the storage, is down has an allowance left for other sessions.
// Only attempts that follow closely are counted, so that they have a bound too.
type paid struct {
	mu       sync.Mutex
	sessions *simplelru.LRU[ID, payment]
}

type payment struct {
	by   Allowance
	last time.Time // the last attempt that was not refused, by the monotonic clock
}

func newPaid() paid {
	sessions, _ := simplelru.NewLRU[ID, payment](maxPaid, nil) // an error only for a size that is not positive
	return paid{sessions: sessions}
}

// takeFor counts an attempt to revoke a session, unless it is paid for. undo is for an
// attempt that certainly wrote nothing.
func (s *Store) takeFor(id ID) (undo func(), err error) {
	if s.allowance == nil {
		return func() {}, nil
	}
	p := &s.memory.paid
	p.mu.Lock()
	defer p.mu.Unlock()
	before, has := p.sessions.Get(id)
	switch {
	case has && time.Since(before.last) >= attemptEvery:
		p.sessions.Add(id, payment{before.by, time.Now()})
		return func() {}, nil
	case has:
		return s.giveBack, s.take()
	}
	if err := s.take(); err != nil {
		return nil, err
	}
	p.sessions.Add(id, payment{s.allowance, time.Now()})
	return func() { p.giveBack(id) }, nil
}

// settle forgets a session whose revocation is complete.
func (p *paid) settle(id ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions.Remove(id)
}

// giveBack returns what was counted for a session for which nothing is kept.
func (p *paid) giveBack(id ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if paid, has := p.sessions.Peek(id); has {
		p.sessions.Remove(id)
		paid.by.Return()
	}
}

const (
	// maxPaid is how many are remembered. An attempt for a session that was forgotten is
	// counted again.
	maxPaid = 10_000

	// attemptEvery is how often a session that is paid for may be tried without being
	// counted. Clients are told to wait as long after a 503.
	attemptEvery = time.Second
)
