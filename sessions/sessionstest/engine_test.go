package sessionstest

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caddygrant/caddy-grant/sessions"
)

func TestAnEngineInMemory(t *testing.T) {
	TestEngine(t, engines(NewMemory(nil)))
}

// engines are those of a memory.
func engines(m *Memory) Engines {
	return Engines{
		Open:      func(_ *testing.T, server string) sessions.Engine { return m.Open(server) },
		Empty:     func(*testing.T) { m.Flush() },
		EmptyPart: func(*testing.T) { m.FlushPart() },
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
func strike(t *rapid.T, m *Memory, e sessions.Engine) (context.Context, bool, func()) {
	fault := rapid.SampledFrom([]Fault{
		Fine, Fine, Fine, Refused, FailsButDone,
		HalfDone, Late, Late, Hangs, DoneButHangs,
	}).Draw(t, "fault")
	ctx, end := context.WithCancel(t.Context())
	if fault == Hangs || fault == DoneButHangs {
		ctx, end = context.WithTimeout(t.Context(), time.Millisecond)
	}
	node, ok := e.(*Node)
	if !ok {
		node = e.(*broken).Node
	}
	node.Befall("", fault)
	comes := rapid.IntRange(0, 3).Draw(t, "comes true")
	if comes == 1 {
		m.ComesTrue()
	}
	return ctx, fault != Fine, func() {
		node.Recover()
		end()
		if comes == 2 {
			m.ComesTrue()
		}
	}
}
