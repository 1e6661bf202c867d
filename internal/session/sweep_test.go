package session

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// days has sessions that end on the day of now plus each of these numbers, exchanged
// twice, and every second one revoked. The hours of the feed are those of the
// revocations.
func days(t *testing.T, n *node, ends ...int) []ID {
	t.Helper()
	var ids []ID
	for i, end := range ends {
		id := NewID(time.Now().AddDate(0, 0, end))
		n.wantRotated(t, id, 0, 0, 1)
		n.wantRotated(t, id, 1, 0, 2)
		if i%2 == 1 {
			must(t, n.Revoke(t.Context(), id))
		}
		ids = append(ids, id)
	}
	return ids
}

func (n *node) wantSwept(t *testing.T, want Swept) {
	t.Helper()
	got, err := n.Sweep(t.Context())
	if err != nil || got != want {
		t.Fatalf("swept %+v, error %v, want %+v", got, err, want)
	}
}

func TestSweepingAnEmptyStorageLeavesNoTrace(t *testing.T) {
	for _, missingIsEmpty := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			storage := newShelf()
			storage.missingIsEmpty = missingIsEmpty
			newNode(storage).wantSwept(t, Swept{})
			if keys := storage.keys(""); len(keys) > 0 {
				t.Errorf("storage has %v", keys)
			}
		})
	}
}

func TestADayIsSweptSevenDaysAfterItEndedAndNotBefore(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n := newNode(storage)
		ids := days(t, n, 0, 0, 1, 1, 40) // two are revoked, in the first hour
		time.Sleep(8*24*time.Hour - time.Second)
		n.wantSwept(t, Swept{})
		must(t, n.Revoke(t.Context(), ids[4])) // a newer hour
		time.Sleep(time.Second)
		n.wantSwept(t, Swept{Days: 1, Objects: 3})
		want := []string{
			"revocations/2000010100/" + ids[1].String(), "revocations/2000010100/" + ids[3].String(), // one of them may still matter
			"revocations/2000010823/" + ids[4].String(),
			"sessions/20000102/" + ids[2].random, "sessions/20000102/" + ids[3].random, "sessions/20000102/" + ids[3].random + ".revoked",
			"sessions/20000210/" + ids[4].random, "sessions/20000210/" + ids[4].random + ".revoked",
			"swept/20000101",
		}
		got := storage.keys("")
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("storage has %q, want %q", got, want)
		}
		n.wantSwept(t, Swept{})
	})
}

func TestASweptDayEndsItsSessionsAndThoseThatHadNoRecordToo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNode(newShelf())
		ids := days(t, n, 0, 0, 40)
		fresh := NewID(time.Now())
		time.Sleep(9 * 24 * time.Hour)
		n.wantSwept(t, Swept{Days: 1, Objects: 3})
		for _, id := range []ID{ids[0], ids[1], fresh} {
			for generation := range uint64(4) {
				n.wantRefused(t, id, generation, time.Minute, ErrOver)
				if err := n.check(t.Context(), id, generation, time.Minute); !errors.Is(err, ErrOver) {
					t.Errorf("error %v", err)
				}
			}
			if revoked, err := n.Revoked(t.Context(), id); err != nil || !revoked {
				t.Errorf("revoked %v, error %v", revoked, err)
			}
		}
		n.wantRotated(t, ids[2], 2, 0, 3)
		n.wantRotated(t, monthAhead(), 0, 0, 1)
	})
}

// A logout with an old token works, leaves no marker in a swept day, and takes effect:
// if the clock was wrong, access tokens of the session end too.
func TestRevokingASessionOfASweptDay(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n := newNode(storage)
		ids := days(t, n, 0, 0, 40)
		time.Sleep(9 * 24 * time.Hour)
		n.wantSwept(t, Swept{Days: 1, Objects: 3})
		must(t, n.Revoke(t.Context(), ids[0]))
		if revoked, _ := n.memory.InView(ids[0]); !revoked {
			t.Error("the view does not know")
		}
		other := n.restart()
		must(t, other.Poll(t.Context()))
		if revoked, err := other.IsRevoked(t.Context(), ids[0], time.Second); err != nil || !revoked {
			t.Errorf("revoked %v, error %v", revoked, err)
		}
		if keys := storage.keys("sessions/" + ids[0].day); len(keys) > 0 {
			t.Errorf("the day has %v", keys)
		}
	})
}

