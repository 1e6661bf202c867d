package session

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/singleflight"
)

// asked is what storage said about single sessions while the view could not tell.
type asked struct {
	mu       sync.Mutex
	answers  *simplelru.LRU[ID, askedAnswer]
	since    time.Time // answers from before it do not count, by the monotonic clock
	together singleflight.Group
	signs    singleflight.Group // that the storage answers
	signed   atomic.Pointer[sign]
	begun    atomic.Int64 // how many signs were asked for
	slots    chan struct{}
}

// sign is that the storage answers.
type sign struct {
	at     time.Time // when it was asked for, by the monotonic clock
	number int64
}

type askedAnswer struct {
	revoked bool
	at      time.Time // when it was asked for, by the monotonic clock
}

func newAsked() asked {
	answers, _ := simplelru.NewLRU[ID, askedAnswer](maxAsked, nil) // an error only for a size that is not positive
	return asked{answers: answers, slots: make(chan struct{}, maxAsking)}
}

// IsRevoked tells whether a session is revoked, using what this process knows where
// that is enough, as it usually is. Otherwise it asks storage, at most once within that
// time, and ErrUnavailable says that there was no answer.
func (s *Store) IsRevoked(ctx context.Context, id ID, within time.Duration) (bool, error) {
	e, err := s.engineOf(id)
	if err != nil {
		return false, err
	}
	revoked, known := s.memory.InView(id)
	if revoked || known || e != nil && e.known.knows(id) {
		return revoked, nil
	}
	a := &s.memory.asked
	if answer, found := a.get(id); found && (answer.revoked || time.Since(answer.at) < within) {
		return answer.revoked, nil
	}
	detached := context.WithoutCancel(ctx) // the first caller may leave before the others
	answers := a.together.DoChan(id.String(), func() (any, error) { return s.ask(detached, id) })
	select {
	case answer := <-answers:
		if answer.Err != nil {
			return false, answer.Err
		}
		return answer.Val.(bool), nil
	case <-ctx.Done():
		return false, unavailable("asking for a session", ctx.Err())
	}
}

// ask is Revoked for a few sessions at a time, so that other calls still get their turn
// at the storage.
func (s *Store) ask(ctx context.Context, id ID) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	a := &s.memory.asked
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	case <-ctx.Done():
		return false, unavailable("waiting for other requests for sessions", ctx.Err())
	}
	at := time.Now()
	revoked, err := s.Revoked(ctx, id)
	if err == nil {
		a.put(id, askedAnswer{revoked, at})
	}
	return revoked, err
}

// awaitSign waits for the storage to answer wherever it keeps something. Callers at the
// same time share a sign, which counts for a second. recent says that there was a sign
// already.
func (s *Store) awaitSign(ctx context.Context) (recent bool, err error) {
	if last := s.memory.asked.signed.Load(); last != nil && time.Since(last.at) < signFor {
		return true, nil
	}
	return false, s.askForSign(ctx)
}

// awaitNewSign is awaitSign for one that is asked for from now on.
func (s *Store) awaitNewSign(ctx context.Context) error {
	a := &s.memory.asked
	begun := a.begun.Load()
	for {
		if last := a.signed.Load(); last != nil && last.number > begun {
			return nil
		}
		if err := s.askForSign(ctx); err != nil { // it may have been asked for before
			return err
		}
	}
}

func (s *Store) askForSign(ctx context.Context) error {
	a := &s.memory.asked
	detached := context.WithoutCancel(ctx)
	signs := a.signs.DoChan("", func() (_ any, err error) {
		defer func() {
			if p := recover(); p != nil { // else it ends the process
				err = unavailable("checking whether it answers", fmt.Errorf("[PANIC] %T in the storage\n%s", p, debug.Stack()))
			}
		}()
		ctx, cancel := context.WithTimeout(detached, readLimit)
		defer cancel()
		asked := &sign{time.Now(), a.begun.Add(1)}
		err = s.certain(ctx, "checking whether it answers")
		if err == nil {
			a.signed.Store(asked)
		}
		return nil, err
	})
	select {
	case sign := <-signs:
		return sign.Err
	case <-ctx.Done():
		return unavailable("checking whether it answers", ctx.Err())
	}
}

func (a *asked) get(id ID) (askedAnswer, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.answers.Get(id)
}

func (a *asked) put(id ID, answer askedAnswer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !answer.at.Before(a.since) {
		a.answers.Add(id, answer)
	}
}

// forget drops all answers. A view that drops what it knows needs it: an answer can be
// older than that.
func (a *asked) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.since = time.Now()
	a.answers.Purge()
}

const (
	maxAsked  = 10_000
	maxAsking = 64
	signFor   = time.Second
)
