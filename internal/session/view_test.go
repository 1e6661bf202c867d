package session

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"
)

func (n *node) wantInView(t *testing.T, id ID, want bool) {
	t.Helper()
	if revoked, known := n.memory.InView(id); revoked != want || !known {
		t.Fatalf("revoked %v, known %v, want %v and true", revoked, known, want)
	}
}

func TestNothingIsKnownBeforeTheFirstCompleteReading(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		a, b, id := newNode(storage), newNode(storage), monthAhead()
		must(t, a.Revoke(t.Context(), id))
		unknown := func() {
			t.Helper()
			if _, known := b.memory.InView(monthAhead()); known || !b.memory.ViewReadAt().IsZero() {
				t.Fatalf("known %v, read at %s", known, b.memory.ViewReadAt())
			}
		}
		unknown()
		b.storage.befalls("list", "revocations", refused)
		wantUnavailable(t, b.Poll(t.Context()))
		unknown()
		b.storage.befalls("list", "revocations/", refused) // an hour
		wantUnavailable(t, b.Poll(t.Context()))
		unknown()
		must(t, b.Revoke(t.Context(), monthAhead())) // of one's own doing is not all
		unknown()
		must(t, b.Poll(t.Context()))
		b.wantInView(t, id, true)
		b.wantInView(t, monthAhead(), false)
		if at := b.memory.ViewReadAt(); !at.Equal(time.Now()) {
			t.Errorf("read at %s", at)
		}
	})
}

func TestAnEmptyFeedIsKnown(t *testing.T) {
	for _, missingIsEmpty := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			storage := newShelf()
			storage.missingIsEmpty = missingIsEmpty
			n := newNode(storage)
			must(t, n.Poll(t.Context()))
			n.wantInView(t, monthAhead(), false)
			if len(storage.keys("")) > 0 {
				t.Errorf("storage has %v", storage.keys(""))
			}
		})
	}
}

// The age of the view is what an operator sees: what was revoked during the reading may
// not be in it.
func TestAViewIsAsOldAsTheBeginningOfItsReading(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNode(newShelf())
		begun := time.Now()
		n.storage.add(&rule{op: "list", times: 1, before: func() { time.Sleep(20 * time.Second) }})
		must(t, n.Poll(t.Context()))
		if at := n.memory.ViewReadAt(); !at.Equal(begun) {
			t.Errorf("read at %s, begun at %s", at, begun)
		}
	})
}

func TestAReadingThatFailsTakesNothingFromTheView(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		a, b, id := newNode(storage), newNode(storage), monthAhead()
		must(t, a.Revoke(t.Context(), id))
		must(t, b.Poll(t.Context()))
		at := b.memory.ViewReadAt()
		for _, what := range []fault{refused, hangs, panics, stuck} {
			time.Sleep(time.Hour)
			b.storage.befalls("list", "", what)
			wantUnavailable(t, b.Poll(t.Context()))
			b.wantInView(t, id, true)
			if !b.memory.ViewReadAt().Equal(at) {
				t.Errorf("%s: read at %s, want %s", what, b.memory.ViewReadAt(), at)
			}
		}
		wantUnavailable(t, b.Poll(t.Context())) // the last one has not ended
		b.storage.release()
		synctest.Wait()
		must(t, b.Poll(t.Context()))
	})
}

func TestWhatAPollOfSeveralHoursGotThroughBeforeItFailedCountsAlready(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		a, b, first, second := newNode(storage), newNode(storage), monthAhead(), monthAhead()
		must(t, b.Poll(t.Context()))
		must(t, a.Revoke(t.Context(), first))
		time.Sleep(time.Hour)
		must(t, a.Revoke(t.Context(), second))
		b.storage.befalls("list", "revocations/2000010101", refused)
		wantUnavailable(t, b.Poll(t.Context()))
		b.wantInView(t, first, true)
		b.wantInView(t, second, false)
		must(t, b.Poll(t.Context()))
		b.wantInView(t, second, true)
	})
}

