package session

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"
)

// fill puts entries into an hour, and returns one of them.
func fill(t *testing.T, storage certmagic.Storage, hour string, entries int) (one ID) {
	t.Helper()
	for range entries {
		one = monthAhead()
		put(t, storage, "revocations/"+hour+"/"+one.String(), "")
	}
	return one
}

// listings counts the listings of an hour since the last look at the calls.
func (n *node) listings(hour string) (listings int) {
	for _, call := range n.storage.log() {
		if call == "list revocations/"+hour {
			listings++
		}
	}
	return listings
}

func TestACrowdedHourIsNotReadForEver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n := newNode(storage)
		fill(t, storage, "2000010100", 5*usualPages.full)
		for range 100 {
			must(t, n.Poll(t.Context()))
			time.Sleep(2 * time.Second)
		}
		if listings := n.listings("2000010100"); listings > 12 {
			t.Errorf("the hour was listed %d times", listings)
		}
		for range 100 {
			must(t, n.Poll(t.Context()))
			time.Sleep(2 * time.Second)
		}
		if listings := n.listings("2000010100"); listings > 0 {
			t.Errorf("the hour was listed %d times more", listings)
		}
	})
}

// Where no page can be turned, and listing takes long, the time of a node goes
// elsewhere. Nothing is missed.
func TestACrowdedHourThatStaysTheNewestIsReadRarely(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n := newNode(storage)
		n.storage.add(&rule{op: "store", part: pageName, fault: refused})
		slow := &rule{op: "list", part: "revocations/2", before: func() { time.Sleep(5 * time.Second) }}
		n.storage.add(slow)
		one := fill(t, storage, "2000010100", 5*usualPages.full)
		polled := func(times int) {
			for range times {
				if err := n.Poll(t.Context()); err != nil && !errors.Is(err, ErrReading) {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Second)
			}
		}
		polled(10)
		n.wantInView(t, one, true)
		n.listings("")
		late := fill(t, storage, "2000010100", 1)
		polled(500)
		if listings := n.listings("2000010100"); listings < 5 || listings > 15 {
			t.Errorf("the hour was listed %d times in %d s", listings, 1000)
		}
		n.wantInView(t, late, true)
		time.Sleep(time.Minute)
	})
}

// A revocation looks for the newest hour and then writes. If there is a newer hour by
// then, the hour that was written to may no longer be read, however long the write
// took.
func TestAnEntryGoesWhereNodesStillLook(t *testing.T) {
	for _, stalls := range []time.Duration{0, 8 * time.Second, 5 * time.Minute, 3 * time.Hour} {
		t.Run(stalls.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				storage := newShelf()
				writer, reader := newNode(storage), newNode(storage)
				must(t, writer.Revoke(t.Context(), monthAhead()))
				must(t, reader.Poll(t.Context()))
				writer.storage.add(&rule{op: "store", part: "revocations/", times: 1, before: func() {
					fill(t, storage, "2000010107", 1)
					for begun := time.Now(); time.Since(begun) < stalls; time.Sleep(2 * time.Second) {
						must(t, reader.Poll(t.Context()))
					}
				}})
				id := monthAhead()
				err := writer.Revoke(t.Context(), id)
				if stalls > revokeLimit {
					wantUnavailable(t, err)
					time.Sleep(stalls + time.Minute) // it goes on
				} else {
					must(t, err)
				}
				must(t, reader.Poll(t.Context()))
				reader.wantInView(t, id, true)
			})
		})
	}
}

