package session

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// storesOf are the objects that a node has stored since the last time, except signs of
// life.
func storesOf(n *node) (stores []string) {
	for _, call := range n.storage.log() {
		if name, ok := strings.CutPrefix(call, "store "); ok && !strings.HasPrefix(name, "probe/") {
			stores = append(stores, name)
		}
	}
	return stores
}

// A marker whose place is down: the record says it too.
func TestARevocationIsKeptInTwoPlaces(t *testing.T) {
	for _, before := range []uint64{0, 1, 3} {
		inBubble(t, func(t *testing.T) {
			n, id := newNode(newShelf()), monthAhead()
			for generation := range before {
				n.wantRotated(t, id, generation, 0, generation+1)
			}
			must(t, n.Revoke(t.Context(), id))
			for name, part := range map[string]string{"marker": markerSuffix, "mark": "swept/", "probes": "probe/", "feed": "revocations"} {
				again := n.restart()
				again.storage.add(&rule{part: part, fault: unseen})
				for generation := range before + 2 {
					if got, err := again.Rotate(t.Context(), id, generation, time.Minute, false); !errors.Is(err, ErrRevoked) {
						t.Errorf("without the %s generation %d gave %d, error %v", name, generation, got, err)
					}
				}
				if revoked, err := again.Revoked(t.Context(), id); !revoked || err != nil {
					t.Errorf("without the %s: revoked %v, error %v", name, revoked, err)
				}
			}
		})
	}
}

// Where nothing of a session can be read, what the process knows about it counts, and
// the record's place decides.
func TestARevokedSessionOfWhichNothingCanBeReadGetsNoToken(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		must(t, n.Revoke(t.Context(), id))
		for _, node := range []*node{n, n.restart()} {
			node.storage.add(&rule{part: id.random, fault: unseen})
			for generation := range uint64(3) {
				if got, err := node.Rotate(t.Context(), id, generation, 0, generation == 0); err == nil {
					t.Errorf("generation %d gave %d", generation, got)
				}
			}
		}
		n.restart().wantRefused(t, id, 0, 0, ErrRevoked)
	})
}

// What earlier versions wrote: only a marker.
func TestAMarkerAloneRevokesAndIsCompleted(t *testing.T) {
	for _, before := range []uint64{0, 2} {
		inBubble(t, func(t *testing.T) {
			n, id := newNode(newShelf()), monthAhead()
			for generation := range before {
				n.wantRotated(t, id, generation, 0, generation+1)
			}
			put(t, n.storage, "sessions/"+id.day+"/"+id.random+markerSuffix, string(revocation(time.Now())))
			n.wantRefused(t, id, before, 0, ErrRevoked)
			must(t, n.Revoke(t.Context(), id))
			must(t, n.storage.Delete(t.Context(), n.markerKey(id)))
			n.restart().wantRefused(t, id, before, 0, ErrRevoked)
		})
	}
}

// And how an earlier version reads our record: not as one that it hands anything out
// for.
func TestARevokedRecordIsNotLiveToEarlierVersions(t *testing.T) {
	r, err := decodeRecord(revocation(time.Now()))
	if err != nil || r.Revoked == "" || r.Generation != 0 || r.Answer != "" {
		t.Errorf("record %+v, error %v", r, err)
	}
	for _, content := range []string{`{"version":1,"revoked":`, `{"version":1,"revoked":true}`, `{"version":1,"revoked":""}`, `{"version":1}`} {
		if _, err := decodeRecord([]byte(content)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: error %v", content, err)
		}
	}
	if r, err := decodeRecord([]byte(`{"version":1,"generation":3,"answer":"a","rotated":1,"revoked":"2026-01-01T00:00:00Z"}`)); err != nil || r.Revoked == "" || r.Generation != 0 {
		t.Errorf("record %+v, error %v", r, err)
	}
}