// The feed at work: every hour some sessions are revoked at one of three nodes, whose
// clocks differ. Every node knows each revocation until its session is over, and
// forgets it some time later.
func TestARevocationIsKnownUntilItsSessionIsOverAndThenForgotten(t *testing.T) {
	for _, length := range []time.Duration{time.Minute, time.Hour, 26 * time.Hour} {
		t.Run(length.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				storage := newShelf()
				nodes := []*node{newNode(storage), newNode(storage), newNode(storage)}
				nodes[1].skew, nodes[2].skew = 40*time.Second, -40*time.Second
				type revocation struct {
					id   ID
					ends time.Time
				}
				var all []revocation
				for step := range 200 {
					ends := time.Now().Add(length)
					r := revocation{NewID(ends), ends}
					must(t, nodes[step%3].Revoke(t.Context(), r.id))
					all = append(all, r)
					time.Sleep(25 * time.Minute)
					for i, n := range append(nodes, nodes[0].restart()) {
						must(t, n.Poll(t.Context()))
						for _, r := range all {
							past := time.Since(r.ends)
							revoked, known := n.memory.InView(r.id)
							if !revoked && past <= keepLonger {
								t.Fatalf("node %d does not know what was over %s ago", i, past)
							}
							if known && past > keepLonger+25*time.Hour {
								t.Fatalf("node %d says that it knows what was over %s ago", i, past)
							}
						}
						if len(n.memory.view.revoked) > 5 {
							t.Fatalf("node %d remembers %d days", i, len(n.memory.view.revoked))
						}
					}
				}
			})
		})
	}
}

// The node asked storage just before it revoked the session. Then its clock goes far
// ahead, so that it forgets the revocation, and back.
func TestAnAnswerFromBeforeARevocationDoesNotCountOnceTheRevocationIsForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		if revoked, err := n.IsRevoked(t.Context(), id, time.Minute); revoked || err != nil {
			t.Fatal(revoked, err)
		}
		must(t, n.Revoke(t.Context(), id))
		n.skew = 100 * 24 * time.Hour
		must(t, n.Poll(t.Context()))
		n.skew = 0
		if revoked, err := n.IsRevoked(t.Context(), id, time.Minute); !revoked || err != nil {
			t.Errorf("revoked %t, %v", revoked, err)
		}
	})
}

func TestWhatWasSweptWithTheFeedStaysRevokedWhereAClockGoesBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		ahead, behind := newNode(storage), newNode(storage)
		ids := []ID{NewID(time.Now().Add(time.Hour)), NewID(time.Now().Add(30 * time.Hour))}
		for _, id := range ids {
			must(t, behind.Revoke(t.Context(), id))
		}
		for _, n := range []*node{ahead, behind} {
			must(t, n.Poll(t.Context()))
		}
		time.Sleep(20 * 24 * time.Hour)
		must(t, ahead.Revoke(t.Context(), monthAhead())) // else every day were past
		must(t, ahead.Poll(t.Context()))
		swept, err := ahead.Sweep(t.Context())
		must(t, err)
		if swept.Days == 0 || swept.Hours == 0 {
			t.Fatalf("%+v was swept", swept)
		}
		ahead.skew = -20 * 24 * time.Hour
		behind.skew = ahead.skew
		for _, n := range []*node{ahead, behind, behind.restart()} {
			must(t, n.Poll(t.Context()))
			for _, id := range ids {
				n.wantInView(t, id, true)
			}
		}
	})
}

// The clocks of two nodes go wrong in the same way, and a sweep by the right time ends
// the day on which their sessions end. Only one of the two learns of that.
func TestARevocationOnASweptDayReachesNodesThatDoNotKnowOfTheSweep(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		a, b, right := newNode(storage), newNode(storage), newNode(storage)
		const late = 20 * 24 * time.Hour
		a.skew, b.skew = -late, -late
		ends := time.Now().Add(time.Hour - late)
		must(t, a.Revoke(t.Context(), NewID(ends)))
		must(t, right.Revoke(t.Context(), monthAhead())) // else every day were past
		must(t, b.Poll(t.Context()))
		swept, err := right.Sweep(t.Context())
		must(t, err)
		if swept.Days != 1 {
			t.Fatalf("%+v was swept", swept)
		}
		a = a.restart()
		must(t, a.Poll(t.Context()))
		id := NewID(ends)
		a.wantInView(t, id, true)
		must(t, a.Revoke(t.Context(), id))
		must(t, b.Poll(t.Context()))
		b.wantInView(t, id, true)
	})
}

