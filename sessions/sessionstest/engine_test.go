package sessionstest_test

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/sessionstest"
)

func TestAnEngineInMemory(t *testing.T) {
	sessionstest.TestEngine(t, engines(sessionstest.NewMemory(nil), nil))
}

// engines are those of a memory, each perhaps wrapped.
func engines(m *sessionstest.Memory, wrap func(sessions.Engine) sessions.Engine) sessionstest.Engines {
	if wrap == nil {
		wrap = func(e sessions.Engine) sessions.Engine { return e }
	}
	return sessionstest.Engines{
		Open:  func(_ *testing.T, server string) sessions.Engine { return wrap(m.Open(server)) },
		Empty: func(*testing.T) { m.Flush() },
		Interrupt: func(*testing.T) func() {
			m.Stop()
			return m.Start
		},
		Restart: func(*testing.T) {
			m.Stop()
			time.Sleep(50 * time.Millisecond)
			m.Start()
		},
		Damage: func(_ *testing.T, server string, id sessions.ID) { m.Damage(server, id) },
		Plant: func(_ *testing.T, server string, id sessions.ID, st sessions.State) {
			m.Plant(server, id, st)
		},
		Remains:     func(_ *testing.T, server string, id sessions.ID) bool { return m.Remains(server, id) },
		LoseCursors: func(*testing.T, string) { m.TrimFeeds() },
		Strike: func(t *rapid.T, e sessions.Engine) (context.Context, bool, func()) {
			return strike(t, m, e)
		},
		Secrets: []string{"correct horse"},
	}
}

// strike draws a fault for the next call, and whether what is late comes true.
func strike(t *rapid.T, m *sessionstest.Memory, e sessions.Engine) (context.Context, bool, func()) {
	fault := rapid.SampledFrom([]sessionstest.Fault{
		sessionstest.Fine, sessionstest.Fine, sessionstest.Fine, sessionstest.Refused, sessionstest.FailsButDone,
		sessionstest.HalfDone, sessionstest.Late, sessionstest.Late, sessionstest.Hangs, sessionstest.DoneButHangs,
	}).Draw(t, "fault")
	ctx, end := context.WithCancel(t.Context())
	if fault == sessionstest.Hangs || fault == sessionstest.DoneButHangs {
		ctx, end = context.WithTimeout(t.Context(), time.Millisecond)
	}
	node, ok := e.(*sessionstest.Node)
	if !ok {
		node = e.(interface{ Node() *sessionstest.Node }).Node()
	}
	node.Befall("", fault)
	comes := rapid.IntRange(0, 3).Draw(t, "comes true")
	if comes == 1 {
		m.ComesTrue()
	}
	return ctx, fault != sessionstest.Fine, func() {
		node.Recover()
		end()
		if comes == 2 {
			m.ComesTrue()
		}
	}
}