func TestTheClockThatIsBehindDecidesWhatIsPast(t *testing.T) {
	day := 24 * time.Hour
	for name, test := range map[string]struct {
		node    time.Duration
		storage func() time.Time
		swept   bool
	}{
		"both are right":                 {0, time.Now, true},
		"the node is behind":             {-2 * day, time.Now, false},
		"the storage is behind":          {0, func() time.Time { return time.Now().Add(-2 * day) }, false},
		"the node is ahead":              {100 * day, time.Now, true},
		"the storage is ahead":           {0, func() time.Time { return time.Now().Add(100 * day) }, true},
		"the storage tells no time":      {0, nil, false},
		"the storage's clock is at 1970": {0, func() time.Time { return time.Unix(0, 0) }, false},
		"the node's clock is in 1970":    {-30 * 365 * day, time.Now, false},
		"the node is ahead, not enough to end what the storage says is live": {20 * day, func() time.Time { return time.Now().Add(-9 * day) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				storage := newShelf()
				n := newNode(storage)
				days(t, n, 0, 200)
				time.Sleep(9 * day)
				n.skew, storage.modified = test.node, test.storage
				got, err := n.Sweep(t.Context())
				if err != nil || (got.Days == 1) != test.swept || got.Days > 1 || got.AllPast {
					t.Errorf("swept %+v, error %v", got, err)
				}
				if keys := storage.keys("probe"); len(keys) > 0 {
					t.Errorf("left behind: %v", keys)
				}
			})
		})
	}
}

func TestWhereEveryDayIsPastNothingIsDeleted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n := newNode(storage)
		ids := days(t, n, 0, 1, 2)
		time.Sleep(365 * 24 * time.Hour)
		before := storage.keys("")
		n.wantSwept(t, Swept{AllPast: true})
		if after := storage.keys(""); !slices.Equal(after, before) {
			t.Errorf("storage has %v, before it had %v", after, before)
		}
		n.wantRotated(t, ids[0], 2, 0, 3)
	})
}

func TestWhereEveryHourOfTheFeedIsPastNoneIsDeleted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n := newNode(storage)
		ids := days(t, n, 0, 0, 40)
		time.Sleep(9 * 24 * time.Hour)
		n.wantSwept(t, Swept{Days: 1, Objects: 3})
		if keys := storage.keys("revocations/"); len(keys) != 1 {
			t.Errorf("the feed has %v", keys)
		}
		must(t, n.Revoke(t.Context(), ids[2]))
		n.wantSwept(t, Swept{Hours: 1, Objects: 1})
	})
}

func TestAnHourOfTheFeedIsSweptNoSoonerThanAWeekAfterItsSessionsAreOver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNode(newShelf())
		must(t, n.Revoke(t.Context(), NewID(time.Now().Add(30*time.Hour))))
		time.Sleep(2*24*time.Hour + sweepDelay - time.Second)
		must(t, n.Revoke(t.Context(), monthAhead()))
		n.wantSwept(t, Swept{})
		time.Sleep(time.Second)
		swept, err := n.Sweep(t.Context())
		if err != nil || swept.Hours != 1 {
			t.Errorf("swept %+v, error %v, want an hour", swept, err)
		}
	})
}

