package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What a storage may do to the write of a record, and what becomes of the session: the
// result of the first attempt, of a retry at the same node, and of a retry at another
// node or after a restart.
var faultsOfTheWrite = []struct {
	fault                fault
	first, retry, abroad error
}{
	{refused, ErrUnavailable, nil, nil},
	{failsButDone, nil, ErrReused, ErrReused}, // it is there, and that counts
	{lost, ErrUnavailable, nil, nil},
	{torn, ErrUnavailable, ErrDamaged, ErrDamaged},
	{tornUnnoticed, ErrUnavailable, ErrDamaged, ErrDamaged},
	{late, ErrUnavailable, nil, nil},
	{hangs, ErrUnavailable, nil, nil},
	{doneButHangs, ErrUnavailable, nil, ErrReused},
	{panics, ErrUnavailable, nil, nil},
	{panicsDone, ErrUnavailable, nil, ErrReused},
}

func wantResult(t *testing.T, n *node, id ID, generation uint64, want error) {
	t.Helper()
	if want == nil {
		n.wantRotated(t, id, generation, 0, generation+1)
	} else {
		n.wantRefused(t, id, generation, 0, want)
	}
}

// DESIGN §6, J10: after ErrUnavailable nothing is consumed, or this process knows that
// no client got it.
func TestAWriteThatFailsOrLiesAndTheRetry(t *testing.T) {
	for _, test := range faultsOfTheWrite {
		for _, before := range []uint64{0, 3} { // exchanges
			t.Run(fmt.Sprintf("%s after %d exchanges", test.fault, before), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					n, id := newNode(newShelf()), monthAhead()
					for generation := range before {
						n.wantRotated(t, id, generation, 0, generation+1)
					}
					n.storage.befalls("store", "sessions/", test.fault)
					wantResult(t, n, id, before, test.first)
					wantResult(t, n, id, before, test.retry)
					if test.first == nil || test.retry == nil {
						n.wantRefused(t, id, before, 0, ErrReused) // one success is all there is
						n.wantRotated(t, id, before+1, 0, before+2)
					}
				})
			})
			t.Run(fmt.Sprintf("%s after %d exchanges, with a restart", test.fault, before), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					n, id := newNode(newShelf()), monthAhead()
					for generation := range before {
						n.wantRotated(t, id, generation, 0, generation+1)
					}
					n.storage.befalls("store", "sessions/", test.fault)
					wantResult(t, n, id, before, test.first)
					wantResult(t, n.restart(), id, before, test.abroad)
				})
			})
		}
	}
}

// Between the write and its answer a retry must not look like a replay, or the caller
// would end the session.
func TestCheckDuringAWriteThatHangsAndIsDone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		n.storage.befalls("store", "sessions/", doneButStuck)
		ctx, hangUp := context.WithTimeout(t.Context(), time.Second)
		defer hangUp()
		_, err := n.Rotate(ctx, id, 0, 0, false)
		wantUnavailable(t, err)
		must(t, n.check(t.Context(), id, 0, 0))
		n.storage.release()
		synctest.Wait()
		must(t, n.check(t.Context(), id, 0, 0))
		n.wantRotated(t, id, 0, 0, 1)
		if err := n.check(t.Context(), id, 0, 0); !errors.Is(err, ErrReused) {
			t.Errorf("error %v", err)
		}
	})
}

func TestACallerThatHangsUpDuringTheWriteGetsItsAnswerByARetry(t *testing.T) {
	for _, what := range []fault{fine, stuck, doneButStuck} {
		t.Run(what.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				n, id := newNode(newShelf()), monthAhead()
				ctx, hangUp := context.WithCancel(t.Context())
				n.storage.add(&rule{op: "store", times: 1, fault: what, before: hangUp})
				_, err := n.Rotate(ctx, id, 0, 0, false)
				wantUnavailable(t, err)
				n.storage.release()
				synctest.Wait()
				n.wantRotated(t, id, 0, 0, 1)
				n.wantRefused(t, id, 0, 0, ErrReused)
				n.wantRotated(t, id, 1, 0, 2)
			})
		})
	}
}

