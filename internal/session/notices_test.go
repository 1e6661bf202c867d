package session

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// claims are those of a session of alice at web that begins at a node now.
func (n *node) claims(t *testing.T) Claims {
	t.Helper()
	version, err := n.Version(t.Context())
	must(t, err)
	return Claims{ID: monthAhead(), Subject: "alice", Client: "web", Version: version}
}

func (n *node) tell(t *testing.T, kind NoticeKind, of string) Notice {
	t.Helper()
	notice, err := n.Tell(t.Context(), kind, of)
	must(t, err)
	return notice
}

func (n *node) wantEnded(t *testing.T, c Claims, want bool) {
	t.Helper()
	if ended, known := n.memory.Ended(c); ended != want || !known {
		t.Errorf("ended %t, known %t, want %t", ended, known, want)
	}
}

// tellers are two nodes at one storage that tell and hear.
func tellers(t *testing.T) (a, b *node) {
	storage := newShelf()
	a, b = newNode(storage), newNode(storage)
	must(t, a.BeginNotices(t.Context()))
	must(t, b.BeginNotices(t.Context()))
	return a, b
}

func TestANoticeEndsTheSessionsOfItsUserClientOrServerOnly(t *testing.T) {
	for _, of := range []struct {
		kind NoticeKind
		name string
		ends func(Claims) bool
	}{
		{EndUser, "alice", func(c Claims) bool { return c.Subject == "alice" }},
		{EndClient, "web", func(c Claims) bool { return c.Client == "web" }},
		{EndServer, "", func(Claims) bool { return true }},
		{ForgiveUser, "alice", func(Claims) bool { return false }},
	} {
		t.Run(string(of.kind), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				a, b := tellers(t)
				var sessions []Claims
				for _, subject := range []string{"alice", "bob", "web", ""} {
					for _, client := range []string{"web", "cli", "alice"} {
						sessions = append(sessions, Claims{ID: monthAhead(), Subject: subject, Client: client})
					}
				}
				a.tell(t, of.kind, of.name)
				must(t, b.ReadNotices(t.Context()))
				for _, n := range []*node{a, b, a.restart()} {
					must(t, n.ReadNotices(t.Context()))
					for _, c := range sessions {
						n.wantEnded(t, c, of.ends(c))
						c.Version, _ = n.Version(t.Context())
						n.wantEnded(t, c, false)
					}
				}
			})
		})
	}
}

// The clocks of the nodes differ by years, and all happens in the same moment.
func TestASessionThatBeganBeforeANoticeNeverOutlivesItWhateverTheClocksSay(t *testing.T) {
	for _, skew := range []time.Duration{0, -20 * 365 * 24 * time.Hour, 20 * 365 * 24 * time.Hour} {
		t.Run(skew.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				a, b := tellers(t)
				b.skew = skew
				first := b.claims(t)
				before := a.tell(t, EndUser, "alice")
				atLateNode := b.claims(t) // b has not read it
				after := a.claims(t)
				second := b.tell(t, EndUser, "alice")
				if second.Number <= before.Number {
					t.Errorf("notice %d comes after %d", second.Number, before.Number)
				}
				must(t, a.ReadNotices(t.Context()))
				for _, n := range []*node{a, b} {
					for _, c := range []Claims{first, atLateNode, after} {
						n.wantEnded(t, c, true)
					}
					n.wantEnded(t, n.claims(t), false)
				}
			})
		})
	}
}

func TestEveryNoticeOfManyNodesAtOnceIsHeardByAll(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		var nodes []*node
		for range 4 {
			n := newNode(storage)
			must(t, n.BeginNotices(t.Context()))
			nodes = append(nodes, n)
		}
		var wait sync.WaitGroup
		for i, n := range nodes {
			wait.Go(func() {
				for j := range 5 {
					for {
						if _, err := n.Tell(t.Context(), EndUser, fmt.Sprint("user ", i, j)); err == nil {
							break
						}
					}
				}
			})
		}
		wait.Wait()
		for _, n := range append(nodes, nodes[0].restart()) {
			must(t, n.ReadNotices(t.Context()))
			all, _ := n.memory.Notices()
			if len(all) != 20 {
				t.Errorf("%d notices", len(all))
			}
			if !slices.IsSortedFunc(all, func(a, b Notice) int { return cmp.Compare(b.Number, a.Number) }) {
				t.Error("they are not in order")
			}
		}
	})
}

