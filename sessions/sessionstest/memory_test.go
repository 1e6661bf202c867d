package sessionstest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/sessionstest"
)

const server = "default"

// answers of exchanges.
var (
	first  = strings.Repeat("1", 32)
	second = strings.Repeat("2", 32)
)

// begin opens two nodes of an engine, and makes a session.
func begin(t *testing.T, m *sessionstest.Memory) (a, b *sessionstest.Node, id sessions.ID) {
	t.Helper()
	a, b = m.Open(server), m.Open(server)
	epoch, err := a.Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return a, b, sessions.NewID(time.Now().Add(time.Hour), epoch)
}

// wantState loads a session, and compares all but the age.
func wantState(t *testing.T, n *sessionstest.Node, id sessions.ID, want sessions.State) {
	t.Helper()
	st, err := n.Load(t.Context(), id)
	st.Age = 0
	if err != nil || st != want {
		t.Fatalf("got %+v, %v; want %+v", st, err, want)
	}
}

func TestFaultsHaveTheEffectThatTheySay(t *testing.T) {
	for fault, want := range map[sessionstest.Fault]sessions.State{
		sessionstest.Refused:      {},
		sessionstest.HalfDone:     {},
		sessionstest.Late:         {},
		sessionstest.Hangs:        {},
		sessionstest.Unsuitable:   {},
		sessionstest.FailsButDone: {Generation: 1, Answer: first},
		sessionstest.DoneButHangs: {Generation: 1, Answer: first},
	} {
		t.Run(fault.String(), func(t *testing.T) {
			a, b, id := begin(t, sessionstest.NewMemory(nil))
			ctx, end := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer end()
			a.Befall("Swap", fault)
			if st, err := a.Swap(ctx, id, 1, first); err == nil || st != (sessions.State{}) || errors.Is(err, sessions.ErrUnsuitable) != (fault == sessionstest.Unsuitable) {
				t.Errorf("got %+v, %v", st, err)
			}
			wantState(t, b, id, want)
			a.Recover()
			if st, err := a.Swap(t.Context(), id, 1, first); err != nil || st.Answer != first {
				t.Errorf("got %+v, %v", st, err)
			}
		})
	}
}

func TestALateSwapTakesEffectUnderItsConditionOnly(t *testing.T) {
	m := sessionstest.NewMemory(nil)
	a, b, id := begin(t, m)
	other, revoked := sessions.NewID(time.Now(), id.Epoch), sessions.NewID(time.Now(), id.Epoch)
	a.Befall("Swap", sessionstest.Late, sessionstest.Late, sessionstest.Late)
	for _, id := range []sessions.ID{id, other, revoked} {
		if _, err := a.Swap(t.Context(), id, 1, first); !errors.Is(err, sessionstest.ErrInjected) {
			t.Fatal(err)
		}
	}
	if st, err := b.Swap(t.Context(), other, 1, second); err != nil || st.Answer != second {
		t.Fatal(st, err)
	}
	if err := b.Revoke(t.Context(), revoked); err != nil {
		t.Fatal(err)
	}
	wantState(t, b, id, sessions.State{})
	if n := m.ComesTrue(); n != 3 {
		t.Errorf("%d late calls", n)
	}
	wantState(t, b, id, sessions.State{Generation: 1, Answer: first})
	wantState(t, b, other, sessions.State{Generation: 1, Answer: second})
	wantState(t, b, revoked, sessions.State{Revoked: true})
}

