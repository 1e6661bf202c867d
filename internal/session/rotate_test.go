package session

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"
)

func TestASessionWithoutRecordIsAtGeneration0AndLeavesNoTrace(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		must(t, n.Poll(t.Context()))
		n.storage.log()
		must(t, n.check(t.Context(), id, 0, 0))
		revoked, err := n.Revoked(t.Context(), id)
		if err != nil || revoked {
			t.Errorf("revoked %v, error %v", revoked, err)
		}
		for _, call := range n.storage.log() {
			if !strings.HasPrefix(call, "load ") && !strings.Contains(call, " probe/") { // a sign that the storage answers
				t.Errorf("Check and Revoked have called %s", call)
			}
		}
		if left, err := n.storage.List(t.Context(), testPrefix, true); len(left) > 0 {
			t.Errorf("Check and Revoked have left %v, error %v", left, err)
		}
	})
}

// G13 (Keycloak #50999): the order of exchanges does not come from a clock.
func TestExchangesWithinOneSecondAreInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		for generation := range uint64(20) {
			n.wantRotated(t, id, generation, 0, generation+1)
			if generation > 0 {
				n.wantRefused(t, id, generation-1, 0, ErrReused)
			}
		}
		n.wantRotated(t, id, 20, 0, 21)
	})
}

// G13: also if the clock goes backwards between two of them.
func TestExchangesAreInOrderWhateverTheClockDoes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		for generation := range uint64(20) {
			n.skew = time.Duration(generation%3-1) * 1000 * time.Hour
			n.wantRotated(t, id, generation, time.Minute, generation+1)
		}
		n.wantRefused(t, id, 3, time.Minute, ErrReused)
	})
}

// G9
func TestAGenerationThatWasExchangedIsWorthNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		n.wantRotated(t, id, 0, 0, 1)
		n.wantRefused(t, id, 0, 0, ErrReused)
		if err := n.check(t.Context(), id, 0, 0); !errors.Is(err, ErrReused) {
			t.Errorf("error %v", err)
		}
		must(t, n.Revoke(t.Context(), id))
		n.wantRefused(t, id, 0, 0, ErrRevoked)
		n.wantRefused(t, id, 1, 0, ErrRevoked)
	})
}

// G18
func TestAReplayIsDetectedAfterARestart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newFileStorage(t)
		n, id := newNode(storage), monthAhead()
		n.wantRotated(t, id, 0, 0, 1)
		n.wantRotated(t, id, 1, 0, 2)
		n = newNode(&certmagic.FileStorage{Path: storage.Path})
		n.wantRefused(t, id, 0, 0, ErrReused)
		n.wantRefused(t, id, 1, 0, ErrReused)
		n.wantRotated(t, id, 2, 0, 3)
	})
}

// G12: a retry gets the current generation, never a further one.
func TestWithinTheGraceARetryGetsTheCurrentGenerationAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		grace := 30 * time.Second
		n.wantRotated(t, id, 0, grace, 1)
		for range 3 {
			time.Sleep(10 * time.Second)
			must(t, n.check(t.Context(), id, 0, grace))
			n.wantRotated(t, id, 0, grace, 1)
		}
		time.Sleep(time.Millisecond)
		n.wantRefused(t, id, 0, grace, ErrReused)
		n.wantRotated(t, id, 1, grace, 2)
	})
}

// G12
func TestARetryWithinTheGraceWritesNothingAndLocksNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		n.wantRotated(t, id, 0, time.Minute, 1)
		n.storage.log()
		n.wantRotated(t, id, 0, time.Minute, 1)
		for _, call := range n.storage.log() {
			if !strings.HasPrefix(call, "load ") {
				t.Errorf("the retry has called %s", call)
			}
		}
	})
}

// G12, G9: two behind is a replay however short ago it was.
func TestTheGraceIsForTheGenerationBeforeTheCurrentOneOnly(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		n.wantRotated(t, id, 0, time.Minute, 1)
		n.wantRotated(t, id, 1, time.Minute, 2)
		n.wantRefused(t, id, 0, time.Minute, ErrReused)
		n.wantRotated(t, id, 1, time.Minute, 2)
	})
}

func TestAGraceThatIsTakenAwayOrGivenCountsAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		n.wantRotated(t, id, 0, time.Minute, 1)
		n.wantRefused(t, id, 0, 0, ErrReused)
		n.wantRotated(t, id, 0, time.Second, 1)
	})
}