// A record that is not found, or is older than the token, for as long as its place is
// down: nothing ends.
func TestASessionWhoseRecordCannotBeReadIsUnavailableAndGoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		for generation := range uint64(3) {
			n.wantRotated(t, id, generation, 0, generation+1)
		}
		synctest.Wait()
		for name, r := range map[string]*rule{
			"everything":             {fault: unseen},
			"all of the session":     {part: id.random, fault: unseen},
			"reads of the session":   {op: "load", part: id.random, times: 2, fault: unseen},
			"reads until the probes": {op: "load", part: id.random, times: 4, fault: unseen},
		} {
			again := n.restart()
			again.storage.add(r)
			for _, generation := range []uint64{3, 5} {
				_, err := again.Check(t.Context(), id, generation, 0)
				if err == nil && generation == 3 || errors.Is(err, ErrUnavailable) {
					continue
				}
				if !isLost(err) {
					t.Errorf("%s: error %v", name, err)
				}
				if generation == 3 { // of which the record says only that it is the current one
					wantUnavailable(t, again.RevokeLost(t.Context(), id, generation))
				}
			}
			if stores := storesOf(again); slices.ContainsFunc(stores, func(name string) bool { return strings.Contains(name, markerSuffix) }) {
				t.Errorf("%s: stored %q", name, stores)
			}
		}
		n.restart().wantRotated(t, id, 3, 0, 4)
	})
}

func TestASessionIsNotEndedForALossThatOnlySeemsSo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		n.wantRotated(t, id, 0, 0, 1)
		n.wantRotated(t, id, 1, 0, 2)
		n.storage.log()
		for _, generation := range []uint64{1, 2} {
			wantUnavailable(t, n.RevokeLost(t.Context(), id, generation))
		}
		if stores := storesOf(n); len(stores) > 0 {
			t.Errorf("stored %q", stores)
		}
		n.wantRotated(t, id, 2, 0, 3)
	})
}

// A record that really is lost ends its session: otherwise its first token would be
// good again.
func TestASessionWhoseRecordIsGoneIsEndedAtItsOwnPlaceFirst(t *testing.T) {
	for name, lose := range map[string]func(*testing.T, *node, ID){
		"gone": func(t *testing.T, n *node, id ID) { must(t, n.storage.Storage.Delete(t.Context(), n.recordKey(id))) },
		"damaged": func(t *testing.T, n *node, id ID) {
			must(t, n.storage.Storage.Store(t.Context(), n.recordKey(id), []byte("{")))
		},
		"older": func(t *testing.T, n *node, id ID) {
			must(t, n.storage.Storage.Store(t.Context(), n.recordKey(id), encodeRecord(record{Generation: 1, Answer: "a"})))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				n, id := newNode(newShelf()), monthAhead()
				for generation := range uint64(3) {
					n.wantRotated(t, id, generation, 0, generation+1)
				}
				lose(t, n, id)
				_, err := n.Check(t.Context(), id, 3, 0)
				if !isLost(err) {
					t.Fatal(err)
				}
				synctest.Wait()
				n.storage.log()

				// its place does not take it: nothing is revoked
				n.storage.befalls("store", "sessions/", refused)
				wantUnavailable(t, n.RevokeLost(t.Context(), id, 3))
				if stores := storesOf(n); !slices.Equal(stores, []string{"sessions/" + id.day + "/" + id.random}) {
					t.Errorf("stored %q", stores)
				}
				if revoked, err := n.Revoked(t.Context(), id); err == nil && revoked && name != "damaged" {
					t.Error("it is revoked")
				}

				must(t, n.RevokeLost(t.Context(), id, 3))
				stores := storesOf(n)
				if len(stores) != 3 || stores[0] != "sessions/"+id.day+"/"+id.random || !strings.HasSuffix(stores[1], markerSuffix) {
					t.Errorf("stored %q", stores)
				}
				for generation := range uint64(4) {
					n.restart().wantRefused(t, id, generation, time.Minute, ErrRevoked)
				}
			})
		})
	}
}

