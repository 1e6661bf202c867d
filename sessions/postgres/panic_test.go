package postgres_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/postgres"
)

// panics is a hook of the driver that panics with a secret at statements that contain a
// word, before they are sent or when they have ended.
type panics struct {
	before, after atomic.Value // of string; "": never
	n             atomic.Int32
}

func (h *panics) at(word *atomic.Value, sql string) {
	if w, _ := word.Load().(string); w != "" && strings.Contains(sql, w) {
		h.n.Add(1)
		panic(hidden)
	}
}

type statement struct{}

func (h *panics) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	h.at(&h.before, data.SQL)
	return context.WithValue(ctx, statement{}, data.SQL)
}

func (h *panics) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	sql, _ := ctx.Value(statement{}).(string)
	h.at(&h.after, sql)
}

// traced opens an engine with the hook, and a pool of its own.
func traced(t *testing.T, url string, connections int, hook pgx.QueryTracer) sessions.Engine {
	t.Helper()
	settings := postgres.Postgres{URL: url, MaxConnections: connections, Timeout: caddy.Duration(10 * time.Second)}
	if err := settings.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	settings.Trace(hook)
	engine, err := settings.OpenSessions("main", zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	return engine
}

func isPanic(t *testing.T, name string, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "[PANIC] string") || strings.Contains(err.Error(), hidden) || isState(err) {
		t.Errorf("%s: %v", name, err)
	}
}

// A panic in the goroutine of a call would end Caddy, and all of its sites. It costs no
// connection: more than there are do not keep the next call waiting.
func TestPanicsOfTheDriverAreErrorsOfTheCall(t *testing.T) {
	url, _ := sharedServer(t).database(t)
	const connections = 3
	hook := new(panics)
	engine := traced(t, url, connections, hook)
	for _, made := range []string{"pg_advisory_xact_lock", "INSERT INTO caddy_grant_epochs"} { // by Epoch at first
		hook.before.Store(made)
		_, err := engine.Epoch(t.Context())
		isPanic(t, made, err)
	}
	hook.before.Store("")
	id := newID(epochOf(t, engine))
	swap(t, engine, id, 1, newAnswer())
	for _, word := range []*atomic.Value{&hook.before, &hook.after} {
		for range connections + 1 {
			word.Store(" ")
			for name, err := range failures(t, engine, id) {
				isPanic(t, name, err)
			}
			_, err := engine.Epoch(t.Context())
			isPanic(t, "Epoch", err)
			_, err = engine.Sweep(t.Context())
			isPanic(t, "Sweep", err)
			word.Store("")
			epochOf(t, engine)
		}
	}
}

func TestAPanicWhileListeningIsTriedAgain(t *testing.T) {
	url, _ := sharedServer(t).database(t)
	hook := new(panics)
	engine := traced(t, url, 4, hook)
	id := newID(epochOf(t, engine))
	hook.before.Store("LISTEN")
	woken := engine.(sessions.Waker).Wake(t.Context())
	for range 1200 {
		if hook.n.Load() > 0 {
			break
		}
		time.Sleep(25 * time.Millisecond)
	}
	if hook.n.Load() == 0 {
		t.Fatal("nothing has panicked")
	}
	hook.before.Store("")
	wakes(t, woken, "a panic")
	revoke(t, engine, id)
	wakes(t, woken, "a revocation")
}