// G12: a clock that is behind or ahead by more than the grace does not make it last
// longer.
func TestTheGraceCountsInBothDirectionsOfTwoClocks(t *testing.T) {
	grace := 30 * time.Second
	for skew, within := range map[time.Duration]bool{
		0:                           true,
		grace:                       true,
		-grace:                      true,
		grace + time.Millisecond:    false,
		-grace - time.Millisecond:   false,
		24 * time.Hour:              false,
		-24 * time.Hour:             false,
		200 * 365 * 24 * time.Hour:  false,
		-200 * 365 * 24 * time.Hour: false,
	} {
		t.Run(skew.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				storage := newShelf()
				a, b, id := newNode(storage), newNode(storage), monthAhead()
				b.skew = skew
				a.wantRotated(t, id, 0, grace, 1)
				if within {
					b.wantRotated(t, id, 0, grace, 1)
				} else {
					b.wantRefused(t, id, 0, grace, ErrReused)
				}
			})
		})
	}
}

func TestATimeInARecordThatNoClockShowsIsOutsideEveryGrace(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for _, rotated := range []int64{math.MinInt64, math.MaxInt64, 0} {
			n, id := newNode(newShelf()), monthAhead()
			must(t, n.storage.Store(t.Context(), n.recordKey(id), encodeRecord(record{Generation: 1, Answer: "a", Rotated: rotated})))
			n.wantRefused(t, id, 0, 10*time.Minute, ErrReused)
		}
	})
}

func TestAGenerationAheadOfItsRecordIsWorthNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n, id := newNode(storage), monthAhead()
		for _, generation := range []uint64{1, 2, math.MaxUint64} {
			n.wantRefused(t, id, generation, time.Minute, ErrAhead)
		}
		n.wantRotated(t, id, 0, time.Minute, 1)
		for _, generation := range []uint64{2, 3, math.MaxUint64} {
			n.wantRefused(t, id, generation, time.Minute, ErrAhead)
		}
		must(t, storage.Delete(t.Context(), n.recordKey(id)))
		n.wantRefused(t, id, 1, time.Minute, ErrAhead)
	})
}

func TestADamagedRecordEndsItsSessionAndIsNotTakenForNone(t *testing.T) {
	for name, content := range notRecords {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				n, id := newNode(newShelf()), monthAhead()
				must(t, n.storage.Store(t.Context(), n.recordKey(id), []byte(content)))
				for _, generation := range []uint64{0, 1, 3} {
					n.wantRefused(t, id, generation, time.Minute, ErrDamaged)
					if err := n.check(t.Context(), id, generation, time.Minute); !errors.Is(err, ErrDamaged) {
						t.Errorf("error %v", err)
					}
				}
				if revoked, err := n.Revoked(t.Context(), id); err != nil || !revoked {
					t.Errorf("revoked %v, error %v", revoked, err)
				}
				must(t, n.Revoke(t.Context(), id))
				n.wantRefused(t, id, 3, time.Minute, ErrRevoked)
			})
		})
	}
}

// An older program that runs beside a newer one for a while must not end its sessions.
func TestARecordOfALaterVersionIsNotUnderstoodAndNotDamagedAndItsSessionCanBeRevoked(t *testing.T) {
	for _, content := range []string{
		`{"version":2,"generation":3,"answer":"a","rotated":1}`,
		`{"version":2,"generation":"c3","previous":[1,2]}`,
		`{"version":2}`,
	} {
		inBubble(t, func(t *testing.T) {
			n, id := newNode(newShelf()), monthAhead()
			must(t, n.storage.Store(t.Context(), n.recordKey(id), []byte(content)))
			_, err := n.Rotate(t.Context(), id, 3, 0, false)
			if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrDamaged) {
				t.Errorf("%s: error %v", content, err)
			}
			must(t, n.Revoke(t.Context(), id))
			n.wantRefused(t, id, 3, 0, ErrRevoked)
		})
	}
}

func TestARecordHasNothingButWhatTheDesignSays(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n, id := newNode(storage), monthAhead()
		n.wantRotated(t, id, 0, 0, 1)
		want := []string{"sessions/20000201/" + id.random}
		if got := storage.keys(""); !slices.Equal(got, want) {
			t.Errorf("storage has %v, want %v", got, want)
		}
		r, err := decodeRecord([]byte(storage.objects[n.recordKey(id)].content))
		if err != nil || r.Generation != 1 || r.Rotated != time.Now().UnixMilli() || len(r.Answer) != 32 {
			t.Errorf("record %+v, error %v", r, err)
		}
	})
}