func TestANoticeThatIsRepeatedTakesThePlaceOfTheFormer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := tellers(t)
		for range 50 {
			a.tell(t, EndUser, "alice")
			a.tell(t, ForgiveAddress, "192.0.2.1")
		}
		a.tell(t, EndUser, "bob")
		must(t, b.ReadNotices(t.Context()))
		for _, n := range []*node{a, b, a.restart()} {
			must(t, n.ReadNotices(t.Context()))
			if all, _ := n.memory.Notices(); len(all) != 3 {
				t.Errorf("%d notices are known", len(all))
			}
		}
		names, err := a.list(t.Context(), a.noticeKey(""))
		must(t, err)
		if len(names) != 4 { // with the latest
			t.Errorf("storage has %q", names)
		}
	})
}

func TestForgivenFailuresAreNotKeptForever(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, _ := tellers(t)
		a.tell(t, ForgiveUser, "alice")
		a.tell(t, EndUser, "alice")
		time.Sleep(10 * 24 * time.Hour)
		a.tell(t, EndUser, "bob")
		again := a.restart()
		must(t, again.ReadNotices(t.Context()))
		if all, _ := again.memory.Notices(); len(all) != 2 {
			t.Errorf("%v", all)
		}
	})
}

func TestANodeHearsEachNoticeOnceAndNoneFromBeforeItStarted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := tellers(t)
		a.tell(t, ForgiveUser, "before")
		b = b.restart()
		must(t, b.ReadNotices(t.Context()))
		var heard []string
		b.memory.OnNotice(func(n Notice) { heard = append(heard, n.Of) })
		a.tell(t, ForgiveUser, "alice")
		a.tell(t, ForgiveUser, "bob")
		for range 3 {
			must(t, b.ReadNotices(t.Context()))
		}
		b.tell(t, ForgiveUser, "own")
		if !slices.Equal(heard, []string{"alice", "bob", "own"}) {
			t.Errorf("heard %q", heard)
		}
	})
}

func TestReadingCostsOneLoadWhereNothingIsNew(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := tellers(t)
		for i := range 10 {
			a.tell(t, EndUser, fmt.Sprint(i))
		}
		must(t, b.ReadNotices(t.Context()))
		b.storage.log()
		must(t, b.ReadNotices(t.Context()))
		if calls := b.storage.log(); len(calls) != 1 {
			t.Errorf("%q", calls)
		}
		a.tell(t, EndUser, "new")
		b.storage.log()
		must(t, b.ReadNotices(t.Context()))
		loads := 0
		for _, call := range b.storage.log() {
			if strings.HasPrefix(call, "load notices/") {
				loads++
			}
		}
		if loads != 2 { // the latest, and the new one
			t.Errorf("%d loads", loads)
		}
	})
}

func TestNoFaultOfTheStorageTakesANoticeBackOrHidesIt(t *testing.T) {
	for what := refused; what <= hangsUnseen; what++ {
		switch what {
		case stuck, doneButStuck, late:
			continue
		}
		for _, op := range []string{"load", "list", "store", "stat", "lock", "unlock", "delete"} {
			if op == "lock" && slices.Contains([]fault{failsButDone, doneButHangs, panicsDone}, what) {
				continue // the locks of this storage do not go stale
			}
			t.Run(fmt.Sprint(op, " ", what), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					a, b := tellers(t)
					c := a.claims(t)
					a.tell(t, EndUser, "bob")
					for skip := range 8 {
						a.storage.add(&rule{op: op, skip: skip, times: 1, fault: what})
						_, err := a.Tell(t.Context(), EndUser, "alice")
						a.storage.recovers()
						if err == nil {
							a.wantEnded(t, c, true)
						}
						b.storage.add(&rule{op: op, skip: skip, times: 1, fault: what})
						read := b.ReadNotices(t.Context())
						b.storage.recovers()
						if err == nil && read == nil {
							b.wantEnded(t, c, true)
						}
						time.Sleep(time.Minute)
						if err != nil {
							a.tell(t, EndUser, "alice")
						}
						must(t, b.ReadNotices(t.Context()))
						for _, n := range []*node{a, b, b.restart()} {
							must(t, n.ReadNotices(t.Context()))
							n.wantEnded(t, c, true)
							n.wantEnded(t, Claims{ID: c.ID, Subject: "bob"}, true)
							n.wantEnded(t, Claims{ID: c.ID, Subject: "carol"}, false)
						}
						c = b.claims(t)
					}
				})
			})
		}
	}
}