// The lifetime of access tokens does not matter: a session of ten years can have an
// equally long one.
func TestARevocationIsKnownToLaterNodesForAsLongAsTheSessionLasts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNode(newShelf())
		long := NewID(time.Now().AddDate(10, 0, -2))
		must(t, n.Revoke(t.Context(), long))
		for range 9 {
			for range 12 {
				must(t, n.Revoke(t.Context(), monthAhead())) // the feed moves on
				time.Sleep(30 * 24 * time.Hour)
				_, err := n.Sweep(t.Context())
				must(t, err)
			}
			must(t, n.Poll(t.Context()))
			again := n.restart()
			must(t, again.Poll(t.Context()))
			for _, n := range []*node{n, again} {
				n.wantInView(t, long, true)
				if size := n.memory.ViewSize(); size > 3 {
					t.Errorf("%d sessions are known", size)
				}
			}
		}
	})
}

// pollCalls returns the calls of a poll, and of what goes on in the background after it.
func (n *node) pollCalls(t *testing.T) []string {
	t.Helper()
	n.storage.log()
	must(t, n.Poll(t.Context()))
	calls := slices.DeleteFunc(n.storage.log(), func(call string) bool { return strings.Contains(call, " probe/") })
	return slices.Compact(calls) // the first reading of some hours is done again after a sign
}

func TestHoursWithNewerOnesAreReadTwiceAndNeverAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		a, b := newNode(storage), newNode(storage)
		for range 10 {
			must(t, a.Revoke(t.Context(), monthAhead()))
			time.Sleep(time.Hour)
		}
		if calls := b.pollCalls(t); len(calls) != 11+4 { // twice: no day is swept
			t.Errorf("the first time: %q", calls)
		}
		if calls := b.pollCalls(t); len(calls) != 1+recentHours {
			t.Errorf("the second time: %q", calls)
		}
		time.Sleep(time.Minute)
		if calls := b.pollCalls(t); len(calls) != 2 {
			t.Errorf("after a minute: %q", calls)
		}
		time.Sleep(time.Minute)
		if calls := b.pollCalls(t); len(calls) != 11 {
			t.Errorf("when no more writes can come there: %q", calls)
		}
		time.Sleep(time.Hour)
		if calls := b.pollCalls(t); len(calls) != 2 {
			t.Errorf("from then on: %q", calls)
		}
	})
}

// Earlier versions looked for the newest hour and then wrote, within ten seconds, and
// in between other nodes may have made newer hours, by whatever clocks.
func TestAnEntryThatAnEarlierVersionWritesIntoAnHourThatHasPassedIsFound(t *testing.T) {
	for _, late := range []time.Duration{0, 5 * time.Second, 10 * time.Second} {
		inBubble(t, func(t *testing.T) {
			storage := newShelf()
			n, fresh := newNode(storage), newNode(storage)
			must(t, n.Revoke(t.Context(), monthAhead()))
			must(t, n.Poll(t.Context()))
			for _, hour := range []string{"2000010105", "2000010106", "2000010107", "2000010201"} {
				put(t, storage, "revocations/"+hour+"/"+monthAhead().String(), "")
			}
			must(t, n.Poll(t.Context()))
			must(t, fresh.Poll(t.Context()))
			time.Sleep(late)
			id := monthAhead()
			put(t, storage, "revocations/2000010100/"+id.String(), "")
			for range 100 {
				time.Sleep(2 * time.Second)
				must(t, n.Poll(t.Context()))
				must(t, fresh.Poll(t.Context()))
			}
			n.wantInView(t, id, true)
			fresh.wantInView(t, id, true)
		})
	}
}

// A clock that is wrong by days, at the node that revokes or at the node that reads,
// while all other clocks are right and other nodes revoke too.
func TestClocksThatAreWrongByDaysHideNoRevocation(t *testing.T) {
	day := 24 * time.Hour
	for _, skew := range []time.Duration{-400 * day, -3 * day, -2 * time.Hour, -time.Hour, time.Hour, 2 * time.Hour, 3 * day, 400 * day} {
		for _, who := range []string{"writer", "reader"} {
			t.Run(fmt.Sprintf("%s off by %s", who, skew), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					storage := newShelf()
					wrong, right := newNode(storage), newNode(storage)
					wrong.skew = skew
					writer, reader := wrong, right
					if who == "reader" {
						writer, reader = right, wrong
					}
					var revoked []ID
					for step := range 50 {
						id := monthAhead()
						revoked = append(revoked, id)
						if step%4 == 0 {
							must(t, right.Revoke(t.Context(), id))
						} else {
							must(t, writer.Revoke(t.Context(), id))
						}
						time.Sleep(11 * time.Minute)
						restarted := reader.restart()
						for _, n := range []*node{reader, right, restarted} {
							must(t, n.Poll(t.Context()))
							for _, id := range revoked {
								if found, known := n.memory.InView(id); !found && (known || n.skew < 30*day) {
									t.Fatalf("after %d steps a revocation is not known", step)
								}
							}
						}
					}
				})
			})
		}
	}
}