// A session of ten years, or a forged one, keeps itself and not the million beside it.
// What cannot be a session counts as over.
func TestOneEntryKeepsNoOthers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n := newNode(storage)
		days(t, n, 400) // a sign that the clock is right
		bits := monthAhead().random
		long, forged := "20091220-"+bits, "99991231-"+bits
		for _, name := range []string{long, forged, "20000101-" + bits, "20000102-" + bits, "20000103-" + bits, "20000120-" + bits, "page"} {
			put(t, storage, "revocations/2000010100/"+name, "")
		}
		put(t, storage, "revocations/2000010101/"+"99991230-"+bits, "")
		put(t, storage, "revocations/2000010102/page", "")
		for day := range 40 {
			must(t, n.Revoke(t.Context(), monthAhead()))
			n.storage.log()
			_, err := n.Sweep(t.Context())
			must(t, err)
			lists := 0
			for _, call := range n.storage.log() {
				if strings.HasPrefix(call, "list revocations/2000010100") {
					lists++
				}
			}
			if lists > 0 && (day < 8 || day > 30) {
				t.Errorf("on day %d the hour is listed", day)
			}
			time.Sleep(24 * time.Hour)
		}
		var left []string
		for _, key := range storage.keys("revocations/200001010") {
			left = append(left, strings.TrimPrefix(key, "revocations/"))
		}
		if want := []string{"2000010100/" + long}; !slices.Equal(left, want) {
			t.Errorf("left: %q, want %q", left, want)
		}
		for range 12 {
			time.Sleep(366 * 24 * time.Hour)
			days(t, n, 400)
			must(t, n.Revoke(t.Context(), monthAhead()))
			_, err := n.Sweep(t.Context())
			must(t, err)
		}
		if keys := storage.keys("revocations/2000010100"); len(keys) > 0 {
			t.Errorf("left: %q", keys)
		}
	})
}

// An hour that a wrong clock has made is swept when its sessions are over, and not when
// its time has come.
func TestAnHourThatIsAheadOfTheClockIsSweptByItsSessions(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n := newNode(storage)
		days(t, n, 400)
		over, live := NewID(time.Now()), NewID(time.Now().AddDate(0, 0, 300))
		for _, id := range []ID{over, live} {
			put(t, storage, "revocations/2090010100/"+id.String(), "")
		}
		put(t, storage, "revocations/2090010101/"+over.String(), "")
		put(t, storage, "revocations/2090010102/page", "")
		must(t, n.Revoke(t.Context(), live))
		time.Sleep(8*24*time.Hour - time.Second)
		n.wantSwept(t, Swept{})
		time.Sleep(time.Second)
		n.wantSwept(t, Swept{Hours: 1, Objects: 1})
		time.Sleep(301 * 24 * time.Hour)
		n.wantSwept(t, Swept{Days: 1, Hours: 1, Objects: 1 + 3}) // and its record and marker
		if keys := storage.keys("revocations/"); len(keys) != 2 {
			t.Errorf("left: %q", keys) // the newest hour
		}
	})
}

// A revocation is written into the newest hour, and if that could vanish, it could go
// into an hour that is no longer read.
func TestTheNewestHourIsNotSwept(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n := newNode(storage)
		days(t, n, 400)
		must(t, n.Revoke(t.Context(), monthAhead()))
		ahead := hourOf(time.Now().Add(50 * 24 * time.Hour))
		put(t, storage, "revocations/"+ahead+"/page", "")
		for range 70 {
			time.Sleep(24 * time.Hour)
			_, err := n.Sweep(t.Context())
			must(t, err)
			if keys := storage.keys("revocations/" + ahead); len(keys) != 1 {
				t.Fatal("it is gone")
			}
		}
	})
}

func TestASweepIsBoundedAndTheNextOneGoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n := newNode(storage)
		ids := days(t, n, 0, 0, 40)
		for range sweepObjects {
			put(t, storage, "sessions/"+ids[0].day+"/"+monthAhead().random, "")
		}
		time.Sleep(9 * 24 * time.Hour)
		n.wantSwept(t, Swept{Objects: sweepObjects, More: true})
		n.wantRefused(t, ids[0], 2, 0, ErrOver)
		n.wantRefused(t, ids[1], 2, 0, ErrRevoked) // its marker is still there
		n.wantSwept(t, Swept{Days: 1, Objects: 3})
		n.wantRefused(t, ids[1], 2, 0, ErrOver)
	})
}