// A storage that was put back to an earlier state, or another one.
func TestWhatANodeKnowsStaysWhateverTheStorageLoses(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := tellers(t)
		c := a.claims(t)
		first := a.tell(t, EndUser, "alice")
		must(t, b.ReadNotices(t.Context()))
		must(t, a.storage.Storage.Delete(t.Context(), a.noticeKey(first.name())))
		a.tell(t, EndUser, "bob")
		must(t, b.ReadNotices(t.Context()))
		b.wantEnded(t, c, true)
		must(t, a.storage.Storage.Delete(t.Context(), a.noticeKey(latestName)))
		wantUnavailable(t, b.ReadNotices(t.Context()))
		if _, err := b.EndedNow(t.Context(), c); err == nil {
			t.Error("a refresh goes on")
		}
		b.wantEnded(t, c, true)
		_, err := a.Tell(t.Context(), EndUser, "carol")
		wantUnavailable(t, err)
	})
}

func TestALatestWithoutItsNoticeIsNotBelieved(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, _ := tellers(t)
		told := a.tell(t, EndUser, "alice")
		put(t, a.storage.Storage, "notices/latest", fmt.Sprintf(`{"version":1,"number":%d,"change":"x"}`, told.Number+1))
		again := a.restart()
		wantUnavailable(t, again.ReadNotices(t.Context()))
		if _, err := again.Version(t.Context()); err == nil {
			t.Error("a login goes on")
		}

		must(t, a.storage.Storage.Delete(t.Context(), a.noticeKey(latestName))) // as the error says
		again = a.restart()
		must(t, again.BeginNotices(t.Context()))
		again.wantEnded(t, Claims{ID: monthAhead(), Subject: "alice"}, true)
		again.wantEnded(t, again.claims(t), false)
		again.tell(t, EndUser, "bob")
	})
}

func TestADamagedLatestHidesNoNotice(t *testing.T) {
	for _, content := range []string{"}{", `{"version":2,"number":1,"change":"x"}`, "", `{"version":1,"number":0,"change":"x"}`} {
		inBubble(t, func(t *testing.T) {
			a, b := tellers(t)
			c := a.claims(t)
			a.tell(t, EndUser, "alice")
			put(t, a.storage.Storage, "notices/latest", content)
			for _, n := range []*node{b, a.restart()} {
				must(t, n.ReadNotices(t.Context()))
				n.wantEnded(t, c, true)
				n.wantEnded(t, n.claims(t), false)
				n.storage.log()
				must(t, n.ReadNotices(t.Context()))
				if calls := n.storage.log(); len(calls) != 1 {
					t.Errorf("%q", calls)
				}
			}
			b.tell(t, EndUser, "bob")
			must(t, a.ReadNotices(t.Context()))
			a.wantEnded(t, Claims{ID: c.ID, Subject: "bob"}, true)
		})
	}
}

func TestObjectsThatAreNotNoticesAreLeftAlone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, _ := tellers(t)
		for _, name := range []string{"README", "0000000000000001-end-user-", "ffffffffffffffff-end-user-0123456789abcdef", "x/y"} {
			put(t, a.storage.Storage, "notices/"+name, "")
		}
		a.tell(t, EndUser, "alice")
		again := a.restart()
		must(t, again.ReadNotices(t.Context()))
		if all, _ := again.memory.Notices(); len(all) != 1 {
			t.Errorf("%v", all)
		}
	})
}

// A write that is cut off leaves a notice of which only the name can be read.
func TestADamagedNoticeStillEndsTheSessionsOfItsUserAndNoOthers(t *testing.T) {
	for _, content := range []string{"", "{", `{"version":2}`, `{"version":1,"number":1,"kind":"end-user","of":"bob"}`} {
		for _, of := range []struct {
			kind NoticeKind
			name string
		}{{EndUser, "alice"}, {EndClient, "web"}, {EndServer, ""}} {
			inBubble(t, func(t *testing.T) {
				a, _ := tellers(t)
				c := a.claims(t)
				told := a.tell(t, of.kind, of.name)
				put(t, a.storage.Storage, "notices/"+told.name(), content)
				again := a.restart()
				must(t, again.ReadNotices(t.Context()))
				again.wantEnded(t, c, true)
				again.wantEnded(t, Claims{ID: c.ID, Subject: "bob", Client: "cli"}, of.kind == EndServer)
				again.wantEnded(t, again.claims(t), false)
				again.tell(t, of.kind, of.name)
				if all, _ := again.memory.Notices(); len(all) != 1 || all[0].IsDamaged() {
					t.Errorf("%v", all)
				}
			})
		}
	}
}

