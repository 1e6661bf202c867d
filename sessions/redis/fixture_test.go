package redis

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/sessions"
)

// open opens an engine as Caddy does.
func open(t *testing.T, url string, change ...func(*Sessions)) sessions.Engine {
	t.Helper()
	return openLogging(t, url, zap.NewNop(), change...)
}

func openLogging(t *testing.T, url string, logger *zap.Logger, change ...func(*Sessions)) sessions.Engine {
	t.Helper()
	return openWith(t, "default", url, logger, change...)
}

// openAs opens the engine of another server.
func openAs(t *testing.T, server, url string, change ...func(*Sessions)) sessions.Engine {
	t.Helper()
	return openWith(t, server, url, zap.NewNop(), change...)
}

func openWith(t *testing.T, server, url string, logger *zap.Logger, change ...func(*Sessions)) sessions.Engine {
	t.Helper()
	s := &Sessions{URL: url}
	for _, f := range change {
		f(s)
	}
	if err := s.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	e, err := s.OpenSessions(server, logger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// asked calls do, and again if Redis was not there: once it could not be reached for a
// while, the client says so for up to a second after it is back.
func asked(do func() error) error {
	err := do()
	for deadline := time.Now().Add(10 * time.Second); err != nil && strings.Contains(err.Error(), "connection refused") && time.Now().Before(deadline); err = do() {
		time.Sleep(50 * time.Millisecond)
	}
	return err
}

func epochOf(t *testing.T, e sessions.Engine) string {
	t.Helper()
	var epoch string
	err := asked(func() (err error) { epoch, err = e.Epoch(t.Context()); return err })
	if err != nil {
		t.Fatalf("Epoch: %v", err)
	}
	if !sessions.IsEpoch(epoch) {
		t.Fatalf("Epoch: %q", epoch)
	}
	return epoch
}

func newID(epoch string) sessions.ID { return sessions.NewID(time.Now().Add(30*24*time.Hour), epoch) }

func newAnswer() string {
	random := make([]byte, 16)
	rand.Read(random)
	return hex.EncodeToString(random)
}

func swap(t *testing.T, e sessions.Engine, id sessions.ID, next uint64) {
	t.Helper()
	answer := newAnswer()
	var state sessions.State
	err := asked(func() (err error) { state, err = e.Swap(t.Context(), id, next, answer); return err })
	if err != nil {
		t.Fatalf("Swap of generation %d: %v", next, err)
	}
	if !won(state, next, answer) {
		t.Fatalf("Swap of generation %d: %+v", next, state)
	}
}

func won(state sessions.State, next uint64, answer string) bool {
	return state.Generation == next && state.Answer == answer && !state.Revoked && !state.Over
}

func load(t *testing.T, e sessions.Engine, id sessions.ID) sessions.State {
	t.Helper()
	var state sessions.State
	err := asked(func() (err error) { state, err = e.Load(t.Context(), id); return err })
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return state
}

func revoke(t *testing.T, e sessions.Engine, id sessions.ID) {
	t.Helper()
	if err := asked(func() error { return e.Revoke(t.Context(), id) }); err != nil {
		t.Fatalf("Revoke: %v", err)
	}
}

// read reads the feed to its end.
func read(t *testing.T, e sessions.Engine, after string) (ids map[sessions.ID]int, next string) {
	t.Helper()
	ids = make(map[sessions.ID]int)
	for {
		var page []sessions.ID
		var more bool
		err := asked(func() (err error) { page, next, more, err = e.Revoked(t.Context(), after); return err })
		if err != nil {
			t.Fatalf("Revoked: %v", err)
		}
		for _, id := range page {
			ids[id]++
		}
		if after = next; !more {
			return ids, next
		}
	}
}

// fails wants an error that is none of those that say something for certain, from all
// calls with a session.
func fails(t *testing.T, e sessions.Engine, id sessions.ID) {
	t.Helper()
	for name, call := range calls(e, id) {
		err := call(t.Context())
		if err == nil || errors.Is(err, sessions.ErrOtherEpoch) || errors.Is(err, sessions.ErrDamaged) || errors.Is(err, sessions.ErrCursor) {
			t.Errorf("%s: %v, want an error that says nothing of the session", name, err)
		}
	}
}

// ended wants all calls to say that the session began in another epoch.
func ended(t *testing.T, e sessions.Engine, id sessions.ID) {
	t.Helper()
	for name, call := range calls(e, id) {
		if err := call(t.Context()); !errors.Is(err, sessions.ErrOtherEpoch) {
			t.Errorf("%s: %v, want %v", name, err, sessions.ErrOtherEpoch)
		}
	}
}

func calls(e sessions.Engine, id sessions.ID) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Load":   func(ctx context.Context) error { _, err := e.Load(ctx, id); return err },
		"Swap":   func(ctx context.Context) error { _, err := e.Swap(ctx, id, 1, newAnswer()); return err },
		"Revoke": func(ctx context.Context) error { return e.Revoke(ctx, id) },
	}
}