// What was forgotten because a clock was ahead is not accepted when the clock is right
// again.
func TestAClockThatGoesBackRevivesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n, id, live := newNode(storage), monthAhead(), monthAhead()
		must(t, n.Revoke(t.Context(), id))
		must(t, n.Poll(t.Context()))
		time.Sleep(3 * time.Minute)
		must(t, n.Poll(t.Context())) // all hours are final
		n.skew = 60 * 24 * time.Hour
		must(t, n.Revoke(t.Context(), NewID(n.now())))
		must(t, n.Poll(t.Context()))
		if n.memory.ViewSize() != 1 {
			t.Fatal("nothing was forgotten")
		}
		n.skew = 0
		n.storage.befalls("list", "revocations/", refused)
		for range 2 {
			if _, known := n.memory.InView(id); known {
				t.Error("the view says that it knows")
			}
			for id, want := range map[ID]bool{id: true, live: false} {
				if revoked, err := n.IsRevoked(t.Context(), id, time.Second); err != nil || revoked != want {
					t.Errorf("revoked %v, error %v, want %v", revoked, err, want)
				}
			}
			_ = n.Poll(t.Context()) // which fails
		}
		must(t, n.Poll(t.Context()))
		n.wantInView(t, id, true)
		n.wantInView(t, live, false)
	})
}

// The same is true of nodes that come later: the hour goes by the clock, and the sweep
// by the session.
func TestARevocationInAnHourThatIsTooEarlyIsKnownUntilItsSessionIsOver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		wrong, right := newNode(storage), newNode(storage)
		wrong.skew = -20 * 24 * time.Hour
		id := NewID(time.Now())
		must(t, wrong.Revoke(t.Context(), id))
		for begun := time.Now(); time.Since(begun) < 9*24*time.Hour; time.Sleep(3 * time.Hour) {
			must(t, right.Revoke(t.Context(), monthAhead()))
			for _, n := range []*node{right, right.restart()} {
				must(t, n.Poll(t.Context()))
				revoked, known := n.memory.InView(id)
				if !revoked && (known || time.Since(begun) < 24*time.Hour+keepLonger) {
					t.Fatalf("after %s: revoked %v, known %v", time.Since(begun), revoked, known)
				}
			}
			_, err := right.Sweep(t.Context())
			must(t, err)
		}
		if keys := storage.keys("revocations/1999"); len(keys) > 0 {
			t.Errorf("the feed still has %v", keys)
		}
	})
}

func TestForeignNamesInTheFeedArePassedOver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		a, b, id := newNode(storage), newNode(storage), monthAhead()
		must(t, a.Revoke(t.Context(), id))
		for _, key := range []string{
			"revocations/readme.txt", "revocations/2000010100/123456789", "revocations/2000010100/sub/" + monthAhead().String(),
			"revocations/2000010100/" + strings.ToUpper(id.String()), "revocations/20000101/" + monthAhead().String(),
			"revocations/2000010160/" + monthAhead().String(), "revocations/.hidden/x", "revocations-old/2000010100/" + monthAhead().String(),
		} {
			put(t, storage, key, "?")
		}
		must(t, b.Poll(t.Context()))
		b.wantInView(t, id, true)
		if b.memory.ViewSize() != 1 || len(b.memory.view.hours) != 1 {
			t.Errorf("the view has %v of %v", b.memory.view.revoked, b.memory.view.hours)
		}
	})
}

// folders lists like a storage that gives folders a slash at the end.
type folders struct{ certmagic.Storage }

func (f folders) List(ctx context.Context, key string, recursive bool) ([]string, error) {
	keys, err := f.Storage.List(ctx, key, recursive)
	for i, k := range keys {
		if info, err := f.Stat(ctx, k); err == nil && !info.IsTerminal {
			keys[i] = k + "/"
		}
	}
	return keys, err
}