// A storage whose listing fails and looks empty.
func TestAFeedThatComesBackWithLessIsNotBelievedForAMinute(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n, writer := newNode(storage), newNode(storage)
		var ids []ID
		for range 3 {
			id := monthAhead()
			must(t, writer.Revoke(t.Context(), id))
			ids = append(ids, id)
			time.Sleep(time.Hour)
		}
		must(t, n.Poll(t.Context()))
		time.Sleep(3 * time.Minute)
		must(t, n.Poll(t.Context()))
		at := n.memory.ViewReadAt()
		kept := storage.keys("revocations/")
		for _, key := range kept[1:] {
			must(t, storage.Delete(t.Context(), testPrefix+"/"+key))
		}
		for begun := time.Now(); time.Since(begun) < disbeliefFor; time.Sleep(2 * time.Second) {
			wantUnavailable(t, n.Poll(t.Context()))
		}
		if !n.memory.ViewReadAt().Equal(at) {
			t.Error("it counts as read")
		}
		must(t, n.Poll(t.Context())) // it is so, and from now on what is written there is read again
		id := monthAhead()
		put(t, storage, strings.TrimSuffix(kept[0], ids[0].String())+id.String(), "")
		must(t, n.Poll(t.Context()))
		for _, id := range append(ids, id) {
			n.wantInView(t, id, true)
		}
		must(t, storage.Delete(t.Context(), testPrefix+"/revocations"))
		wantUnavailable(t, n.Poll(t.Context()))
		for _, key := range kept {
			put(t, storage, key, "")
		}
		must(t, n.Poll(t.Context()))
		for _, id := range append(ids, id) {
			n.wantInView(t, id, true)
		}
	})
}

// A feed that takes minutes to read is read, hour by hour, and what was read counts at
// once.
func TestALargeFeedIsReadInTheBackground(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n, writer := newNode(storage), newNode(storage)
		var ids []ID // from the oldest
		for range 5 {
			id := monthAhead()
			must(t, writer.Revoke(t.Context(), id))
			ids = append(ids, id)
			time.Sleep(time.Hour)
		}
		n.storage.add(&rule{op: "list", part: "revocations/", before: func() { time.Sleep(100 * time.Second) }})
		begun := time.Now()
		for n.memory.ViewReadAt().IsZero() {
			if err := n.Poll(t.Context()); !errors.Is(err, ErrReading) || !errors.Is(err, ErrUnavailable) {
				t.Fatalf("error %v", err)
			}
			read := int(time.Since(begun) / (100 * time.Second))
			for i, id := range ids {
				revoked, known := n.memory.InView(id)
				if known && read < len(ids) || revoked != (i >= len(ids)-read) {
					t.Fatalf("after %s: hour %d: revoked %v, known %v", time.Since(begun), i, revoked, known)
				}
			}
			time.Sleep(time.Second)
		}
		if took := time.Since(begun); took > 510*time.Second {
			t.Errorf("it took %s", took)
		}
		for _, id := range ids {
			n.wantInView(t, id, true)
		}
		time.Sleep(10 * time.Minute)
	})
}

// The last step of a first reading hangs: all hours are read, but that does not mean
// that everything is known.
func TestAPollIsNotDoneBeforeTheViewIsComplete(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n := newNode(storage)
		id := monthAhead()
		must(t, newNode(storage).Revoke(t.Context(), id))
		n.storage.add(&rule{op: "list", part: "swept", times: 1, before: func() { time.Sleep(10 * time.Second) }})
		if err := n.Poll(t.Context()); !errors.Is(err, ErrReading) {
			t.Errorf("error %v", err)
		}
		if _, known := n.memory.InView(id); known {
			t.Error("the view is complete")
		}
		time.Sleep(2 * time.Minute)
		must(t, n.Poll(t.Context()))
		n.wantInView(t, id, true)
	})
}

// An hour that cannot be listed in time keeps no other hour from being read, and gets
// more time.
func TestAnHourThatTakesTooLongGetsMoreTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n, writer := newNode(storage), newNode(storage)
		n.storage.obedient = true
		for range 3 {
			must(t, writer.Revoke(t.Context(), monthAhead()))
			time.Sleep(time.Hour)
		}
		n.storage.add(&rule{op: "list", part: "revocations/2000010101", before: func() { time.Sleep(7 * time.Minute) }})
		others := 0
		for begun := time.Now(); time.Since(begun) < time.Hour; time.Sleep(2 * time.Second) {
			err := n.Poll(t.Context())
			if err == nil {
				break
			}
			if n.memory.ViewSize() == 2 {
				others++
			}
		}
		if others == 0 || n.memory.ViewSize() != 3 {
			t.Errorf("%d polls knew the others; now %d sessions are known", others, n.memory.ViewSize())
		}
		time.Sleep(10 * time.Minute)
	})
}