// What is read where: nothing that was not found is believed at once, and what says that
// a session is over is read between the record and the answer, once.
func TestAnExchangeReadsFirstThenLocksReadsWritesReadsBackAndUnlocks(t *testing.T) {
	record, marks := []string{"load record"}, []string{"load marker", "load mark"}
	back := slices.Concat([]string{"store record"}, record, marks)
	nothing := slices.Concat(record, []string{"stat secret"}, marks, record, marks)
	firstBack := slices.Concat([]string{"store record"}, record, marks[:1])
	for _, c := range []struct {
		name   string
		before uint64 // exchanges
		glance bool
		want   []string
	}{
		{"the first one", 0, false, slices.Concat(nothing, []string{"lock record.0"}, nothing, firstBack, []string{"unlock record.0"})},
		{"the first one after a glance", 0, true, slices.Concat(record, marks[:1], []string{"lock record.0"}, nothing, firstBack, []string{"unlock record.0"})},
		{"a later one", 1, false, slices.Concat(record, []string{"lock record.1"}, record, back, []string{"unlock record.1"})},
		{"a later one after a glance", 1, true, slices.Concat(record, []string{"lock record.1"}, record, back, []string{"unlock record.1"})},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				n, id := newNode(newShelf()), monthAhead()
				put(t, n.storage, "secret", "x")
				n.WithWitness(testPrefix + "/secret")
				for generation := range c.before {
					n.wantRotated(t, id, generation, 0, generation+1)
				}
				n.storage.log()
				current := false
				if c.glance {
					var err error
					current, err = n.Glance(t.Context(), id, c.before, 0)
					must(t, err)
				}
				if got, err := n.Rotate(t.Context(), id, c.before, 0, current); got != c.before+1 || err != nil {
					t.Errorf("generation %d, %v", got, err)
				}
				rec := strings.TrimPrefix(n.recordKey(id), testPrefix+"/")
				var got []string
				for _, call := range n.storage.log() {
					call = strings.NewReplacer(rec+markerSuffix, "marker", rec, "record", "swept/"+id.day, "mark").Replace(call)
					got = append(got, call)
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("calls %q, want %q", got, c.want)
				}
			})
		})
	}
}

// A check made before another exchange says nothing about what is there after it.
func TestACallerThatWaitedForAnExchangeLooksAgainBeforeTheLock(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		n.storage.add(&rule{op: "lock", times: 1, before: func() { time.Sleep(time.Second) }}) // until all are waiting
		results := make(chan error)
		const users = 30
		for range users {
			go func() {
				generation, err := n.Rotate(t.Context(), id, 0, time.Minute, true)
				if err == nil && generation != 1 {
					err = fmt.Errorf("generation %d", generation)
				}
				results <- err
			}()
		}
		for range users {
			must(t, <-results)
		}
		locks := slices.DeleteFunc(n.storage.log(), func(call string) bool { return !strings.HasPrefix(call, "lock ") })
		if len(locks) != 1 {
			t.Errorf("%d locks, want that of the exchange", len(locks))
		}
	})
}

// G12: what a retry within the grace reads may have changed when it has the lock.
func TestAnotherNodeIsQuickerBetweenReadingAndLocking(t *testing.T) {
	for _, grace := range []time.Duration{0, time.Minute} {
		t.Run(fmt.Sprint("grace ", grace), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				storage := newShelf()
				a, b, id := newNode(storage), newNode(storage), monthAhead()
				a.storage.add(&rule{op: "lock", times: 1, before: func() { b.wantRotated(t, id, 0, grace, 1) }})
				if grace > 0 {
					a.wantRotated(t, id, 0, grace, 1)
				} else {
					a.wantRefused(t, id, 0, grace, ErrReused)
				}
				a.wantRotated(t, id, 1, grace, 2)
			})
		})
	}
}