// DESIGN §6: from Lock on, a client that hangs up interrupts nothing, even where the
// storage obeys contexts.
func TestACallerThatHangsUpAtAnyCallLeavesNoLockAndLosesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		calls := rotationCalls(t)
		for at := range calls {
			storage := newShelf()
			n, id := newNode(storage), monthAhead()
			n.storage.obedient = true
			ctx, hangUp := context.WithCancel(t.Context())
			n.storage.add(&rule{skip: at, times: 1, before: hangUp})
			_, err := n.Rotate(ctx, id, 0, 0, false)
			synctest.Wait()
			if len(storage.locks) > 0 {
				t.Errorf("hung up at call %d: the lock is held", at)
			}
			if at < calls-1 {
				wantUnavailable(t, err)
				n.wantRotated(t, id, 0, 0, 1)
			} else if err != nil {
				t.Errorf("hung up when the lock was given back, with the answer there: %v", err)
			}
			n.wantRefused(t, id, 0, 0, ErrReused)
		}
	})
}

// G11 for retries: the undelivered answer is handed out once.
func TestOneOfTwoParallelRetriesGetsTheUndeliveredAnswer(t *testing.T) {
	for _, what := range []fault{doneButHangs, panicsDone, refused, late} {
		t.Run(what.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				n, id := newNode(newShelf()), monthAhead()
				n.storage.befalls("store", "sessions/", what)
				n.wantRefused(t, id, 0, 0, ErrUnavailable)
				if what == late { // between the reading without the lock and the one with it
					n.storage.add(&rule{op: "lock", times: 1, after: n.storage.comesTrue})
				}
				results := make(chan error)
				for range 10 {
					go func() {
						generation, err := n.Rotate(t.Context(), id, 0, 0, false)
						if err == nil && generation != 1 {
							t.Errorf("generation %d", generation)
						}
						results <- err
					}()
				}
				successes := 0
				for range 10 {
					if err := <-results; err == nil {
						successes++
					} else if !errors.Is(err, ErrReused) {
						t.Errorf("error %v", err)
					}
				}
				if successes != 1 {
					t.Errorf("%d successes", successes)
				}
			})
		})
	}
}

func TestAnUndeliveredAnswerIsKeptForSomeMinutes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		n.storage.befalls("store", "sessions/", doneButHangs)
		n.wantRefused(t, id, 0, 0, ErrUnavailable)
		time.Sleep(undeliveredFor - time.Second)
		must(t, n.check(t.Context(), id, 0, 0))
		time.Sleep(time.Second)
		n.wantRefused(t, id, 0, 0, ErrReused)
	})
}

// A storage may hang for longer than that.
func TestAnUndeliveredAnswerIsKeptForSomeMinutesAfterItsStorageHasAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		n.storage.befalls("store", "sessions/", stuck)
		n.wantRefused(t, id, 0, 0, ErrUnavailable)
		time.Sleep(2 * undeliveredFor)
		n.storage.release()
		synctest.Wait()
		time.Sleep(undeliveredFor - time.Second)
		n.wantRotated(t, id, 0, 0, 1)
	})
}

// A client with a spent token must not keep a grace open by retrying and hanging up.
func TestARetryThatHangsUpDoesNotProlongTheGrace(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		grace := 30 * time.Second
		n.wantRotated(t, id, 0, grace, 1)
		time.Sleep(grace)
		ctx, hangUp := context.WithCancel(t.Context())
		n.storage.add(&rule{op: "load", skip: 2, times: 1, before: hangUp})
		_, err := n.Rotate(ctx, id, 0, grace, false)
		wantUnavailable(t, err)
		synctest.Wait()
		time.Sleep(time.Millisecond)
		n.wantRefused(t, id, 0, grace, ErrReused)
	})
}

// And a client that retries in time and hangs up again loses nothing.
func TestARetryOfAnUndeliveredAnswerCanBeRetried(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		n.storage.befalls("store", "sessions/", doneButHangs)
		n.wantRefused(t, id, 0, 0, ErrUnavailable)
		for range 3 {
			ctx, hangUp := context.WithCancel(t.Context())
			n.storage.add(&rule{op: "load", skip: 2, times: 1, before: hangUp})
			_, err := n.Rotate(ctx, id, 0, 0, false)
			wantUnavailable(t, err)
			synctest.Wait()
		}
		n.wantRotated(t, id, 0, 0, 1)
		n.wantRefused(t, id, 0, 0, ErrReused)
	})
}

