package session

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// refreshed begins a session that ends after some time, and refreshes it.
func (n *node) refreshed(t *testing.T, subject, client string, length time.Duration) ID {
	t.Helper()
	id := NewID(time.Now().Add(length))
	if _, err := n.Of(Claims{Subject: subject, Client: client}).Rotate(t.Context(), id, 0, 0, false); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return id
}

func ids(known []Known) (ids []ID) {
	for _, session := range known {
		ids = append(ids, session.ID)
	}
	return ids
}

func TestTheSessionsOfAUserAreThoseThatWereRefreshed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a := newNode(newShelf())
		long, short := a.refreshed(t, "alice", "web", 40*24*time.Hour), a.refreshed(t, "alice", "cli", 24*time.Hour)
		a.refreshed(t, "bob", "web", 24*time.Hour)
		_ = NewID(time.Now().Add(time.Hour)) // never refreshed
		if _, err := a.Of(Claims{Subject: "alice", Client: "web"}).Rotate(t.Context(), long, 1, 0, false); err != nil {
			t.Fatal(err)
		}
		must(t, a.Revoke(t.Context(), short))
		for _, n := range []*node{a, a.restart()} {
			known, more, err := n.listed(t.Context(), "alice", 10)
			if err != nil || more || !slices.Equal(ids(known), []ID{long, short}) {
				t.Fatal(known, more, err)
			}
			if first := known[0]; first.Client != "web" || first.Generation != 2 || first.Revoked || !first.Rotated.Equal(time.Now()) {
				t.Errorf("%+v", first)
			}
			if !known[1].Revoked {
				t.Errorf("%+v", known[1])
			}
		}
		if known, _, err := a.listed(t.Context(), "carol", 10); err != nil || len(known) > 0 {
			t.Error(known, err)
		}
	})
}

func TestAListOfSessionsEndsWhereItIsLongEnough(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a := newNode(newShelf())
		for range 12 {
			a.refreshed(t, "alice", "web", 24*time.Hour)
		}
		a.storage.log()
		known, more, err := a.listed(t.Context(), "alice", 5)
		if err != nil || !more || len(known) != 5 {
			t.Fatal(len(known), more, err)
		}
		calls := slices.DeleteFunc(a.storage.log(), func(call string) bool { return strings.Contains(call, "probe") })
		if len(calls) > 40 {
			t.Errorf("%d calls", len(calls))
		}
	})
}

func TestAListOfSessionsIsNotMadeUpWhereStorageFails(t *testing.T) {
	for _, op := range []string{"list", "load"} {
		inBubble(t, func(t *testing.T) {
			a := newNode(newShelf())
			a.refreshed(t, "alice", "web", 24*time.Hour)
			a.storage.befalls(op, "", refused)
			_, _, err := a.listed(t.Context(), "alice", 5)
			wantUnavailable(t, err)
		})
	}
}

func TestASessionOfAnotherSubjectIsNotListedWhateverTheStorageSays(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a := newNode(newShelf())
		a.refreshed(t, "alice", "web", 24*time.Hour)
		id := a.refreshed(t, "bob", "web", 24*time.Hour)
		must(t, a.storage.Store(t.Context(), a.ownerKey(id.day, "alice")+"/"+id.random, nil))
		if known, _, err := a.listed(t.Context(), "alice", 5); err != nil || len(known) != 1 {
			t.Error(known, err)
		}
	})
}

func TestASessionGoesOnWhereItsOwnerCannotBeNoted(t *testing.T) {
	for _, what := range []fault{refused, lost, hangs, panics} {
		inBubble(t, func(t *testing.T) {
			a := newNode(newShelf())
			a.storage.befalls("store", "owners", what)
			id := a.refreshed(t, "alice", "web", 24*time.Hour)
			a.wantRotated(t, id, 1, 0, 2)
			time.Sleep(time.Minute)
		})
	}
}

func TestASweepLeavesNothingOfTheOwners(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a := newNode(newShelf())
		for _, subject := range []string{"alice", "bob"} {
			a.refreshed(t, subject, "web", 24*time.Hour)
			a.refreshed(t, subject, "cli", 24*time.Hour)
		}
		time.Sleep(20 * 24 * time.Hour)
		left := a.refreshed(t, "alice", "web", 24*time.Hour)
		_, err := a.Sweep(t.Context())
		must(t, err)
		days, err := a.list(t.Context(), testPrefix+"/owners")
		if err != nil || !slices.Equal(days, []string{left.day}) {
			t.Error(days, err)
		}
	})
}