func TestARevocationThatWasCutOffIsCompletedByAnother(t *testing.T) {
	a, b, id := begin(t, sessionstest.NewMemory(nil))
	a.Befall("Revoke", sessionstest.HalfDone)
	if err := a.Revoke(t.Context(), id); !errors.Is(err, sessionstest.ErrInjected) {
		t.Fatal(err)
	}
	wantState(t, b, id, sessions.State{Revoked: true})
	if ids, _, _, err := b.Revoked(t.Context(), ""); err != nil || len(ids) != 0 {
		t.Fatal(ids, err)
	}
	for range 2 {
		if err := b.Revoke(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if ids, _, _, err := b.Revoked(t.Context(), ""); err != nil || len(ids) != 1 || ids[0] != id {
			t.Fatal(ids, err)
		}
	}
}

func TestAFailOverLosesWhatCameAfterTheSnapshot(t *testing.T) {
	m := sessionstest.NewMemory(nil)
	a, b, id := begin(t, m)
	for i, answer := range []string{first, second} {
		if _, err := a.Swap(t.Context(), id, uint64(i)+1, answer); err != nil {
			t.Fatal(err)
		}
	}
	early := m.Snapshot()
	if err := a.Revoke(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	_, cursor, _, err := a.Revoked(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // a snapshot can be used again
		m.FailOver(early)
		wantState(t, b, id, sessions.State{Generation: 2, Answer: second})
		if _, _, _, err := b.Revoked(t.Context(), cursor); !errors.Is(err, sessions.ErrCursor) {
			t.Fatal(err)
		}
		if ids, _, _, err := b.Revoked(t.Context(), ""); err != nil || len(ids) != 0 {
			t.Fatal(ids, err)
		}
		if err := b.Revoke(t.Context(), id); err != nil { // which is not in the snapshot
			t.Fatal(err)
		}
	}
}

func TestATrimmedFeedHasNoCursorOfBeforeAndAllEntries(t *testing.T) {
	m := sessionstest.NewMemory(nil)
	a, b, id := begin(t, m)
	if err := a.Revoke(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	_, cursor, _, err := a.Revoked(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	m.TrimFeeds()
	if _, _, _, err := b.Revoked(t.Context(), cursor); !errors.Is(err, sessions.ErrCursor) {
		t.Fatal(err)
	}
	if ids, _, _, err := b.Revoked(t.Context(), ""); err != nil || len(ids) != 1 {
		t.Fatal(ids, err)
	}
}

func TestADamagedRecordCanBeRevoked(t *testing.T) {
	m := sessionstest.NewMemory(nil)
	a, _, id := begin(t, m)
	m.Damage(server, id)
	if _, err := a.Load(t.Context(), id); !errors.Is(err, sessions.ErrDamaged) {
		t.Fatal(err)
	}
	if _, err := a.Swap(t.Context(), id, 1, first); !errors.Is(err, sessions.ErrDamaged) {
		t.Fatal(err)
	}
	if err := a.Revoke(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	wantState(t, a, id, sessions.State{Revoked: true})
}

func TestMeetSeesEveryCall(t *testing.T) {
	m := sessionstest.NewMemory(nil)
	a, b, id := begin(t, m)
	var calls []sessionstest.Call
	a.Meet(func(call sessionstest.Call) sessionstest.Fault {
		calls = append(calls, call)
		if _, err := b.Swap(t.Context(), id, 1, second); err != nil { // gets in between
			t.Error(err)
		}
		return sessionstest.Fine
	})
	if st, err := a.Swap(t.Context(), id, 1, first); err != nil || st.Answer != second {
		t.Fatal(st, err)
	}
	if want := (sessionstest.Call{Op: "Swap", ID: id, Next: 1}); len(calls) != 1 || calls[0] != want {
		t.Fatal(calls)
	}
}

func TestAnEngineThatWasStoppedDoesNothing(t *testing.T) {
	m := sessionstest.NewMemory(nil)
	a, b, id := begin(t, m)
	m.Stop()
	if _, err := a.Swap(t.Context(), id, 1, first); err == nil {
		t.Error("a swap succeeded")
	}
	if _, err := m.Open(server).Epoch(t.Context()); err == nil {
		t.Error("there is an epoch")
	}
	m.Start()
	wantState(t, b, id, sessions.State{})
}

// The clock of the engine is the bubble's. What it has said to be over stays that, also
// when the clock goes back.
func TestASessionIsOverByTheEnginesClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		skew := time.Duration(0)
		m := sessionstest.NewMemory(func() time.Time { return time.Now().Add(skew) })
		a, b, id := begin(t, m)
		long := sessions.NewID(time.Now().AddDate(1, 0, 0), id.Epoch)
		for _, id := range []sessions.ID{id, long} {
			if _, err := a.Swap(t.Context(), id, 1, first); err != nil {
				t.Fatal(err)
			}
			if err := a.Revoke(t.Context(), sessions.NewID(id.Over().AddDate(0, 0, -8), id.Epoch)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		if st, err := b.Load(t.Context(), id); err != nil || st.Age != time.Minute {
			t.Fatal(st, err)
		}
		time.Sleep(time.Until(id.Over()) - 1)
		wantState(t, a, id, sessions.State{Generation: 1, Answer: first})
		time.Sleep(time.Nanosecond)
		wantState(t, a, id, sessions.State{Over: true})
		if more, err := a.Sweep(t.Context()); more || err != nil {
			t.Fatal(more, err)
		}
		if records, entries := m.Kept(server); records != 2 || entries != 1 {
			t.Errorf("%d records and %d entries are left", records, entries)
		}
		skew = -30 * 24 * time.Hour
		wantState(t, a, id, sessions.State{Over: true})
		wantState(t, a, long, sessions.State{Generation: 1, Answer: first})
		if st, err := a.Swap(t.Context(), id, 1, second); err != nil || !st.Over {
			t.Fatal(st, err)
		}
	})
}