// Writes that were given up and take effect later, in whatever order, are the same
// answer as the retry's.
func TestAWriteThatTakesEffectLaterIsNotAReplay(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for _, when := range []string{"before the retry", "after a second failure", "after the retry"} {
			n, id := newNode(newShelf()), monthAhead()
			n.wantRotated(t, id, 0, 0, 1)
			n.storage.befalls("store", "sessions/", late)
			n.wantRefused(t, id, 1, 0, ErrUnavailable)
			switch when {
			case "before the retry":
				n.storage.comesTrue()
			case "after a second failure":
				n.storage.befalls("store", "sessions/", late)
				n.wantRefused(t, id, 1, 0, ErrUnavailable)
				slices.Reverse(n.storage.delayed)
				n.storage.comesTrue()
			}
			n.wantRotated(t, id, 1, 0, 2)
			n.storage.comesTrue()
			n.wantRefused(t, id, 1, 0, ErrReused)
			n.wantRotated(t, id, 2, 0, 3)
		}
	})
}

// The limit that the package comment names: the record goes back, and the next use of
// the current token shows it.
func TestAWriteThatTakesEffectAfterLaterWritesEndsTheSession(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		n.storage.befalls("store", "sessions/", late)
		n.wantRefused(t, id, 0, 0, ErrUnavailable)
		n.wantRotated(t, id, 0, 0, 1)
		n.wantRotated(t, id, 1, 0, 2)
		n.storage.comesTrue()
		n.wantRefused(t, id, 0, 0, ErrReused)
		n.wantRefused(t, id, 2, 0, ErrAhead)
	})
}

// An undelivered answer must not stand for an answer that another node has made since.
func TestAnAnswerOfAnotherNodeIsNotTakenForTheUndeliveredOne(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		a, b, id := newNode(storage), newNode(storage), monthAhead()
		a.storage.befalls("store", "sessions/", refused)
		a.wantRefused(t, id, 0, 0, ErrUnavailable)
		b.wantRotated(t, id, 0, 0, 1)
		a.wantRefused(t, id, 0, 0, ErrReused)
		b.wantRotated(t, id, 1, 0, 2)
		a.wantRefused(t, id, 1, 0, ErrReused)
	})
}

// Every call of an exchange meets every fault, and the client retries at the same node.
func TestAFaultAtAnyCallOfAnExchange(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		calls := rotationCalls(t)
		for at := range calls {
			for _, what := range []fault{refused, failsButDone, late, hangs, doneButHangs, stuck, doneButStuck, panics, panicsDone} {
				storage := newShelf()
				n, id := newNode(storage), monthAhead()
				n.storage.add(&rule{skip: at, times: 1, fault: what})
				begun := time.Now()
				got, err := n.Rotate(t.Context(), id, 0, 0, false)
				where := fmt.Sprintf("%s at call %d", what, at)
				if waited := time.Since(begun); waited > rotateLimit {
					t.Errorf("%s: took %s", where, waited)
				}
				if err != nil && (got != 0 || !errors.Is(err, ErrUnavailable)) || err == nil && got != 1 {
					t.Errorf("%s: got %d and error %v", where, got, err)
				}
				n.storage.release()
				time.Sleep(30 * time.Second)
				n.storage.comesTrue()
				storage.locksGoStale()
				if err != nil {
					n.wantRotated(t, id, 0, 0, 1)
				}
				n.wantRefused(t, id, 0, 0, ErrReused)
				n.wantRotated(t, id, 1, 0, 2)
				n.wantRefused(t, id, 1, 0, ErrReused)
			}
		}
	})
}