// A marker that cannot be read while an exchange reads back what it wrote: the record
// that would be overwritten is not there before the exchange has ended.
func TestARevocationWaitsForTheExchangeThatCouldOverwriteIt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for at := range laterRotationCalls(t) {
			storage := newShelf()
			a, b, id := newNode(storage), newNode(storage), monthAhead()
			a.wantRotated(t, id, 0, 0, 1)
			synctest.Wait()
			a.storage.log()
			revoked := make(chan struct{})
			a.storage.add(&rule{skip: at, times: 1, before: func() {
				go func() {
					must(t, b.Revoke(t.Context(), id))
					close(revoked)
				}()
				time.Sleep(time.Millisecond)
				a.storage.add(&rule{op: "load", part: markerSuffix, fault: unseen})
			}})
			_, _ = a.Rotate(t.Context(), id, 1, 0, false) // which may be before the revocation, and is not undone by it
			<-revoked
			time.Sleep(time.Second)
			again := a.restart()
			again.storage.add(&rule{op: "load", part: markerSuffix, fault: unseen})
			for generation := range uint64(4) {
				if got, err := again.Rotate(t.Context(), id, generation, 0, false); !errors.Is(err, ErrRevoked) {
					t.Errorf("revoked at call %d: generation %d gave %d, error %v", at, generation, got, err)
				}
			}
		}
	})
}

// What the storage says to a context that has ended means nothing.
func TestNothingIsBelievedOfAReadWhoseContextHasEnded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for _, op := range []string{"load", "list", "stat"} {
			n := newNode(newShelf())
			n.storage.add(&rule{op: op, fault: hangsUnseen})
			for _, name := range []string{"Check", "Rotate", "Revoke", "Revoked", "Poll", "Sweep"} {
				method := limited(t, n, monthAhead())[name]
				if err := method.call(t.Context()); err != nil && !errors.Is(err, ErrUnavailable) {
					t.Errorf("%s of %s: %v", op, name, err)
				}
			}
			if keys := n.storage.Storage.(*shelf).keys("sessions/"); len(keys) > 0 && op == "load" {
				t.Errorf("%s: stored %q", op, keys)
			}
		}
	})
}

// Poll must not take a feed that cannot be read for one in which nothing happened.
func TestAFeedThatIsReadAsEmptyIsNotBelieved(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		a, b := newNode(storage), newNode(storage)
		put(t, storage, "secret", "x")
		for _, n := range []*node{a, b} {
			n.WithWitness(testPrefix + "/secret")
		}
		must(t, a.Revoke(t.Context(), monthAhead()))
		must(t, b.Poll(t.Context()))
		for _, r := range []*rule{{op: "list", fault: unseen}, {fault: unseen}} {
			b.storage.add(r)
			b.storage.add(&rule{op: "stat", fault: unseen})
			b.storage.add(&rule{op: "load", part: "probe/", fault: unseen})
			wantUnavailable(t, b.Poll(t.Context()))
			b.storage.recovers()
			must(t, b.Poll(t.Context()))
		}
		// and a feed that really is gone is believed, after a while
		must(t, storage.Delete(t.Context(), testPrefix+"/revocations"))
		wantUnavailable(t, b.Poll(t.Context()))
		time.Sleep(disbeliefFor)
		must(t, b.Poll(t.Context()))
		b.storage.log()
		must(t, b.Poll(t.Context()))
		if stores := slices.DeleteFunc(b.storage.log(), func(call string) bool { return !strings.HasPrefix(call, "store ") }); len(stores) > 0 {
			t.Errorf("each poll stores %q", stores)
		}
	})
}

