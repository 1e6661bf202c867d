package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/postgres"
)

// opened gets an engine ready as Caddy and a server do.
func opened(t testing.TB, settings postgres.Postgres) sessions.Engine {
	t.Helper()
	return openedAs(t, "main", settings, zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel)))
}

func openedAs(t testing.TB, server string, settings postgres.Postgres, logger *zap.Logger) sessions.Engine {
	t.Helper()
	if err := settings.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	engine, err := settings.OpenSessions(server, logger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 2 {
			if err := engine.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return engine
}

// nodes are n engines, each with a pool of its own, whose epoch is there.
func nodes(t testing.TB, url string, n int) (engines []sessions.Engine, epoch string) {
	t.Helper()
	for i := range n {
		engine := opened(t, postgres.Postgres{URL: url, MaxConnections: 10 + i, Timeout: caddy.Duration(10 * time.Second)})
		epoch = epochOf(t, engine)
		engines = append(engines, engine)
	}
	return engines, epoch
}

func epochOf(t testing.TB, engine sessions.Engine) string {
	t.Helper()
	epoch, err := engine.Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return epoch
}

func newID(epoch string) sessions.ID { return sessions.NewID(time.Now().Add(24*time.Hour), epoch) }

// newAnswer is the name of an exchange.
func newAnswer() string { return sessions.NewEpoch() + sessions.NewEpoch() }

func loaded(t testing.TB, engine sessions.Engine, id sessions.ID) sessions.State {
	t.Helper()
	state, err := engine.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func swap(t testing.TB, engine sessions.Engine, id sessions.ID, next uint64, answer string) sessions.State {
	t.Helper()
	state, err := engine.Swap(t.Context(), id, next, answer)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func revoke(t testing.TB, engine sessions.Engine, ids ...sessions.ID) {
	t.Helper()
	for _, id := range ids {
		if err := engine.Revoke(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
}

// wonAs tells whether a swap to a generation won.
func wonAs(state sessions.State, next uint64, answer string) bool {
	return state.Generation == next && state.Answer == answer && !state.Revoked && !state.Over
}

// follow reads the feed from a cursor to its end.
func follow(t testing.TB, engine sessions.Engine, cursor string) (ids []sessions.ID, next string) {
	t.Helper()
	for more := true; more; {
		page, following, left, err := engine.Revoked(t.Context(), cursor)
		if err != nil {
			t.Fatal(err)
		}
		ids, cursor, more = append(ids, page...), following, left
	}
	return ids, cursor
}

func TestASessionIsExchangedAndRevoked(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 1)
	engine, id := engines[0], newID(epoch)
	if state := loaded(t, engine, id); state != (sessions.State{}) {
		t.Fatalf("a session without a record: %+v", state)
	}
	for next := uint64(1); next <= 5; next++ {
		answer := newAnswer()
		if state := swap(t, engine, id, next, answer); !wonAs(state, next, answer) || state.Age > time.Minute {
			t.Fatalf("exchange %d: %+v", next, state)
		}
		if state := swap(t, engine, id, next, newAnswer()); !wonAs(state, next, answer) {
			t.Fatalf("another exchange %d: %+v", next, state)
		}
		if state := swap(t, engine, id, next+2, newAnswer()); !wonAs(state, next, answer) {
			t.Fatalf("an exchange too far: %+v", state)
		}
		run(t, db, `UPDATE caddy_grant_sessions SET exchanged_at = exchanged_at - interval '1 hour'`)
		if state := swap(t, engine, id, next, answer); !wonAs(state, next, answer) || state.Age < time.Hour {
			t.Fatalf("exchange %d repeated: %+v", next, state)
		}
	}
	before := loaded(t, engine, id)
	if before.Generation != 5 || before.Revoked || before.Age < time.Hour {
		t.Fatalf("loaded: %+v", before)
	}
	ids, cursor := follow(t, engine, "")
	if len(ids) != 0 || cursor == "" {
		t.Fatalf("the feed has %v, cursor %q", ids, cursor)
	}
	revoke(t, engine, id, id)
	if state := swap(t, engine, id, 6, newAnswer()); !state.Revoked || state.Generation != 5 {
		t.Fatalf("an exchange after the end: %+v", state)
	}
	unused := newID(epoch)
	revoke(t, engine, unused)
	if state := swap(t, engine, unused, 1, newAnswer()); !state.Revoked || state.Generation != 0 || state.Answer != "" {
		t.Fatalf("a first exchange after the end: %+v", state)
	}
	ids, cursor = follow(t, engine, cursor)
	if len(ids) != 2 || ids[0] != id || ids[1] != unused {
		t.Fatalf("the feed has %v, want %v and %v", ids, id, unused)
	}
	if ids, again := follow(t, engine, cursor); len(ids) != 0 || again != cursor {
		t.Fatalf("the feed has %v, cursor %s, want none and %s", ids, again, cursor)
	}
}

func TestNoNumberOfExchangesIsTooLarge(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 1)
	id := newID(epoch)
	swap(t, engines[0], id, 1, newAnswer())
	run(t, db, `UPDATE caddy_grant_sessions SET generation = 9223372036854775807`)
	for _, next := range []uint64{1<<63 - 1, 1 << 63, 1<<64 - 1, 2, 1} {
		if state := swap(t, engines[0], id, next, newAnswer()); state.Generation != 1<<63-1 {
			t.Errorf("an exchange %d: %+v", next, state)
		}
	}
}

func TestServersOfOneDatabaseAreApart(t *testing.T) {
	url, _ := sharedServer(t).database(t)
	one := openedAs(t, "one", postgres.Postgres{URL: url}, zap.NewNop())
	two := openedAs(t, "two", postgres.Postgres{URL: url}, zap.NewNop())
	id, other := newID(epochOf(t, one)), newID(epochOf(t, two))
	if id.Epoch == other.Epoch {
		t.Fatal("two servers have one epoch")
	}
	revoke(t, one, id)
	revoke(t, two, other)
	if ids, _ := follow(t, one, ""); len(ids) != 1 || ids[0] != id {
		t.Errorf("the feed has %v", ids)
	}
	if _, err := one.Load(t.Context(), other); !errors.Is(err, sessions.ErrOtherEpoch) {
		t.Errorf("a session of another server: %v", err)
	}
}

func TestRecordsThatCannotBeReadAreDamaged(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 1)
	engine := engines[0]
	for _, damage := range []string{"generation = -1", "generation = 0", "exchanged_at = 'infinity'", "exchanged_at = '-infinity'"} {
		id := newID(epoch)
		swap(t, engine, id, 1, newAnswer())
		run(t, db, `UPDATE caddy_grant_sessions SET `+damage+` WHERE NOT revoked`)
		for _, next := range []uint64{1, 2} {
			if state, err := engine.Swap(t.Context(), id, next, newAnswer()); !errors.Is(err, sessions.ErrDamaged) {
				t.Errorf("%s: exchange %d: %+v, %v", damage, next, state, err)
			}
		}
		if state, err := engine.Load(t.Context(), id); !errors.Is(err, sessions.ErrDamaged) {
			t.Errorf("%s: %+v, %v", damage, state, err)
		}
		revoke(t, engine, id)
		if state := loaded(t, engine, id); !state.Revoked {
			t.Errorf("%s: after the end: %+v", damage, state)
		}
		if ids, _ := follow(t, engine, ""); ids[len(ids)-1] != id {
			t.Errorf("%s: not in the feed", damage)
		}
	}
}

func TestWhatIsNotASessionIsAnError(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 1)
	engine := engines[0]
	for _, id := range []sessions.ID{{}, {Day: "20261131", Random: newID(epoch).Random, Epoch: epoch}, {Day: "20261130", Random: "'; DROP", Epoch: epoch}} {
		if _, err := engine.Load(t.Context(), id); err == nil {
			t.Errorf("%v was loaded", id)
		}
		if err := engine.Revoke(t.Context(), id); err == nil {
			t.Errorf("%v was revoked", id)
		}
	}
	for _, answer := range []string{"", "x", newAnswer()[1:], strings.ToUpper("abcdef") + newAnswer()[6:], newAnswer() + "0"} {
		if _, err := engine.Swap(t.Context(), newID(epoch), 1, answer); err == nil {
			t.Errorf("answer %q was taken", answer)
		}
	}
	if _, err := engine.Swap(t.Context(), newID(epoch), 0, newAnswer()); err == nil {
		t.Error("generation 0 was taken")
	}
	if n := value[int](t, db, `SELECT count(*) FROM caddy_grant_sessions`); n != 0 {
		t.Errorf("%d records", n)
	}
}

func TestAContextThatEndedBeginsNothing(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := engines[0].Swap(ctx, newID(epoch), 1, newAnswer()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n := value[int](t, db, `SELECT count(*) FROM caddy_grant_sessions`); n != 0 {
		t.Errorf("%d records", n)
	}
}

func TestCallsAfterCloseFail(t *testing.T) {
	url, _ := sharedServer(t).database(t)
	engine := opened(t, postgres.Postgres{URL: url})
	id := newID(epochOf(t, engine))
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
	_, epoch := engine.Epoch(t.Context())
	_, load := engine.Load(t.Context(), id)
	_, swap := engine.Swap(t.Context(), id, 1, newAnswer())
	_, _, _, feed := engine.Revoked(t.Context(), "")
	_, sweep := engine.Sweep(t.Context())
	for name, err := range map[string]error{"Epoch": epoch, "Load": load, "Swap": swap, "Revoke": engine.Revoke(t.Context(), id), "Revoked": feed, "Sweep": sweep} {
		if err == nil {
			t.Errorf("%s after Close", name)
		}
	}
}
