package session

import (
	"context"
	"fmt"
	"io/fs"
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
		wantUnavailable(t, b.Poll(t.Context(), time.Hour))
		unknown()
		b.storage.befalls("list", "revocations/", refused) // an hour
		wantUnavailable(t, b.Poll(t.Context(), time.Hour))
		unknown()
		must(t, b.Revoke(t.Context(), monthAhead())) // of one's own doing is not all
		unknown()
		must(t, b.Poll(t.Context(), time.Hour))
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
			must(t, n.Poll(t.Context(), time.Hour))
			n.wantInView(t, monthAhead(), false)
			if len(storage.keys("")) > 0 {
				t.Errorf("storage has %v", storage.keys(""))
			}
		})
	}
}

// The age of the view is what an operator sees: what was revoked while it was read may not be in it.
func TestAViewIsAsOldAsTheBeginningOfItsReading(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNode(newShelf())
		begun := time.Now()
		n.storage.add(&rule{op: "list", times: 1, before: func() { time.Sleep(20 * time.Second) }})
		must(t, n.Poll(t.Context(), time.Hour))
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
		must(t, b.Poll(t.Context(), time.Hour))
		at := b.memory.ViewReadAt()
		for _, what := range []fault{refused, hangs, panics, stuck} {
			time.Sleep(time.Hour)
			b.storage.befalls("list", "", what)
			wantUnavailable(t, b.Poll(t.Context(), time.Hour))
			b.wantInView(t, id, true)
			if !b.memory.ViewReadAt().Equal(at) {
				t.Errorf("%s: read at %s, want %s", what, b.memory.ViewReadAt(), at)
			}
		}
		wantUnavailable(t, b.Poll(t.Context(), time.Hour)) // the last one has not ended
		b.storage.release()
		synctest.Wait()
		must(t, b.Poll(t.Context(), time.Hour))
	})
}

func TestWhatAPollOfSeveralHoursGotThroughBeforeItFailedCountsAlready(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		a, b, first, second := newNode(storage), newNode(storage), monthAhead(), monthAhead()
		must(t, b.Poll(t.Context(), time.Hour))
		must(t, a.Revoke(t.Context(), first))
		time.Sleep(time.Hour)
		must(t, a.Revoke(t.Context(), second))
		b.storage.befalls("list", "revocations/2000010101", refused)
		wantUnavailable(t, b.Poll(t.Context(), time.Hour))
		b.wantInView(t, first, true)
		b.wantInView(t, second, false)
		must(t, b.Poll(t.Context(), time.Hour))
		b.wantInView(t, second, true)
	})
}

// The feed at work: every hour some sessions are revoked at one of three nodes, whose clocks differ. Every node knows
// each of them while its access tokens can live, and forgets it some time later.
func TestARevocationIsKnownForAsLongAsAccessTokensLiveAndThenForgotten(t *testing.T) {
	for _, keep := range []time.Duration{time.Minute, time.Hour, 26 * time.Hour} {
		t.Run(keep.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				storage := newShelf()
				nodes := []*node{newNode(storage), newNode(storage), newNode(storage)}
				nodes[1].skew, nodes[2].skew = 40*time.Second, -40*time.Second
				type revocation struct {
					id ID
					at time.Time
				}
				var all []revocation
				for step := range 200 {
					r := revocation{monthAhead(), time.Now()}
					must(t, nodes[step%3].Revoke(t.Context(), r.id))
					all = append(all, r)
					time.Sleep(25 * time.Minute)
					for i, n := range append(nodes, nodes[0].restart()) {
						must(t, n.Poll(t.Context(), keep))
						for _, r := range all {
							age := time.Since(r.at)
							known, _ := n.memory.InView(r.id)
							if !known && age <= keep+20*time.Minute {
								t.Fatalf("node %d does not know what was revoked %s ago", i, age)
							}
							if known && age > keep+4*time.Hour {
								t.Fatalf("node %d has not forgotten what was revoked %s ago", i, age)
							}
						}
						if len(n.memory.view.read) > int(keep.Hours())+5 {
							t.Fatalf("node %d remembers %d hours", i, len(n.memory.view.read))
						}
					}
				}
			})
		})
	}
}

func TestTheNewestThreeHoursAreKeptHoweverOld(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		a, b := newNode(storage), newNode(storage)
		var ids []ID
		for range 5 {
			id := monthAhead()
			must(t, a.Revoke(t.Context(), id))
			ids = append(ids, id)
			time.Sleep(2 * time.Hour)
		}
		time.Sleep(3 * 24 * time.Hour)
		for _, n := range []*node{a, b} {
			must(t, n.Poll(t.Context(), time.Hour))
			for i, id := range ids {
				n.wantInView(t, id, i >= 2)
			}
		}
	})
}

func TestHoursThatAreClosedAreReadOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		a, b := newNode(storage), newNode(storage)
		for range 10 {
			must(t, a.Revoke(t.Context(), monthAhead()))
			time.Sleep(time.Hour)
		}
		must(t, b.Poll(t.Context(), 24*time.Hour))
		if calls := b.storage.log(); len(calls) != 11 {
			t.Errorf("the first time: %q", calls)
		}
		must(t, b.Poll(t.Context(), 24*time.Hour))
		if calls := b.storage.log(); len(calls) != 1+openHours {
			t.Errorf("the second time: %q", calls)
		}
	})
}

