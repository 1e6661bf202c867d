package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// ErrReading says that the feed is still being read, and that what has not been read is
// not known. It comes with ErrUnavailable.
var ErrReading = errors.New("the revocations are still being read")

// Poll reads what other nodes have revoked since the last time, in the storage and in
// the engines.
func (s *Store) Poll(ctx context.Context) error {
	return cmp.Or(s.PollStorage(ctx), s.PollEngines(ctx))
}

// PollStorage reads what other nodes have revoked in the storage since the last time.
// What takes long, such as the first reading of a large feed, goes on in the background,
// and PollStorage waits only a second for it. When it fails, what is known stays. It
// does nothing where no session lives there.
func (s *Store) PollStorage(ctx context.Context) error {
	if s.noStorage {
		return nil
	}
	s.forgetOver()
	type result struct {
		urgent []string
		began  time.Time
	}
	r, err := call(ctx, s.memory, pollLimit, func(ctx context.Context) (r result, err error) {
		if !s.memory.polling.TryLock() {
			return r, unavailable("reading revocations", errors.New("an earlier reading has not ended"))
		}
		defer s.memory.polling.Unlock()
		r.began = time.Now()
		r.urgent, err = s.poll(ctx, r.began)
		return r, err
	})
	if err != nil || s.memory.view.isComplete() && s.memory.view.areRead(r.urgent, r.began) {
		return err
	}
	return s.await(ctx, r.urgent, r.began)
}

// forgetOver drops what is known of sessions that are over.
func (s *Store) forgetOver() {
	if s.memory.view.forget(s.now(), s.memory.engines.keptFrom) {
		s.memory.asked.forget()
	}
}

// await waits for the reading in the background to get through what a poll needs.
func (s *Store) await(ctx context.Context, urgent []string, began time.Time) error {
	patience := time.NewTimer(pollPatience)
	defer patience.Stop()
	reading := unavailable("reading revocations", ErrReading)
	var err error
	if running := s.memory.background.Load(); running != nil {
		err = reading
		select {
		case <-running.ended:
			err = running.err
		case <-patience.C:
		case <-ctx.Done():
		}
	}
	switch {
	case err != nil && !s.memory.view.isComplete():
		return err
	case s.memory.view.areRead(urgent, began):
		return nil
	case err != nil:
		return err
	}
	return reading
}

// poll returns the hours needed to know everything that was revoked before it began.
// Clocks do not decide which hours these are: the clock of any node can be wrong.
func (s *Store) poll(ctx context.Context, began time.Time) (urgent []string, err error) {
	v := &s.memory.view
	at := s.now()
	if s.witness != "" && !s.memory.witnessed.Load() {
		_ = s.askWitness(ctx)
	}
	witnessed := s.witness == "" || s.memory.witnessed.Load()
	hours, err := s.relistTimes(ctx, s.feedKey(""), hourLayout, v.known())
	if err == nil && len(hours) == 0 && !v.isComplete() && witnessed {
		if _, err = s.listKnown(ctx, s.feedKey("")); err == nil {
			hours, err = s.listTimes(ctx, s.feedKey(""), hourLayout)
		}
	}
	if err != nil {
		return nil, err
	}
	lost := v.saw(hours, time.Now())
	reading, _ := v.begun("")
	quick, slow, urgent := v.due(hours, time.Now())
	if len(slow) > 0 {
		s.readInBackground(ctx, slow, hours[len(hours)-1], func(ctx context.Context) error {
			return s.settle(ctx, reading, at, began, witnessed)
		})
	}
	failed := lost
	for _, hour := range quick {
		if err := s.readHour(ctx, hour, hours[len(hours)-1]); err != nil {
			failed = cmp.Or(failed, err)
		}
	}
	if failed != nil {
		return nil, failed
	}
	return urgent, s.settle(ctx, reading, at, began, witnessed)
}

// settle takes in how far a poll got. Before the view may say that it knows everything,
// it looks at which days are swept: what the feed had for those may be gone, swept by a
// node whose clock was ahead of this one.
func (s *Store) settle(ctx context.Context, reading int, at, began time.Time, witnessed bool) error {
	if s.memory.view.catchesUp(reading, witnessed) {
		swept, err := s.listTimes(ctx, s.sweptKey(""), dayLayout)
		if err != nil {
			return err
		}
		s.memory.view.sweep(swept)
	}
	s.memory.view.settle(reading, at, began, witnessed)
	return nil
}

// backgroundReading is a reading that no poll waits for. When it has ended, err says
// how.
type backgroundReading struct {
	ended chan struct{}
	err   error
}

// readInBackground reads hours one after the other, unless others are being read. Each
// hour that was read stays read, and gets as long as it needs. A reading that never
// returns blocks the next ones, as with Poll.
func (s *Store) readInBackground(ctx context.Context, hours []string, newest string, done func(context.Context) error) {
	if !s.memory.reading.TryLock() {
		return
	}
	running := &backgroundReading{ended: make(chan struct{})}
	s.memory.background.Store(running)
	ctx = context.WithoutCancel(ctx)
	go func() {
		defer close(running.ended)
		defer s.memory.reading.Unlock()
		defer func() {
			if p := recover(); p != nil {
				running.err = unavailable("using it", fmt.Errorf("[PANIC] %T in the storage\n%s", p, debug.Stack()))
			}
		}()
		for _, hour := range hours {
			_, failed := s.memory.view.begun(hour)
			reading, cancel := context.WithTimeout(ctx, hourLimit<<min(failed, 4))
			running.err = s.readHour(reading, hour, newest)
			cancel()
			if running.err != nil {
				return
			}
		}
		settling, cancel := context.WithTimeout(ctx, hourLimit)
		defer cancel()
		running.err = done(settling)
	}()
}

func (s *Store) readHour(ctx context.Context, hour, newest string) error {
	err := s.readEntries(ctx, hour, newest)
	if err == nil && hour == newest {
		s.turnPage(ctx, hour)
	}
	return err
}

func (s *Store) readEntries(ctx context.Context, hour, newest string) (err error) {
	v := &s.memory.view
	reading, _ := v.begun(hour)
	began, entries, ended := time.Now(), 0, errors.New("it did not end")
	defer func() { v.ended(hour, reading, began, entries, ended) }() // also when the storage panics
	names, err := s.listHour(ctx, hour, newest)
	if err != nil {
		return err
	}
	entries, ended = v.addAll(names), nil
	return nil
}

// listHour lists an hour. A place of the storage that is down can hide some of its
// entries, or all: a reading after which the hour counts as known, and is not read
// again soon, needs a sign before and after it that no place is down. Without the
// latter sign, what it found still counts.
func (s *Store) listHour(ctx context.Context, hour, newest string) ([]string, error) {
	if s.tellsErrors() || hour == newest && s.memory.view.isReadBefore(hour) {
		return s.list(ctx, s.feedKey(hour))
	}
	if _, err := s.awaitSign(ctx); err != nil {
		return nil, err
	}
	names, err := s.list(ctx, s.feedKey(hour))
	if err != nil {
		return nil, err
	}
	if _, err := s.awaitSign(ctx); err != nil {
		s.memory.view.addAll(names)
		return nil, err
	}
	return names, nil
}

func hourOf(t time.Time) string { return t.UTC().Format(hourLayout) }

const (
	pollLimit    = 30 * time.Second
	pollPatience = time.Second

	// hourLimit is for an hour in the background; an hour that failed gets twice as
	// long, up to half an hour.
	hourLimit = 2 * time.Minute
)