func TestForeignFilesInADayStopNoSweepAndOtherFoldersAreLeftAlone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n := newNode(storage)
		days(t, n, 0, 40)
		for _, key := range []string{"sessions/20000101/123456", "sessions/20000101/sub/file", "sessions/20000101/" + strings.Repeat("A", 40)} {
			put(t, storage, key, "?")
		}
		others := []string{"sessions/readme", "sessions/2000010/x", "sessions/20000132/x", "keys/es256", "secret", "swept/readme", "revocations/x/y"}
		for _, key := range others {
			put(t, storage, key, "?")
		}
		time.Sleep(9 * 24 * time.Hour)
		n.wantSwept(t, Swept{Days: 1, Objects: 1})
		if keys := storage.keys("sessions/20000101"); len(keys) > 0 {
			t.Errorf("the day has %v", keys)
		}
		for _, key := range others {
			if len(storage.keys(key)) == 0 {
				t.Errorf("%s is gone", key)
			}
		}
	})
}

func TestRecordsAreDeletedAfterTheDayIsMarkedAndBeforeTheirMarkers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNode(newShelf())
		days(t, n, 0, 0, 0, 0, 40)
		time.Sleep(9 * 24 * time.Hour)
		n.storage.log()
		n.wantSwept(t, Swept{Days: 1, Objects: 6})
		phase := 0
		phases := []string{"mark", "record", "marker", "folder"}
		for _, call := range n.storage.log() {
			op, key, _ := strings.Cut(call, " ")
			now := -1
			switch {
			case op == "store" && strings.HasPrefix(key, "swept/"):
				now = 0
			case op == "delete" && strings.HasSuffix(key, markerSuffix):
				now = 2
			case op == "delete" && strings.HasPrefix(key, "sessions/20000101/"):
				now = 1
			case op == "delete" && strings.HasPrefix(key, "sessions/"):
				now = 3
			}
			if now >= 0 && now < phase {
				t.Errorf("%s after %s", phases[now], phases[phase])
			}
			phase = max(phase, now)
		}
		if phase != 3 {
			t.Errorf("it ended with %s", phases[phase])
		}
	})
}

// A crash or a failure at any call, and then another sweep, with a clock that is wrong,
// so that the sessions live.
func TestASweepThatFailsAtAnyCallRevivesNoSession(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		setting := func() (*node, []ID, *shelf) {
			storage := newShelf()
			n := newNode(storage)
			ids := days(t, n, 0, 0, 0, 1, 40)
			n.storage.log()
			n.skew = 9*24*time.Hour + 24*time.Hour
			storage.modified = func() time.Time { return time.Now().Add(n.skew) }
			return n, ids, storage
		}
		n, ids, _ := setting()
		n.wantSwept(t, Swept{Days: 2, Objects: 6})
		calls := len(n.storage.log())
		check := func(where string, n *node) {
			t.Helper()
			for i, id := range ids[:4] {
				for generation := range uint64(2) {
					_, err := n.Rotate(t.Context(), id, generation, 0, false)
					if !errors.Is(err, ErrReused) && !errors.Is(err, ErrOver) && !errors.Is(err, ErrRevoked) {
						t.Errorf("%s: session %d, spent generation %d: error %v", where, i, generation, err)
					}
				}
				_, err := n.Rotate(t.Context(), id, 2, 0, false)
				if i%2 == 1 && !errors.Is(err, ErrOver) && !errors.Is(err, ErrRevoked) {
					t.Errorf("%s: session %d was revoked: error %v", where, i, err)
				}
			}
		}
		for at := range calls {
			for _, what := range []fault{refused, failsButDone, lost, torn, tornUnnoticed, late, hangs, doneButHangs, stuck, doneButStuck, panics, panicsDone} {
				n, ids, _ = setting()
				n.storage.add(&rule{skip: at, times: 1, fault: what})
				where := fmt.Sprintf("%s at call %d of %d", what, at, calls)
				_, err := n.Sweep(t.Context())
				if err != nil && !errors.Is(err, ErrUnavailable) {
					t.Errorf("%s: error %v", where, err)
				}
				n.storage.dies() // at that moment, if it is stuck there
				n.storage.comesTrue()
				again := n.restart()
				before := again.restart()
				if at%2 == 0 {
					check(where+", before another sweep", before)
				}
				if _, err := again.Sweep(t.Context()); err != nil {
					t.Errorf("%s: the next sweep: error %v", where, err)
				}
				for _, id := range ids[:4] {
					for generation := range uint64(4) {
						again.wantRefused(t, id, generation, time.Minute, ErrOver)
					}
				}
				if at%2 == 1 {
					check(where, again)
				}
			}
		}
	})
}