func TestASessionThatANoticeEndedIsListedAsEnded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a := newNode(newShelf())
		must(t, a.BeginNotices(t.Context()))
		a.refreshed(t, "alice", "web", 24*time.Hour)
		if known, _, err := a.listed(t.Context(), "alice", 5); err != nil || len(known) != 1 || known[0].Ended {
			t.Fatal(known, err)
		}
		a.tell(t, EndUser, "alice")
		version, err := a.Version(t.Context())
		must(t, err)
		later := NewID(time.Now().Add(48 * time.Hour))
		if _, err := a.Of(Claims{Subject: "alice", Client: "web", Version: version}).Rotate(t.Context(), later, 0, 0, false); err != nil {
			t.Fatal(err)
		}
		known, _, err := a.listed(t.Context(), "alice", 5)
		if err != nil || len(known) != 2 || known[0].Ended || !known[1].Ended {
			t.Error(known, err)
		}
	})
}

// Otherwise a user who logs in and refreshes again and again could fill the storage in
// spite of the bound.
func TestWhatTheAllowanceRefusesIsNotNotedEither(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a := newNode(newShelf())
		bounded := a.Within(newAllowance(0)).Of(Claims{Subject: "alice", Client: "web"})
		if _, err := bounded.Rotate(t.Context(), monthAhead(), 0, 0, false); !errors.Is(err, errTestBound) {
			t.Fatal(err)
		}
		for _, call := range a.storage.log() {
			if strings.HasPrefix(call, "store ") {
				t.Errorf("%s", call)
			}
		}
	})
}

func TestASessionThatAnEarlierVersionRefreshedIsListedAfterItsNextRefresh(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a := newNode(newShelf())
		id := monthAhead()
		a.wantRotated(t, id, 0, 0, 1) // without a subject, as earlier versions do
		if known, _, err := a.listed(t.Context(), "alice", 5); err != nil || len(known) > 0 {
			t.Error(known, err)
		}
		for generation := range uint64(3) {
			a.storage.log()
			if _, err := a.Of(Claims{Subject: "alice", Client: "web"}).Rotate(t.Context(), id, generation+1, 0, false); err != nil {
				t.Fatal(err)
			}
			noted := slices.ContainsFunc(a.storage.log(), func(call string) bool { return strings.HasPrefix(call, "store owners") })
			if first := generation == 0; noted != first {
				t.Errorf("generation %d: noted %t", generation+1, noted)
			}
		}
		if known, _, err := a.listed(t.Context(), "alice", 5); err != nil || !slices.Equal(ids(known), []ID{id}) {
			t.Error(known, err)
		}
	})
}

func TestAStorageThatHangsHoldsUpABoundedNumberOfNotes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a := newNode(newShelf())
		a.storage.add(&rule{op: "store", part: "owners", fault: stuck})
		for range maxCalls + 20 {
			a.refreshed(t, "alice", "web", 24*time.Hour)
		}
		noted := 0
		for _, call := range a.storage.log() {
			if strings.HasPrefix(call, "store owners") {
				noted++
			}
		}
		if noted != maxCalls {
			t.Errorf("%d goroutines wait, want %d", noted, maxCalls)
		}
		a.storage.release()
		synctest.Wait()
	})
}

// Some storages report a failed read as an object that is not there.
func TestAListOfSessionsLacksNoneThatCouldNotBeRead(t *testing.T) {
	for _, what := range []fault{refused, hangs, unseen, hangsUnseen, panics} {
		for _, op := range []string{"list", "load", ""} {
			inBubble(t, func(t *testing.T) {
				a := newNode(newShelf())
				ids := []ID{a.refreshed(t, "alice", "web", 24*time.Hour), a.refreshed(t, "alice", "web", 48*time.Hour)}
				time.Sleep(time.Minute)
				for _, part := range []string{"", "owners", ids[0].day, ids[1].day, "sessions"} {
					a.storage.add(&rule{op: op, part: part, fault: what})
					a.storage.add(&rule{part: "probe", fault: what})
					known, more, err := a.listed(t.Context(), "alice", 5)
					if err == nil && (len(known) != 2 || more) {
						t.Errorf("%s %s of %q: %v %t", op, what, part, known, more)
					}
					a.storage.recovers()
					time.Sleep(time.Minute)
				}
			})
		}
	}
}

// A note is left alone where its session was never written, and where a node of an
// earlier version, which knows no notes, has swept the day.
func TestASweepRemovesNotesWithoutSessions(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a := newNode(newShelf())
		old := NewID(time.Now().Add(24 * time.Hour))
		put(t, a.storage.Storage, strings.TrimPrefix(a.ownerKey(old.day, "alice")+"/"+old.random, testPrefix+"/"), "x")
		time.Sleep(20 * 24 * time.Hour)
		left := a.refreshed(t, "alice", "web", 24*time.Hour)
		_, err := a.Sweep(t.Context())
		must(t, err)
		days, err := a.list(t.Context(), testPrefix+"/owners")
		if err != nil || !slices.Equal(days, []string{left.day}) {
			t.Error(days, err)
		}
	})
}

// listed are the sessions that could be read.
func (n *node) listed(ctx context.Context, subject string, most int) (known []Known, more bool, err error) {
	listed, err := n.Sessions(ctx, subject, most)
	if err == nil && len(listed.Unread) > 0 {
		err = listed.Unread[0].Err
	}
	return listed.Known, listed.More, err
}
