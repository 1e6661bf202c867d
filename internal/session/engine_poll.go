package session

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/caddygrant/caddy-grant/internal/oneline"
	"github.com/caddygrant/caddy-grant/sessions"
)

// PollEngines is PollEngine of all engines at the same time. The error is that of the
// first, in the order of EngineNames.
func (s *Store) PollEngines(ctx context.Context) error {
	s.forgetOver()
	return cmp.Or(inEach(s, func(e *engine) error { return s.pollEngine(ctx, e) })...)
}

// PollEngine reads what other nodes have revoked in an engine since the last time. When
// it fails, what is known stays.
func (s *Store) PollEngine(ctx context.Context, name string) error {
	s.forgetOver()
	return s.pollEngine(ctx, s.engines[name])
}

func (s *Store) pollEngine(ctx context.Context, e *engine) error {
	_, err := callEngine(ctx, e, pollLimit, func(ctx context.Context) (struct{}, error) {
		if !e.known.polling.TryLock() {
			return struct{}{}, e.unavailable("reading revocations", errors.New("an earlier reading has not ended"))
		}
		defer e.known.polling.Unlock()
		return struct{}{}, s.readFeed(ctx, e)
	})
	return err
}

// Woken receives a value when an engine may have something new for PollEngine, until ctx
// ends. Not every engine can tell: it is nil for one that cannot.
func (s *Store) Woken(ctx context.Context, name string) <-chan struct{} {
	waker, ok := s.engines[name].Engine.(sessions.Waker)
	if !ok {
		return nil
	}
	woken, of := make(chan struct{}, 1), waker.Wake(ctx)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-of:
			}
			select {
			case woken <- struct{}{}:
			default: // not looked at yet
			}
		}
	}()
	return woken
}

// readFeed reads the feed of an engine to its end. What was read stays read: the next
// poll goes on from there.
func (s *Store) readFeed(ctx context.Context, e *engine) error {
	began, at := time.Now(), s.now()
	reading, err := s.beginFeed(ctx, e)
	if err != nil {
		return err
	}
	for more := true; more; {
		var ids []sessions.ID
		var next string
		ids, next, more, err = e.Revoked(ctx, reading.cursor)
		switch {
		case errors.Is(err, sessions.ErrCursor) && reading.cursor != "":
			e.known.loseFeed()
			if _, err := s.readEpoch(ctx, e); err != nil {
				return err
			}
			return e.unavailable("reading revocations", ErrReading) // the next poll begins anew
		case err != nil && ctx.Err() != nil && time.Since(began) > pollPatience:
			return e.unavailable("reading revocations", oneline.Join(ErrReading, err))
		case err != nil:
			return e.unavailable("reading revocations", err)
		case next == "" || len(next) > sessions.MaxCursor:
			return e.unavailable("reading revocations", errors.New("its cursor is empty or too long"))
		}
		s.memory.view.addFrom(e.name, ids)
		reading.cursor = next
		e.known.readTo(reading)
	}
	if !reading.anew {
		e.known.readWhole(reading, at)
		return nil
	}
	// what was read from its beginning may be of an epoch that came in between
	epoch, err := s.readEpoch(ctx, e)
	switch {
	case err != nil:
		return err
	case epoch != reading.epoch:
		return e.unavailable("reading revocations", ErrReading)
	}
	e.known.readWhole(reading, at)
	return nil
}

// feedReading is one reading of the feed of an engine.
type feedReading struct {
	epoch, cursor string
	anew          bool // not all of the feed was read yet
}

func (s *Store) beginFeed(ctx context.Context, e *engine) (feedReading, error) {
	if e.known.epochOfNew() == "" {
		if _, err := s.readEpoch(ctx, e); err != nil {
			return feedReading{}, err
		}
	}
	v := &s.memory.view
	v.mu.RLock() // so that nothing is dropped in between
	defer v.mu.RUnlock()
	return e.known.begin(v.keepFrom), nil
}

// addFrom takes in revocations of an engine's feed.
func (v *view) addFrom(engine string, ids []sessions.ID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, id := range ids {
		if id.IsValid() && id.Day >= v.keepFrom {
			v.hold(fromEngine(engine, id))
		}
	}
}

// ViewReadAt is when the revocations were last read completely, wherever sessions live;
// zero if never.
func (s *Store) ViewReadAt() time.Time {
	var all []time.Time
	if !s.noStorage {
		all = append(all, s.memory.ViewReadAt())
	}
	for _, e := range s.engines {
		all = append(all, e.known.readAt())
	}
	if len(all) == 0 {
		return time.Time{}
	}
	return slices.MinFunc(all, time.Time.Compare)
}

// EngineReadAt is when the revocations in an engine were last read completely; zero if
// never.
func (s *Store) EngineReadAt(name string) time.Time { return s.engines[name].known.readAt() }

// SweepEngines removes what sessions in engines that are over have left behind, in all
// of them at the same time.
func (s *Store) SweepEngines(ctx context.Context) (more bool, err error) {
	type swept struct {
		more bool
		err  error
	}
	for _, each := range inEach(s, func(e *engine) swept {
		more, err := callEngine(ctx, e, sweepLimit, e.Sweep)
		if err != nil {
			err = e.unavailable("removing old sessions", err)
		}
		return swept{more, err}
	}) {
		more, err = more || each.more, oneline.Join(err, each.err)
	}
	return more, err
}