// G21: kill -9 at any call, before or after it is done.
func TestAKillAtAnyCallOfAnExchange(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		grace := time.Minute
		for at := range rotationCalls(t) {
			for _, what := range []fault{stuck, doneButStuck} {
				storage := newShelf()
				n, id := newNode(storage), monthAhead()
				n.wantRotated(t, id, 0, grace, 1)
				n.storage.add(&rule{skip: at, times: 1, fault: what})
				go func() { _, _ = n.Rotate(t.Context(), id, 1, grace, false) }()
				synctest.Wait()
				n.storage.dies()
				storage.locksGoStale()
				n = n.restart()
				where := fmt.Sprintf("%s at call %d", what, at)
				if got, err := n.Rotate(t.Context(), id, 1, grace, false); err != nil || got != 2 {
					t.Errorf("%s: a retry within the grace got %d and error %v", where, got, err)
				}
				if got, err := n.Rotate(t.Context(), id, 1, 0, false); !errors.Is(err, ErrReused) {
					t.Errorf("%s: works twice, with %d and error %v", where, got, err)
				}
				n.wantRotated(t, id, 2, grace, 3)
			}
		}
	})
}

// G21: the same without a grace: the old token works or it is spent, and never does it
// work twice.
func TestAKillAtAnyCallOfAnExchangeWithoutGrace(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for at := range rotationCalls(t) {
			for _, what := range []fault{stuck, doneButStuck} {
				storage := newShelf()
				n, id := newNode(storage), monthAhead()
				n.storage.add(&rule{skip: at, times: 1, fault: what})
				go func() { _, _ = n.Rotate(t.Context(), id, 0, 0, false) }()
				synctest.Wait()
				n.storage.dies()
				storage.locksGoStale()
				n = n.restart()
				stored := len(storage.keys("sessions/")) > 0
				switch got, err := n.Rotate(t.Context(), id, 0, 0, false); {
				case stored && !errors.Is(err, ErrReused), !stored && (err != nil || got != 1):
					t.Errorf("%s at call %d: stored %v, got %d and error %v", what, at, stored, got, err)
				}
				n.wantRefused(t, id, 0, 0, ErrReused)
			}
		}
	})
}

// A storage that panics must not take the process down, and its panic value, which may
// hold anything, is not shown.
func TestAPanicInTheStorageIsAnError(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		n.storage.add(&rule{fault: panics})
		_, rotate := n.Rotate(t.Context(), id, 0, 0, false)
		_, revoked := n.Revoked(t.Context(), id)
		_, sweep := n.Sweep(t.Context())
		for name, err := range map[string]error{
			"Rotate":  rotate,
			"Check":   n.check(t.Context(), id, 0, 0),
			"Revoked": revoked,
			"Revoke":  n.Revoke(t.Context(), id),
			"Poll":    n.Poll(t.Context()),
			"Sweep":   sweep,
		} {
			if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "[PANIC] string in the storage") || strings.Contains(err.Error(), "injected") {
				t.Errorf("%s: error %v", name, err)
			}
		}
		n.storage.recovers()
		n.wantRotated(t, id, 0, 0, 1)
		must(t, n.Poll(t.Context()))
	})
}

// limited are the methods, and how long each takes at most.
func limited(t *testing.T, n *node, id ID) map[string]struct {
	limit time.Duration
	call  func(context.Context) error
} {
	t.Helper()
	return map[string]struct {
		limit time.Duration
		call  func(context.Context) error
	}{
		"Check":  {readLimit, func(ctx context.Context) error { return n.check(ctx, id, 0, 0) }},
		"Rotate": {rotateLimit, func(ctx context.Context) error { _, err := n.Rotate(ctx, id, 0, 0, false); return err }},
		"Revoke": {revokeLimit, func(ctx context.Context) error { return n.Revoke(ctx, id) }},
		"Revoked": {readLimit, func(ctx context.Context) error {
			_, err := n.Revoked(ctx, id)
			return err
		}},
		"Poll":  {pollLimit, func(ctx context.Context) error { return n.Poll(ctx) }},
		"Sweep": {sweepLimit, func(ctx context.Context) error { _, err := n.Sweep(ctx); return err }},
	}
}