// An hour that hangs for good holds up none of the newest, where others revoke.
func TestAnOldHourThatHangsHoldsUpNoPoll(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n, writer := newNode(storage), newNode(storage)
		for range 5 {
			must(t, writer.Revoke(t.Context(), monthAhead()))
			time.Sleep(time.Hour)
		}
		must(t, n.Poll(t.Context()))
		n.storage.befalls("list", "revocations/2000010100", stuck)
		time.Sleep(3 * time.Minute)
		for range 10 {
			id := monthAhead()
			must(t, writer.Revoke(t.Context(), id))
			must(t, n.Poll(t.Context()))
			n.wantInView(t, id, true)
			time.Sleep(20 * time.Minute)
		}
		n.storage.release()
	})
}

func TestWhatStorageIsAskedForBeforeTheFeedWasRead(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n, writer := newNode(storage), newNode(storage)
		revoked, live, half := monthAhead(), monthAhead(), monthAhead()
		must(t, writer.Revoke(t.Context(), revoked))
		writer.storage.befalls("store", "revocations/", refused)
		wantUnavailable(t, writer.Revoke(t.Context(), half)) // its marker is there
		ask := func(id ID, want bool, calls int) {
			t.Helper()
			n.storage.log()
			got, err := n.IsRevoked(t.Context(), id, 2*time.Second)
			if err != nil || got != want {
				t.Errorf("revoked %v, error %v, want %v", got, err, want)
			}
			if made := n.storage.log(); (len(made) > 0) != (calls > 0) {
				t.Errorf("calls %q", made)
			}
		}
		ask(revoked, true, 1)
		ask(half, true, 1)
		ask(live, false, 1)
		time.Sleep(time.Second)
		ask(live, false, 0) // within a poll
		must(t, writer.Revoke(t.Context(), live))
		time.Sleep(time.Second)
		ask(live, true, 1)
		time.Sleep(time.Hour)
		ask(live, true, 0) // for good
		n.storage.befalls("load", "", refused)
		if _, err := n.IsRevoked(t.Context(), monthAhead(), time.Second); !errors.Is(err, ErrUnavailable) {
			t.Errorf("error %v", err)
		}
		must(t, n.Revoke(t.Context(), half)) // what was asked for does not count as told to other nodes
		other := n.restart()
		must(t, other.Poll(t.Context()))
		other.wantInView(t, half, true)
		must(t, n.Poll(t.Context()))
		ask(monthAhead(), false, 0)
	})
}

// A crowd with one token asks once, and a crowd with many sessions at most 64 times at
// once.
func TestACrowdBeforeTheFeedWasReadAsksStorageNoMoreThanItMust(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		var running, most atomic.Int32
		n.storage.add(&rule{op: "load", part: "sessions/", before: func() { // a sign loads a dozen others
			most.Store(max(most.Load(), running.Add(1)))
			time.Sleep(time.Millisecond)
			running.Add(-1)
		}})
		results := make(chan error)
		crowd := func(size int, id func() ID) {
			for range size {
				session := id()
				go func() {
					_, err := n.IsRevoked(t.Context(), session, time.Second)
					results <- err
				}()
			}
			for range size {
				must(t, <-results)
			}
		}
		crowd(1000, func() ID { return id })
		calls := slices.DeleteFunc(n.storage.log(), func(call string) bool { return strings.Contains(call, " probe/") })
		if len(calls) > 12 { // record, marker and mark, twice, and again after the sign
			t.Errorf("%d calls", len(calls))
		}
		crowd(2*maxAsked, monthAhead)
		if most.Load() > maxAsking {
			t.Errorf("%d at once", most.Load())
		}
		if kept := n.memory.asked.answers.Len(); kept > maxAsked {
			t.Errorf("%d answers are remembered", kept)
		}
	})
}

func TestACallerThatAsksAHangingStorageIsNotKeptWaiting(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		n.storage.befalls("load", "", stuck)
		ctx, hangUp := context.WithCancel(t.Context())
		first := make(chan error)
		go func() {
			_, err := n.IsRevoked(ctx, id, time.Second)
			first <- err
		}()
		synctest.Wait()
		hangUp()
		wantUnavailable(t, <-first)
		begun := time.Now()
		_, err := n.IsRevoked(t.Context(), id, time.Second) // with the first one
		wantUnavailable(t, err)
		if took := time.Since(begun); took > readLimit {
			t.Errorf("it took %s", took)
		}
		if revoked, err := n.IsRevoked(t.Context(), id, time.Second); err != nil || revoked {
			t.Errorf("then: revoked %v, error %v", revoked, err)
		}
		n.storage.release()
	})
}