// Storages may get through half a folder only.
func TestASweepThatStopsInTheMiddleOfAFolderRevivesNoSession(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n := newNode(storage)
		ids := days(t, n, 0, 0, 40)
		storage.stopsDeletingAt = 1
		put(t, storage, "sessions/"+ids[0].day+"/0", "?")
		put(t, storage, "sessions/"+ids[0].day+"/1", "?")
		time.Sleep(9 * 24 * time.Hour)
		_, err := n.Sweep(t.Context())
		wantUnavailable(t, err)
		for _, id := range ids[:2] {
			n.wantRefused(t, id, 2, 0, ErrOver)
		}
		storage.stopsDeletingAt = 0
		n.wantSwept(t, Swept{Days: 1})
	})
}

// A storage that is down fails at Delete and answers no to Exists.
func TestADeletionThatFailsIsNotTakenForDone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n := newNode(storage)
		ids := days(t, n, 0, 0, 40)
		time.Sleep(9 * 24 * time.Hour)
		n.storage.add(&rule{op: "delete", part: "sessions/", fault: refused})
		n.storage.add(&rule{op: "exists", fault: refused})
		n.storage.add(&rule{op: "stat", part: "sessions/", fault: refused})
		_, err := n.Sweep(t.Context())
		wantUnavailable(t, err)
		n.storage.recovers()
		if keys := storage.keys("sessions/" + ids[0].day); len(keys) != 3 {
			t.Errorf("the day has %v", keys)
		}
		n.wantRefused(t, ids[0], 2, 0, ErrOver)
		n.wantSwept(t, Swept{Days: 1, Objects: 3})
	})
}

func TestAStorageThatFailsToDeleteWhatIsNotThere(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		storage.missingDeleteFails, storage.missingIsEmpty = true, true
		n := newNode(storage)
		days(t, n, 0, 0, 40)
		time.Sleep(9 * 24 * time.Hour)
		n.wantSwept(t, Swept{Days: 1, Objects: 3})
	})
}

func TestTwoNodesSweepAtOnce(t *testing.T) {
	for _, missingDeleteFails := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			for at := range 40 { // calls of one, in the middle of which the other sweeps
				storage := newShelf()
				storage.missingDeleteFails = missingDeleteFails
				a, b := newNode(storage), newNode(storage)
				ids := days(t, a, 0, 0, 1, 1, 40)
				time.Sleep(10 * 24 * time.Hour)
				a.storage.add(&rule{skip: at, times: 1, before: func() {
					_, err := b.Sweep(t.Context())
					must(t, err)
				}})
				_, err := a.Sweep(t.Context())
				must(t, err)
				a.storage.recovers()
				for _, id := range ids[:4] {
					a.wantRefused(t, id, 2, 0, ErrOver)
				}
				if keys := storage.keys("sessions/2000010"); len(keys) > 0 {
					t.Errorf("storage has %v", keys)
				}
				a.wantRotated(t, ids[4], 2, 0, 3)
			}
		})
	}
}

func TestOneProcessSweepsOnceAtATime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNode(newShelf())
		days(t, n, 0, 40)
		time.Sleep(9 * 24 * time.Hour)
		n.storage.befalls("delete", "sessions/", stuck)
		_, err := n.Sweep(t.Context())
		wantUnavailable(t, err)
		_, err = n.Sweep(t.Context())
		wantUnavailable(t, err)
		n.storage.release()
		synctest.Wait()
		_, err = n.Sweep(t.Context())
		must(t, err)
	})
}