// The bubble fails if a goroutine is left after the release.
func TestAStorageThatHangsWhateverTheContextHoldsUpNoCallerForLong(t *testing.T) {
	for _, name := range []string{"Check", "Rotate", "Revoke", "Revoked", "Poll", "Sweep"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				n := newNode(newShelf())
				method := limited(t, n, monthAhead())[name]
				n.storage.add(&rule{fault: stuck})
				for range 2 {
					begun := time.Now()
					wantUnavailable(t, method.call(t.Context()))
					if waited := time.Since(begun); waited > method.limit {
						t.Errorf("took %s", waited)
					}
					ctx, hangUp := context.WithTimeout(t.Context(), 10*time.Millisecond)
					begun = time.Now()
					wantUnavailable(t, method.call(ctx))
					if waited := time.Since(begun); waited > 10*time.Millisecond {
						t.Errorf("took %s after the caller had left", waited)
					}
					hangUp()
				}
				n.storage.recovers()
				n.storage.release()
				synctest.Wait()
				must(t, method.call(t.Context()))
				synctest.Wait()
				if len(n.memory.mutexes.held) != 0 || len(n.memory.slots) != 0 {
					t.Errorf("%d mutexes and %d slots are held", len(n.memory.mutexes.held), len(n.memory.slots))
				}
			})
		})
	}
}

func TestWhatHangsInTheStorageIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNode(newShelf())
		n.storage.add(&rule{fault: stuck})
		results := make(chan error)
		const callers = 2 * maxCalls
		for i := range callers {
			go func() {
				switch i % 3 {
				case 0:
					_, err := n.Rotate(t.Context(), monthAhead(), 0, 0, false)
					results <- err
				case 1:
					results <- n.Revoke(t.Context(), monthAhead())
				case 2:
					results <- n.check(t.Context(), monthAhead(), 0, 0)
				}
			}()
		}
		for range callers {
			wantUnavailable(t, <-results)
		}
		if calls := len(n.storage.log()); calls != maxCalls {
			t.Errorf("%d calls have begun, want %d", calls, maxCalls)
		}
		n.storage.recovers()
		n.storage.release()
		synctest.Wait()
		n.wantRotated(t, monthAhead(), 0, 0, 1)
	})
}

func TestThoseWhoWaitForTheirTurnLeaveNothingBehind(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		n.storage.befalls("load", "", stuck)
		results := make(chan error)
		for range 50 {
			go func() {
				_, err := n.Rotate(t.Context(), id, 0, 0, false)
				results <- err
			}()
		}
		for range 50 {
			wantUnavailable(t, <-results)
		}
		if users := n.memory.mutexes.held[id].users; users != 1 {
			t.Errorf("%d users of the mutex, want the one that hangs", users)
		}
		n.storage.release()
		synctest.Wait()
		if len(n.memory.mutexes.held) != 0 {
			t.Errorf("%d mutexes are left", len(n.memory.mutexes.held))
		}
		n.wantRotated(t, id, 0, 0, 1)
	})
}

func TestACheckThatNeverReturnsDoesNotBlockTheSession(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		n.storage.befalls("load", "", stuck)
		wantUnavailable(t, n.check(t.Context(), id, 0, 0))
		n.wantRotated(t, id, 0, 0, 1) // while it still hangs
		n.storage.release()
	})
}

func TestThereIsRoomForTheAnswersOfOthersWhenStorageFailsForAll(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNode(newShelf())
		u := &n.memory.undelivered
		old := monthAhead()
		u.remember(old, record{Generation: 1, Answer: "a"})
		time.Sleep(undeliveredFor)
		for range maxUndelivered + 10 {
			u.remember(monthAhead(), record{Generation: 1, Answer: "a"})
		}
		if len(u.answers) != maxUndelivered {
			t.Errorf("%d answers, want %d", len(u.answers), maxUndelivered)
		}
		if _, ok := u.answers[old]; ok {
			t.Error("the old one is still there")
		}
		n.wantRotated(t, monthAhead(), 0, 0, 1)
		if len(u.answers) >= maxUndelivered {
			t.Errorf("%d answers after one was handed out", len(u.answers))
		}
	})
}

func TestAnUnlockThatFailsTakesBackNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n, id := newNode(storage), monthAhead()
		n.storage.befalls("unlock", "", refused)
		n.wantRotated(t, id, 0, 0, 1)
		n.wantRotated(t, id, 1, 0, 2) // its lock has another name
		n.wantRefused(t, id, 0, 0, ErrReused)
	})
}