// J8, DESIGN §6: a rotation that runs at the same time cannot undo a revocation, which
// waits for the rotation unless that does not end.
func TestARevocationDuringAnExchangeIsNotUndone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		calls := laterRotationCalls(t)
		for at := range calls {
			for _, when := range []string{"before", "after"} {
				for _, waits := range []bool{false, true} {
					storage := newShelf()
					a, b, id := newNode(storage), newNode(storage), monthAhead()
					a.wantRotated(t, id, 0, time.Minute, 1)
					synctest.Wait()
					revoked := make(chan struct{})
					revoke := func() {
						go func() {
							must(t, b.Revoke(t.Context(), id))
							close(revoked)
						}()
						time.Sleep(time.Millisecond) // until it has its marker
						if waits {
							<-revoked
						}
					}
					r := &rule{skip: at, times: 1, before: revoke}
					if when == "after" {
						r.before, r.after = nil, revoke
					}
					a.storage.add(r)
					got, err := a.Rotate(t.Context(), id, 1, time.Minute, false)
					synctest.Wait()
					lastLook := calls - 3 // at the marker, when reading back
					if err == nil && (at < lastLook || at == lastLook && when == "before") {
						t.Errorf("revoked %s call %d: got generation %d", when, at, got)
					}
					if err != nil && !errors.Is(err, ErrRevoked) && !(waits && errors.Is(err, ErrUnavailable)) {
						t.Errorf("revoked %s call %d: error %v", when, at, err)
					}
					<-revoked
					for generation := range uint64(4) {
						a.wantRefused(t, id, generation, time.Minute, ErrRevoked)
					}
					must(t, storage.Delete(t.Context(), a.markerKey(id)))
					for generation := range uint64(4) { // by the record alone
						a.wantRefused(t, id, generation, time.Minute, ErrRevoked)
					}
				}
			}
		}
	})
}

// laterRotationCalls is how many calls to the storage an exchange makes of a session
// that has a record.
func laterRotationCalls(t *testing.T) int {
	t.Helper()
	n, id := newNode(newShelf()), monthAhead()
	n.wantRotated(t, id, 0, 0, 1)
	n.storage.log()
	n.wantRotated(t, id, 1, 0, 2)
	return len(n.storage.log())
}

// rotationCalls is how many calls to the storage an exchange makes.
func rotationCalls(t *testing.T) int {
	t.Helper()
	n, id := newNode(newShelf()), monthAhead()
	n.wantRotated(t, id, 0, 0, 1)
	return len(n.storage.log())
}

func TestTheLockIsGivenBackHoweverTheExchangeEnds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for at := range rotationCalls(t) {
			for _, what := range []fault{refused, failsButDone, lost, torn, late, hangs, doneButHangs, panics, panicsDone} {
				storage := newShelf()
				n, id := newNode(storage), monthAhead()
				n.storage.add(&rule{skip: at, times: 1, fault: what})
				_, _ = n.Rotate(t.Context(), id, 0, 0, false)
				synctest.Wait()
				time.Sleep(20 * time.Second)
				calls := n.storage.log()
				locked := slices.ContainsFunc(calls, func(c string) bool { return strings.HasPrefix(c, "lock ") })
				unlocked := slices.ContainsFunc(calls, func(c string) bool { return strings.HasPrefix(c, "unlock ") })
				lockFailed := locked && strings.HasPrefix(calls[len(calls)-1], "lock ")
				if locked != unlocked && !lockFailed {
					t.Errorf("%s at call %d: calls %q", what, at, calls)
				}
				if len(n.memory.mutexes.held) != 0 || len(n.memory.slots) != 0 {
					t.Errorf("%s at call %d: %d mutexes and %d slots are held", what, at, len(n.memory.mutexes.held), len(n.memory.slots))
				}
			}
		}
	})
}

func TestTheAnswerDoesNotWaitForTheLockToBeGivenBack(t *testing.T) {
	for _, what := range []fault{hangs, doneButHangs, stuck, panics} {
		t.Run(what.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				n, id, begun := newNode(newShelf()), monthAhead(), time.Now()
				n.storage.befalls("unlock", "sessions/", what)
				n.wantRotated(t, id, 0, 0, 1)
				if took := time.Since(begun); took > 0 {
					t.Errorf("it took %v", took)
				}
				n.storage.release()
				n.wantRotated(t, id, 1, 0, 2)
			})
		})
	}
}

func TestACallerThatHasLeftBeforehandBeginsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 50 {
			storage := newShelf()
			n, id := newNode(storage), monthAhead()
			_, err := n.Rotate(ctx, id, 0, 0, false)
			wantUnavailable(t, err)
			synctest.Wait()
			if keys := storage.keys(""); len(keys) > 0 {
				t.Fatalf("storage has %v", keys)
			}
			n.wantRotated(t, id, 0, 0, 1)
		}
	})
}

