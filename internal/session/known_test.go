package session

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddygrant/caddy-grant/sessions/sessionstest"
)

// noted begins a session of alice with a client, and refreshes it.
func (n *severalNode) noted(t *testing.T, id ID, client string) ID {
	t.Helper()
	if _, err := n.Of(Claims{ID: id, Subject: "alice", Client: client, Version: 7}).Rotate(t.Context(), id, 0, 0, false); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return id
}

// Each session that can be read is listed, and of each other one the list says where it
// lives, and why it could not be read.
func TestSessionsThatCannotBeReadAreListedApart(t *testing.T) {
	for what, fault := range map[string]sessionstest.Fault{"is down": sessionstest.Refused, "hangs": sessionstest.Hangs, "panics": sessionstest.Panics} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				storage, all := newShelf(), memories("a", "b", "c")
				n := startSeveral(t, storage, all)
				stored := n.noted(t, monthAhead(), "stored")
				a1, a2 := n.noted(t, n.beganIn("a"), "a1"), n.noted(t, n.beganIn("a"), "a2")
				b, c := n.noted(t, n.beganIn("b"), "b"), n.noted(t, n.beganIn("c"), "c")
				revoked := n.noted(t, n.beganIn("a"), "revoked")
				must(t, n.Revoke(t.Context(), revoked))
				for _, engine := range []string{"a", "b"} {
					n.engines[engine].Meet(func(sessionstest.Call) sessionstest.Fault { return fault })
				}
				begun := time.Now()
				list, err := n.Sessions(t.Context(), "alice", 10)
				if err != nil || list.More {
					t.Fatalf("more %v, error %v", list.More, err)
				}
				if took := time.Since(begun); took > listLimit { // for both of them, and for all of their sessions
					t.Errorf("it took %v", took)
				}
				wantListed(t, list, map[ID]string{stored: "", c: "", revoked: "revoked"}, map[ID]string{a1: "the engine a", a2: "the engine a", b: "the engine b"})
				for _, engine := range n.engines {
					engine.Recover()
				}
				list, err = n.Sessions(t.Context(), "alice", 10)
				must(t, err)
				wantListed(t, list, map[ID]string{stored: "", c: "", revoked: "revoked", a1: "", a2: "", b: ""}, nil)
			})
		})
	}
}

// wantListed compares a list with its sessions and their states, and with parts of the
// errors of those that were not read.
func wantListed(t *testing.T, list Listed, known, unread map[ID]string) {
	t.Helper()
	for _, k := range list.Known {
		state, wanted := known[k.ID]
		if !wanted || k.Revoked != (state == "revoked") || k.Ended != (state == "ended") || !k.Revoked && !k.Ended && k.Generation == 0 {
			t.Errorf("known: %+v", k)
		}
	}
	for _, u := range list.Unread {
		why, wanted := unread[u.ID]
		if wantUnavailable(t, u.Err); !wanted || !strings.Contains(u.Err.Error(), why) || u.Subject != "alice" || u.ID.engineName() != strings.TrimPrefix(u.Engine, StorageEngine) {
			t.Errorf("unread: %+v", u)
		}
	}
	if len(list.Known) != len(known) || len(list.Unread) != len(unread) {
		t.Errorf("%d known, want %d; %d unread, want %d", len(list.Known), len(known), len(list.Unread), len(unread))
	}
}

func TestSessionsWhereThisNodeIsNotToldToLookAreListedApart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, all := newShelf(), memories("a", "b")
		n := startSeveral(t, storage, all)
		a, b, stored := n.noted(t, n.beganIn("a"), "web"), n.noted(t, n.beganIn("b"), "web"), n.noted(t, monthAhead(), "web")
		list, err := newNode(storage).Sessions(t.Context(), "alice", 10)
		must(t, err)
		wantListed(t, list, map[ID]string{stored: ""}, map[ID]string{a: `"also a"`, b: `"also b"`})
		if i := slices.IndexFunc(list.Unread, func(u Unread) bool { return u.ID == a }); list.Unread[i].Client != "web" {
			t.Errorf("unread: %+v", list.Unread)
		}

		only := newEngineNode(t, storage, all["a"], false) // under another name
		list, err = only.Sessions(t.Context(), "alice", 10)
		must(t, err)
		wantListed(t, list, nil, map[ID]string{stored: `"also storage"`, a: `"also a"`, b: `"also b"`})
	})
}

// What this process knows of a session needs no engine.
func TestSessionsThatOperatorsEndedAreKnownWithoutTheirEngine(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := startSeveral(t, newShelf(), memories("a"))
		must(t, n.BeginNotices(t.Context()))
		must(t, n.ReadNotices(t.Context()))
		origin, err := n.Origin(t.Context())
		must(t, err)
		id := origin.NewID(time.Now().AddDate(0, 1, 0))
		if _, err := n.Of(Claims{ID: id, Subject: "alice", Client: "web", Version: origin.Version}).Rotate(t.Context(), id, 0, 0, false); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		n.engines["a"].Meet(func(sessionstest.Call) sessionstest.Fault { return sessionstest.Refused })
		list, err := n.Sessions(t.Context(), "alice", 10)
		must(t, err)
		wantListed(t, list, nil, map[ID]string{id: "the engine a"})
		if _, err := n.Tell(t.Context(), EndUser, "alice"); err != nil {
			t.Fatal(err)
		}
		list, err = n.Sessions(t.Context(), "alice", 10)
		must(t, err)
		wantListed(t, list, map[ID]string{id: "ended"}, nil)
	})
}

// Those that are over, such as all that began before an engine lost them, do not take the
// place of others.
func TestAListHasAsManyAsAreAskedForWhateverIsOver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, all := newShelf(), memories("a")
		n := startSeveral(t, storage, all)
		for range 20 {
			n.noted(t, n.beganIn("a"), "web")
		}
		all["a"].Flush()
		n = startSeveral(t, storage, all)
		want := make(map[ID]string)
		for range 6 {
			want[n.noted(t, n.beganIn("a"), "web")] = ""
		}
		list, err := n.Sessions(t.Context(), "alice", 10)
		must(t, err)
		wantListed(t, list, want, nil)
		if list.More {
			t.Error("there are more")
		}
		list, err = n.Sessions(t.Context(), "alice", 5)
		must(t, err)
		if len(list.Known) != 5 || !list.More {
			t.Errorf("%d sessions, more %v", len(list.Known), list.More)
		}
		n.engines["a"].Meet(func(sessionstest.Call) sessionstest.Fault { return sessionstest.Refused })
		list, err = n.Sessions(t.Context(), "alice", 5)
		must(t, err)
		if len(list.Unread) != 5 || !list.More {
			t.Errorf("%d sessions, more %v", len(list.Unread), list.More)
		}
	})
}