// A node that starts while the places of the feed cannot be read: to it, hours look
// empty or missing.
func TestAFeedOfWhichNothingIsKnownIsNotReadAsEmpty(t *testing.T) {
	for name, part := range map[string]string{"the feed": "revocations", "an hour": "revocations/"} {
		inBubble(t, func(t *testing.T) {
			storage := newShelf()
			put(t, storage, "secret", "x")
			a, id := newNode(storage), monthAhead()
			must(t, a.Revoke(t.Context(), id))
			must(t, a.Revoke(t.Context(), monthAhead()))
			time.Sleep(2 * time.Hour)
			must(t, a.Revoke(t.Context(), monthAhead()))

			b := newNode(storage)
			b.WithWitness(testPrefix + "/secret")
			b.storage.add(&rule{part: part, fault: unseen})
			b.storage.add(&rule{op: "load", part: "probe/", fault: unseen})
			for range 5 {
				wantUnavailable(t, b.Poll(t.Context()))
				if _, known := b.memory.InView(id); known {
					t.Errorf("%s is believed to be empty", name)
				}
				if revoked, err := b.IsRevoked(t.Context(), id, time.Second); !revoked || err != nil {
					t.Errorf("without %s: revoked %v, error %v", name, revoked, err)
				}
				time.Sleep(time.Minute)
			}
			b.storage.recovers()
			must(t, b.Poll(t.Context()))
			if revoked, known := b.memory.InView(id); !revoked || !known {
				t.Errorf("revoked %v, known %v", revoked, known)
			}
		})
	}
}

// An hour whose entries cannot be listed may still be needed.
func TestASweepDoesNotRemoveAnHourThatIsReadAsEmpty(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newFileStorage(t)), monthAhead()
		put(t, n.storage, "secret", "x")
		n.WithWitness(testPrefix + "/secret")
		must(t, n.Revoke(t.Context(), id))
		hour := hourOf(time.Now())
		time.Sleep(10 * 24 * time.Hour)
		must(t, n.Revoke(t.Context(), NewID(time.Now().AddDate(0, 1, 0))))
		for _, op := range []string{"list", "stat"} {
			n.storage.add(&rule{op: op, part: "revocations/" + hour, fault: unseen})
		}
		n.storage.add(&rule{op: "load", part: "probe/", fault: unseen})
		_, _ = n.Sweep(t.Context())
		n.storage.recovers()
		if revoked, known := func() (bool, bool) {
			again := n.restart()
			must(t, again.Poll(t.Context()))
			return again.memory.InView(id)
		}(); !revoked || !known {
			t.Errorf("revoked %v, known %v", revoked, known)
		}
	})
}

// A node that does not know the revocations yet asks for single sessions: if nothing of
// a session can be read, that does not mean that nothing has happened to it.
func TestNothingFoundOfASessionIsNotBelievedAtAStart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		put(t, storage, "secret", "x")
		n, id, live := newNode(storage), monthAhead(), monthAhead()
		must(t, n.Revoke(t.Context(), id))
		again := n.restart()
		again.WithWitness(testPrefix + "/secret")
		again.storage.add(&rule{part: id.random, fault: unseen})
		again.storage.add(&rule{op: "load", part: "probe/", fault: unseen})
		for _, id := range []ID{id, live} {
			if revoked, err := again.IsRevoked(t.Context(), id, time.Second); err == nil {
				t.Errorf("revoked %v", revoked)
			}
			_, err := again.Revoked(t.Context(), id)
			wantUnavailable(t, err)
		}
		again.storage.recovers()
		var asking sync.WaitGroup
		for range 100 {
			asking.Go(func() {
				id := monthAhead()
				if revoked, err := again.IsRevoked(t.Context(), id, time.Second); revoked || err != nil {
					t.Errorf("revoked %v, error %v", revoked, err)
				}
			})
		}
		asking.Wait()
		if revoked, err := again.IsRevoked(t.Context(), id, time.Second); !revoked || err != nil {
			t.Errorf("revoked %v, error %v", revoked, err)
		}

		// a sign counts for a second
		must(t, again.Poll(t.Context()))
		again.storage.log()
		if revoked, err := again.Revoked(t.Context(), live); revoked || err != nil {
			t.Errorf("revoked %v, error %v", revoked, err)
		}
		for _, call := range again.storage.log() {
			if strings.HasPrefix(call, "store ") {
				t.Error(call)
			}
		}
	})
}