// lockless is a storage whose locks hold off no one, as those of some plugins.
type lockless struct{ *shelf }

func (lockless) Lock(context.Context, string) error   { return nil }
func (lockless) Unlock(context.Context, string) error { return nil }

// Two nodes make a notice at once, and a session begins at a node that knows one of
// them, before the other is stored.
func TestNoSessionOutlivesANoticeWhereTheLocksOfTheStorageHoldOffNoOne(t *testing.T) {
	for _, skew := range []time.Duration{-time.Hour, 0, time.Hour} {
		for _, kind := range []NoticeKind{EndUser, ForgiveUser} {
			for _, moment := range []*rule{
				{op: "store", part: "-end-user-", times: 1},
				{op: "store", part: "latest", times: 1},
				{op: "load", part: "latest", skip: 1, times: 1},
			} {
				inBubble(t, func(t *testing.T) {
					storage := lockless{newShelf()}
					a, b, c := newNode(storage), newNode(storage), newNode(storage)
					for _, n := range []*node{a, b, c} {
						must(t, n.BeginNotices(t.Context()))
					}
					b.skew = skew
					var before []Claims
					when := *moment
					when.before = func() {
						b.tell(t, kind, "bob")
						must(t, c.ReadNotices(t.Context()))
						before = append(before, b.claims(t), c.claims(t))
					}
					a.storage.add(&when)
					if _, err := a.Tell(t.Context(), EndUser, "alice"); err != nil {
						a.tell(t, EndUser, "alice")
					}
					if len(before) != 2 {
						t.Fatal("no session began")
					}
					for _, n := range []*node{a, b, c, c.restart()} {
						must(t, n.ReadNotices(t.Context()))
						for _, session := range before {
							n.wantEnded(t, session, true)
						}
						n.wantEnded(t, n.claims(t), false)
					}
				})
			}
		}
	}
}

// A remote storage takes a millisecond or more for each of them.
func TestManyNoticesAreReadFromASlowStorage(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, _ := tellers(t)
		told := a.tell(t, EndUser, "alice")
		for i := range 5_000 {
			n := newNotice(told.Number-5_000+int64(i), EndUser, fmt.Sprint("user ", i), time.Now())
			put(t, a.storage.Storage, "notices/"+n.name(), string(encodeNotice(n)))
		}
		again := a.restart()
		again.storage.add(&rule{op: "load", before: func() { time.Sleep(20 * time.Millisecond) }})
		attempts := 0
		for attempts = 1; again.ReadNotices(t.Context()) != nil; attempts++ {
			if attempts == 10 {
				t.Fatal("they were never read")
			}
		}
		again.wantEnded(t, Claims{ID: monthAhead(), Subject: "user 4999"}, true)
		again.wantEnded(t, Claims{ID: monthAhead(), Subject: "alice"}, true)
		if all, _ := again.memory.Notices(); len(all) != 5_001 {
			t.Errorf("%d notices", len(all))
		}
	})
}

// A place of the storage that is down hides some of the notices, and the latest is
// elsewhere.
func TestNoticesAreNotTakenAsReadWhereAPlaceOfTheStorageIsDown(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, _ := tellers(t)
		c := a.claims(t)
		hidden := a.tell(t, EndUser, "alice")
		a.tell(t, EndUser, "bob")
		storage := &hiding{shelf: a.storage.Storage.(*shelf), hidden: hidden.name()}
		n := newNode(storage)
		n.storage.add(&rule{op: "list", part: "notices", times: 1, before: func() {
			storage.down = true
			n.storage.add(&rule{op: "store", part: "probe", fault: refused})
		}})
		wantUnavailable(t, n.ReadNotices(t.Context()))
		storage.down = false
		n.storage.recovers()
		time.Sleep(time.Minute)
		must(t, n.ReadNotices(t.Context()))
		n.wantEnded(t, c, true)
	})
}

// hiding is a storage that lists an object only while no place of it is down.
type hiding struct {
	*shelf
	hidden string
	down   bool
}

func (h *hiding) List(ctx context.Context, key string, recursive bool) ([]string, error) {
	keys, err := h.shelf.List(ctx, key, recursive)
	if h.down {
		keys = slices.DeleteFunc(keys, func(key string) bool { return strings.HasSuffix(key, h.hidden) })
	}
	return keys, err
}