func TestFoldersThatAreListedWithASlashAreFound(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(folders{newShelf()}), monthAhead()
		must(t, n.Revoke(t.Context(), id))
		n = n.restart()
		must(t, n.Poll(t.Context()))
		n.wantInView(t, id, true)
	})
}

// racing lists like a file system in which a temporary file disappears while it is
// listed.
type racing struct {
	certmagic.Storage
	tries *int // that race
}

func (r racing) List(ctx context.Context, key string, recursive bool) ([]string, error) {
	if strings.Contains(key, "revocations/") && *r.tries > 0 {
		*r.tries--
		return []string{key + "/half"}, fs.ErrNotExist
	}
	return r.Storage.List(ctx, key, recursive)
}

func TestAListingThatMissesAFileIsNotTakenForAMissingFolder(t *testing.T) {
	for tries, known := range map[int]bool{1: true, listTries - 1: true, listTries: false, 1000: false} {
		inBubble(t, func(t *testing.T) {
			storage := newShelf()
			a, id := newNode(storage), monthAhead()
			must(t, a.Revoke(t.Context(), id))
			b := newNode(racing{storage, &tries})
			err := b.Poll(t.Context())
			if known {
				must(t, err)
				b.wantInView(t, id, true)
			} else {
				wantUnavailable(t, err)
			}
		})
	}
}

// A storage's Exists also says no when it could not find out.
func TestAFolderThatCannotBeLookedAtIsNotTakenForMissing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		a, id := newNode(storage), monthAhead()
		must(t, a.Revoke(t.Context(), id))
		tries := 1
		b := newNode(racing{storage, &tries})
		b.storage.add(&rule{op: "exists", fault: refused})
		b.storage.add(&rule{op: "stat", fault: refused})
		if err := b.Poll(t.Context()); err == nil {
			b.wantInView(t, id, true)
		}
	})
}

// The same for real: a file storage is listed while other nodes revoke, which makes and
// renames temporary files.
func TestPollingAFileStorageWhileOthersRevokeMissesNothing(t *testing.T) {
	storage := &certmagic.FileStorage{Path: t.TempDir()}
	const writers, revocations = 3, 30
	reader, first := newNode(storage), monthAhead()
	must(t, newNode(storage).Revoke(t.Context(), first))
	must(t, reader.Poll(t.Context()))

	var mu sync.Mutex
	var done []ID
	var writing sync.WaitGroup
	for range writers {
		writing.Go(func() {
			n := newNode(storage)
			for range revocations {
				id := monthAhead()
				if err := n.Revoke(t.Context(), id); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				done = append(done, id)
				mu.Unlock()
			}
		})
	}
	finished := make(chan struct{})
	go func() { writing.Wait(); close(finished) }()
	raced, polls := 0, 0
	for running := true; running; polls++ {
		select {
		case <-finished:
			running = false
		default:
		}
		mu.Lock()
		before := done[:len(done):len(done)]
		mu.Unlock()
		reader.storage.logSoFar()
		fresh := reader.restart()
		for _, n := range []*node{reader, fresh} {
			must(t, n.Poll(t.Context()))
			n.wantInView(t, first, true)
			for _, id := range before {
				n.wantInView(t, id, true)
			}
		}
		if len(reader.storage.logSoFar()) > 3 { // listed twice or more, and looked whether the folder is there
			raced++
		}
	}
	t.Logf("%d of %d polls met with a race", raced, polls)
	if len(done) != writers*revocations {
		t.Errorf("%d sessions are revoked", len(done))
	}
}

func TestAPollThatWasHeldUpForgetsNothingNew(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		a, b, old, id := newNode(storage), newNode(storage), monthAhead(), monthAhead()
		must(t, a.Revoke(t.Context(), old))
		b.storage.befalls("list", "revocations/", stuck)
		wantUnavailable(t, b.Poll(t.Context()))
		time.Sleep(30 * time.Hour)
		must(t, b.Revoke(t.Context(), id))
		b.storage.release()
		synctest.Wait()
		for _, id := range []ID{old, id} {
			if revoked, _ := b.memory.InView(id); !revoked {
				t.Error("not revoked")
			}
		}
		if at := b.memory.ViewReadAt(); time.Since(at) < 30*time.Hour {
			t.Errorf("read at %s", at)
		}
		must(t, b.Poll(t.Context()))
		b.wantInView(t, id, true)
	})
}