// Whoever revokes looks for the newest hour and then writes, and in between others may have made newer ones.
func TestThisHourAndTheOneBeforeAreReadAgainHoweverManyNewerOnesThereAre(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n := newNode(storage)
		time.Sleep(30 * time.Minute)
		for _, hour := range []string{"2000010100", "2000010105", "2000010106", "2000010107"} {
			put(t, storage, "revocations/"+hour+"/"+monthAhead().String(), "")
		}
		for range 2 {
			must(t, n.Poll(t.Context(), time.Hour))
			id := monthAhead()
			put(t, storage, "revocations/2000010100/"+id.String(), "")
			must(t, n.Poll(t.Context(), time.Hour))
			n.wantInView(t, id, true)
			time.Sleep(time.Hour)
		}
	})
}

// A clock that is wrong by days, at the one who revokes or at the one who reads, while the clocks of all others are
// right and others revoke too. What is promised is for access tokens of an hour: three hours of the feed.
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
					revoked := make(map[ID]time.Time)
					for step := range 50 {
						id := monthAhead()
						revoked[id] = time.Now()
						if step%4 == 0 {
							must(t, right.Revoke(t.Context(), id))
						} else {
							must(t, writer.Revoke(t.Context(), id))
						}
						time.Sleep(11 * time.Minute)
						restarted := reader.restart()
						for _, n := range []*node{reader, right, restarted} {
							must(t, n.Poll(t.Context(), time.Hour))
							for id, at := range revoked {
								if known, _ := n.memory.InView(id); !known && time.Since(at) <= time.Hour+5*time.Minute {
									t.Fatalf("after %d steps what was revoked %s ago is not known", step, time.Since(at))
								}
							}
						}
					}
				})
			})
		}
	}
}

// Where access tokens live for long, that holds for whoever was running at the time, even if the hour is swept at once.
func TestARevocationInAnHourThatIsTooEarlyIsKnownForAsLongAsAccessTokensLive(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		wrong, right := newNode(storage), newNode(storage)
		wrong.skew = -20 * 24 * time.Hour
		id := monthAhead()
		must(t, wrong.Revoke(t.Context(), id))
		keep := 24 * time.Hour
		for begun := time.Now(); time.Since(begun) < keep+30*time.Hour; time.Sleep(30 * time.Minute) {
			must(t, right.Revoke(t.Context(), monthAhead()))
			must(t, right.Poll(t.Context(), keep))
			if known, _ := right.memory.InView(id); known != (time.Since(begun) < keep+2*time.Hour) {
				t.Fatalf("after %s: known %v", time.Since(begun), known)
			}
			_, err := right.Sweep(t.Context(), keep)
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
		must(t, b.Poll(t.Context(), time.Hour))
		b.wantInView(t, id, true)
		if len(b.memory.view.revoked) != 1 || len(b.memory.view.read) != 1 {
			t.Errorf("the view has %v of %v", b.memory.view.revoked, b.memory.view.read)
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
		must(t, n.Poll(t.Context(), time.Hour))
		n.wantInView(t, id, true)
	})
}

// racing lists like a file system in which a temporary file disappears while it is listed.
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
			err := b.Poll(t.Context(), time.Hour)
			if known {
				must(t, err)
				b.wantInView(t, id, true)
			} else {
				wantUnavailable(t, err)
			}
		})
	}
}

// Exists of a storage says no also when it could not find out.
func TestAFolderThatCannotBeLookedAtIsNotTakenForMissing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		a, id := newNode(storage), monthAhead()
		must(t, a.Revoke(t.Context(), id))
		tries := 1
		b := newNode(racing{storage, &tries})
		b.storage.add(&rule{op: "exists", fault: refused})
		b.storage.add(&rule{op: "stat", fault: refused})
		if err := b.Poll(t.Context(), time.Hour); err == nil {
			b.wantInView(t, id, true)
		}
	})
}

// The same for real: a file storage is listed while other nodes revoke, which makes and renames temporary files.
func TestPollingAFileStorageWhileOthersRevokeMissesNothing(t *testing.T) {
	storage := &certmagic.FileStorage{Path: t.TempDir()}
	const writers, revocations = 3, 30
	reader, first := newNode(storage), monthAhead()
	must(t, newNode(storage).Revoke(t.Context(), first))
	must(t, reader.Poll(t.Context(), time.Hour))

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
			must(t, n.Poll(t.Context(), time.Hour))
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
		wantUnavailable(t, b.Poll(t.Context(), time.Hour))
		time.Sleep(30 * time.Hour)
		must(t, b.Revoke(t.Context(), id))
		b.storage.release()
		synctest.Wait()
		b.wantInView(t, id, true)
		if at := b.memory.ViewReadAt(); time.Since(at) < 30*time.Hour {
			t.Errorf("read at %s", at)
		}
		must(t, b.Poll(t.Context(), time.Hour))
		b.wantInView(t, id, true)
	})
}
