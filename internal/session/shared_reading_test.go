package session

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A reading that began before a call may miss what was acknowledged in between.
func TestASharedReadingBeginsAfterTheCallThatGetsIt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var shared sharedReading
		var acknowledged, readings atomic.Int64
		read := func(context.Context) error {
			readings.Add(1)
			found := acknowledged.Load()
			time.Sleep(time.Second)
			if found < 0 {
				return errors.New("it failed")
			}
			seen.Store(found)
			return nil
		}
		done := make(chan struct{})
		for round := range 10 {
			for range 10 {
				wanted := acknowledged.Add(1)
				go func() {
					defer func() { done <- struct{}{} }()
					if err := shared.do(t.Context(), read); err != nil || seen.Load() < wanted {
						t.Errorf("round %d: found %d, want %d, error %v", round, seen.Load(), wanted, err)
					}
				}()
				time.Sleep(10 * time.Millisecond)
			}
		}
		for range 100 {
			<-done
		}
		if n := readings.Load(); n < 2 || n > 4 {
			t.Errorf("%d readings for 100 calls within a second", n)
		}
		synctest.Wait()
		acknowledged.Store(-1)
		if err := shared.do(t.Context(), read); err == nil {
			t.Error("an error was lost")
		}
	})
}

var seen atomic.Int64

func TestACallerLeavesASharedReadingWithItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var shared sharedReading
		read := func(ctx context.Context) error {
			time.Sleep(time.Minute)
			return ctx.Err()
		}
		first := make(chan error)
		go func() { first <- shared.do(t.Context(), read) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantUnavailable(t, shared.do(ctx, read))
		if err := shared.do(t.Context(), read); err != nil { // its reading does not end with the caller who left
			t.Error(err)
		}
		if err := <-first; err != nil {
			t.Error(err)
		}
	})
}