// A folder is not listed in one moment: what is added meanwhile may be missing, while
// what it takes the place of is gone already.
func TestANewProcessLacksNoNoticeThatIsReplacedWhileItReads(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, _ := tellers(t)
		c := a.claims(t)
		a.tell(t, EndUser, "alice")
		a.tell(t, EndUser, "bob")
		storage := &hiding{shelf: a.storage.Storage.(*shelf)}
		n := newNode(storage)
		n.storage.add(&rule{op: "list", part: "notices", times: 1, before: func() {
			storage.hidden, storage.down = a.tell(t, EndUser, "alice").name(), true
		}, after: func() { storage.down = false }})
		must(t, n.ReadNotices(t.Context()))
		n.wantEnded(t, c, true)
	})
}

// As for a login in the first moment of a new server.
func TestANodeReadsTheNoticesInTheMomentInWhichTheyBegin(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		a, b := newNode(storage), newNode(storage)
		b.storage.add(&rule{op: "list", part: "notices", times: 1, before: func() { must(t, a.BeginNotices(t.Context())) }})
		must(t, b.ReadNotices(t.Context()))
		b.wantEnded(t, b.claims(t), false)
	})
}

// Before the first reading succeeds, nothing is known, and so nothing is granted.
func TestNoRefreshGoesOnBeforeTheNoticesAreRead(t *testing.T) {
	for _, what := range []fault{refused, hangs, unseen, hangsUnseen, panics} {
		for _, part := range []string{"", "latest", "secret"} {
			inBubble(t, func(t *testing.T) {
				a, _ := tellers(t)
				const witness = testPrefix + "/secret"
				must(t, a.storage.Storage.Store(t.Context(), witness, []byte("x")))
				c := a.claims(t)
				a.tell(t, EndUser, "alice")
				for _, op := range []string{"", "load", "stat"} {
					n := a.restart()
					n.WithWitness(witness)
					for range 3 {
						n.storage.add(&rule{op: op, part: part, fault: what})
						ended, err := n.EndedNow(t.Context(), c)
						n.storage.recovers()
						if err == nil && !ended {
							t.Errorf("%s %s %s: it goes on", op, what, part)
						}
					}
				}
			})
		}
	}
}

func TestForgivenFailuresLeaveTheMemoryToo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := tellers(t)
		for i := range 20 {
			a.tell(t, ForgiveAddress, fmt.Sprint(i))
		}
		must(t, b.ReadNotices(t.Context()))
		time.Sleep(10 * 24 * time.Hour)
		a.tell(t, ForgiveAddress, "last")
		a.tell(t, EndUser, "alice")
		heard := 0
		b.memory.OnNotice(func(Notice) { heard++ })
		must(t, b.ReadNotices(t.Context()))
		for _, n := range []*node{a, b} {
			if all, _ := n.memory.Notices(); len(all) != 2 {
				t.Errorf("%d notices", len(all))
			}
		}
		if heard != 2 {
			t.Errorf("heard %d", heard)
		}
	})
}

func TestANoticeOfALaterVersionIsKeptAndEndsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := tellers(t)
		c := a.claims(t)
		later := newNotice(time.Now().UnixMilli(), "end-group", "staff", time.Now())
		put(t, a.storage.Storage, "notices/"+later.name(), string(encodeNotice(later)))
		for range 2 {
			a.tell(t, EndUser, "bob")
			time.Sleep(20 * 24 * time.Hour)
		}
		for _, n := range []*node{a, b, b.restart()} {
			must(t, n.ReadNotices(t.Context()))
			n.wantEnded(t, c, false)
		}
		if content, err := a.load(t.Context(), a.noticeKey(later.name())); err != nil || content == nil {
			t.Errorf("it is gone: %v", err)
		}
	})
}

// Every request with a token is checked against all notices.
func TestACheckAgainstManyNoticesAllocatesNothing(t *testing.T) {
	all := make(map[string]Notice)
	for i := range 10_000 {
		n := newNotice(int64(i+1), []NoticeKind{EndUser, EndClient}[i%2], fmt.Sprint("of ", i), time.Now())
		all[n.name()] = n
	}
	m := NewMemory()
	m.notices.set.Store(newNoticeSet(latestNotice{Number: 10_000}, all))
	c := Claims{ID: monthAhead(), Subject: "alice", Client: "web"}
	if allocs := testing.AllocsPerRun(100, func() { m.Ended(c) }); allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}