// A lock whose holder was suspended may be stale and have another holder by the time of
// the write.
func TestAHolderOfTheLockForTooLongWritesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		a, b, id := newNode(storage), newNode(storage), monthAhead()
		a.storage.add(&rule{op: "load", skip: 4, times: 1, before: func() { // the second reading, under the lock
			time.Sleep(lockHold + time.Millisecond)
			storage.locksGoStale()
			b.wantRotated(t, id, 0, 0, 1)
		}})
		a.wantRefused(t, id, 0, 0, ErrUnavailable)
		b.wantRotated(t, id, 1, 0, 2)
		if slices.ContainsFunc(a.storage.log(), func(c string) bool { return strings.HasPrefix(c, "store ") }) {
			t.Error("the first holder has written")
		}
	})
}

// The same, where the time passes in the write itself: no node hands out what it wrote,
// and the session ends.
func TestANodeThatWritesForTooLongHandsOutNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		a, b, id := newNode(storage), newNode(storage), monthAhead()
		a.storage.add(&rule{op: "store", times: 1, before: func() {
			time.Sleep(lockHold + time.Millisecond)
			storage.locksGoStale()
			b.wantRotated(t, id, 0, 0, 1)
			b.wantRotated(t, id, 1, 0, 2)
		}})
		a.wantRefused(t, id, 0, 0, ErrUnavailable)
		b.wantRefused(t, id, 2, 0, ErrAhead)
	})
}

func TestWaitingForALockThatAnotherNodeHoldsEnds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n, id := newNode(storage), monthAhead()
		must(t, storage.Lock(t.Context(), n.lockKey(id, 0)))
		begun := time.Now()
		n.wantRefused(t, id, 0, 0, ErrUnavailable)
		if waited := time.Since(begun); waited != lockWait {
			t.Errorf("waited %s", waited)
		}
		must(t, storage.Unlock(t.Context(), n.lockKey(id, 0)))
		n.wantRotated(t, id, 0, 0, 1)
	})
}

// The lock comes when the client has given up. Its retry may come to another node,
// where nothing is known about this exchange.
func TestACallerThatLeavesWhileWaitingForTheLockLosesNothingOnAnyNode(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		a, b, id := newNode(storage), newNode(storage), monthAhead()
		must(t, storage.Lock(t.Context(), a.lockKey(id, 0)))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := a.Rotate(ctx, id, 0, 0, false)
		wantUnavailable(t, err)
		must(t, storage.Unlock(t.Context(), a.lockKey(id, 0)))
		synctest.Wait()
		if keys := storage.keys(""); len(keys) > 0 {
			t.Errorf("storage has %v", keys)
		}
		b.wantRotated(t, id, 0, 0, 1)
	})
}

// G11 in one process: exchanges of one session take turns, those of different sessions
// do not.
func TestParallelUsesOfOneGenerationInOneProcess(t *testing.T) {
	for _, grace := range []time.Duration{0, time.Minute} {
		t.Run(fmt.Sprint("grace ", grace), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				n, id := newNode(newShelf()), monthAhead()
				type result struct {
					generation uint64
					err        error
				}
				results := make(chan result)
				const users = 30
				for range users {
					go func() {
						generation, err := n.Rotate(t.Context(), id, 0, grace, false)
						results <- result{generation, err}
					}()
				}
				successes := 0
				for range users {
					r := <-results
					switch {
					case r.err == nil && r.generation == 1:
						successes++
					case grace > 0, !errors.Is(r.err, ErrReused):
						t.Errorf("generation %d, error %v", r.generation, r.err)
					}
				}
				if want := map[bool]int{false: 1, true: users}[grace > 0]; successes != want {
					t.Errorf("%d successes, want %d", successes, want)
				}
				synctest.Wait()
				if len(n.memory.mutexes.held) != 0 {
					t.Errorf("%d mutexes are left", len(n.memory.mutexes.held))
				}
			})
		})
	}
}

func TestASessionThatHangsHoldsUpNoOther(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		n.storage.befalls("store", id.random, stuck)
		go func() { _, _ = n.Rotate(t.Context(), id, 0, 0, false) }()
		synctest.Wait()
		n.wantRotated(t, monthAhead(), 0, 0, 1)
		n.storage.release()
	})
}