// A place that is down hides what another node has revoked, and its entry in the feed.
func TestNothingFoundOfASessionIsNotBelievedForWhatTheViewHas(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		other := n.restart()
		must(t, n.Poll(t.Context()))
		must(t, other.Revoke(t.Context(), id))
		time.Sleep(time.Minute)
		n.storage.add(&rule{part: id.random, fault: unseen})
		n.storage.add(&rule{part: "revocations/", fault: unseen})
		n.storage.add(&rule{op: "load", part: "probe/", fault: unseen})
		_ = n.Poll(t.Context())
		_, err := n.Revoked(t.Context(), id)
		wantUnavailable(t, err)
	})
}

// A place that is down hides some entries of an hour, and not the others.
func TestASweepDoesNotRemoveAnHourOfWhichAPartIsNotListed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		files := newPlaces(newFileStorage(t))
		put(t, files, "secret", "x")
		newer := func() *node {
			n := newNode(files)
			n.WithWitness(testPrefix + "/secret")
			return n
		}
		n, hour := newer(), hourOf(time.Now())
		var long []ID
		entries := make(map[int]int)
		for len(long) < 12 || entries[0] == 0 || entries[1] == 0 || entries[2] == 0 {
			id := monthAhead()
			must(t, n.Revoke(t.Context(), id))
			long = append(long, id)
			entries[files.place(n.feedKey(hour)+"/"+id.String())]++
		}
		for range 30 {
			must(t, n.Revoke(t.Context(), NewID(time.Now())))
		}
		if hourOf(time.Now()) != hour {
			t.Fatal("it took more than an hour")
		}
		time.Sleep(10 * 24 * time.Hour)
		must(t, n.Revoke(t.Context(), NewID(time.Now().AddDate(0, 1, 0))))
		for place := range placesOfAll {
			down := make([]bool, placesOfAll)
			for other := range down {
				down[other] = other != place
			}
			for range 2 * placesOfAll {
				files.set(down...)
				_, _ = n.Sweep(t.Context())
				_, _ = newer().Sweep(t.Context())
			}
		}
		files.set()
		again := newer()
		must(t, again.Poll(t.Context()))
		for _, id := range long {
			if revoked, known := again.memory.InView(id); !revoked || !known {
				t.Errorf("revoked %v, known %v", revoked, known)
			}
		}
	})
}

// An exchange reads the marker after its write: whatever happens in between, the session
// stays over.
func TestASessionThatOnlyItsMarkerEndsGetsNothingWhateverHappensToAnExchange(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for at := range laterRotationCalls(t) {
			for _, what := range []fault{fine, refused, failsButDone, lost, late, hangs, doneButHangs, stuck, doneButStuck, panics, panicsDone} {
				storage := newShelf()
				n, id := newNode(storage), monthAhead()
				n.wantRotated(t, id, 0, 0, 1)
				n.wantRotated(t, id, 1, 0, 2)
				put(t, storage, "sessions/"+id.day+"/"+id.random+markerSuffix, string(revocation(time.Now())))
				synctest.Wait()
				n.storage.add(&rule{skip: at, times: 1, fault: what})
				where := what.String() + " at call " + strconv.Itoa(at)
				if got, err := n.Rotate(t.Context(), id, 2, time.Minute, false); err == nil {
					t.Errorf("%s: got generation %d", where, got)
				}
				n.storage.dies()
				n.storage.comesTrue()
				time.Sleep(20 * time.Second)
				storage.locksGoStale()
				again := n.restart()
				for generation := range uint64(4) {
					if got, err := again.Rotate(t.Context(), id, generation, time.Minute, false); !errors.Is(err, ErrRevoked) {
						t.Errorf("%s: generation %d gave %d, error %v", where, generation, got, err)
					}
				}
			}
		}
	})
}