// A clock that is wrong sweeps a session that lives, just while it is exchanged and
// revoked: whatever the order, it is over afterwards.
func TestASweepAndARevocationDuringAnExchangeReviveNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		calls := laterRotationCalls(t)
		for at := range calls {
			storage := newShelf()
			a, b, sweeper := newNode(storage), newNode(storage), newNode(storage)
			ids := days(t, a, 0, 2, 40)
			sweeper.skew = 9 * 24 * time.Hour
			storage.modified = func() time.Time { return time.Now().Add(sweeper.skew) }
			a.storage.log()
			a.storage.add(&rule{skip: at, times: 1, before: func() {
				must(t, b.Revoke(t.Context(), ids[0]))
				sweeper.wantSwept(t, Swept{Days: 1, Objects: 2})
			}})
			got, err := a.Rotate(t.Context(), ids[0], 2, time.Minute, false)
			synctest.Wait()
			if err == nil && at < calls-2 {
				t.Errorf("at call %d of %d: got generation %d", at, calls, got)
			}
			for generation := range uint64(5) {
				_, err := b.Rotate(t.Context(), ids[0], generation, time.Minute, false)
				if !errors.Is(err, ErrOver) {
					t.Errorf("at call %d: generation %d afterwards: error %v", at, generation, err)
				}
			}
		}
	})
}

// The same of a session of which only the marker says that it was revoked, and the sweep
// removes that: the mark is read after the marker.
func TestASweepDuringAnExchangeRevivesNoSessionThatOnlyItsMarkerEnds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for at := range laterRotationCalls(t) {
			storage := newShelf()
			a, sweeper := newNode(storage), newNode(storage)
			ids := days(t, a, 0, 40)
			put(t, storage, "sessions/"+ids[0].day+"/"+ids[0].random+markerSuffix, string(revocation(time.Now())))
			sweeper.skew = 9 * 24 * time.Hour
			storage.modified = func() time.Time { return time.Now().Add(sweeper.skew) }
			synctest.Wait()
			a.storage.add(&rule{skip: at, times: 1, before: func() {
				if _, err := sweeper.Sweep(t.Context()); err != nil {
					t.Error(err)
				}
			}})
			if got, err := a.Rotate(t.Context(), ids[0], 2, time.Minute, false); err == nil {
				t.Errorf("at call %d: got generation %d", at, got)
			}
			synctest.Wait()
			a.storage.recovers()
			for generation := range uint64(5) {
				_, err := a.restart().Rotate(t.Context(), ids[0], generation, time.Minute, false)
				if !errors.Is(err, ErrOver) && !errors.Is(err, ErrRevoked) { // the record may be back, and say so
					t.Errorf("at call %d: generation %d afterwards: error %v", at, generation, err)
				}
			}
		}
	})
}

// Introspection reads record, marker and mark one after the other.
func TestARevokedSessionThatIsSweptWhileItIsReadIsNotLive(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for at := range 3 {
			storage := newShelf()
			a, sweeper := newNode(storage), newNode(storage)
			ids := days(t, a, 0, 0, 40)
			time.Sleep(9 * 24 * time.Hour)
			a.storage.add(&rule{op: "load", skip: at, times: 1, before: func() { sweeper.wantSwept(t, Swept{Days: 1, Objects: 3}) }})
			if revoked, err := a.Revoked(t.Context(), ids[1]); err != nil || !revoked {
				t.Errorf("at call %d: revoked %v, error %v", at, revoked, err)
			}
		}
	})
}

func TestSweepingAFileStorageRemovesFoldersAndLeftOverTemporaryFiles(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newFileStorage(t)
		n := newNode(storage)
		n.skew = time.Until(filesNow(t, storage.Path)).Round(0) // the clock of the files is not that of the bubble
		past, live := NewID(n.now().AddDate(0, 0, -9)), NewID(n.now())
		for _, id := range []ID{past, live} {
			n.wantRotated(t, id, 0, 0, 1)
			must(t, n.Revoke(t.Context(), id))
		}
		put(t, storage, "sessions/"+past.day+"/123456", "{\"ver")
		n.wantSwept(t, Swept{Days: 1, Objects: 2})
		entries, err := os.ReadDir(filepath.Join(storage.Path, testPrefix, "sessions"))
		if err != nil || len(entries) != 1 || entries[0].Name() != live.day {
			t.Errorf("the folder has %v, error %v", entries, err)
		}
		n.wantRefused(t, past, 0, 0, ErrOver)
		n.wantRefused(t, live, 0, 0, ErrRevoked)
	})
}

func filesNow(t *testing.T, folder string) time.Time {
	t.Helper()
	name := filepath.Join(folder, "now")
	must(t, os.WriteFile(name, nil, 0o600))
	info, err := os.Stat(name)
	must(t, err)
	return info.ModTime()
}
