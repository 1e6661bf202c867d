package fleet

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/sessionstest"
)

// InMemory is the engine of the package sessionstest as a site.
type InMemory struct {
	Engine *sessionstest.Memory

	// Changed is put in front of the engine of each process. Default: nothing is.
	Changed func(sessions.Engine) sessions.Engine

	storage *Shelf
}

// NewInMemory returns an empty one, whose clock is that of package time.
func NewInMemory() *InMemory {
	return &InMemory{Engine: sessionstest.NewMemory(nil), storage: NewShelf()}
}

// Server is the name of the authorization server of a fleet.
const Server = "default-0a1b2c3d"

// Open implements [Site].
func (m *InMemory) Open(int) (Way, error) {
	w := &memoryWay{site: m, node: m.Engine.Open(Server)}
	w.node.Meet(w.meet)
	return w, nil
}

// Restart implements [Restarter]: for a moment the engine does not answer.
func (m *InMemory) Restart() error {
	m.Engine.Stop()
	defer m.Engine.Start()
	time.Sleep(3 * time.Second)
	return nil
}

// memoryWay is a way whose troubles are faults of calls.
type memoryWay struct {
	site *InMemory
	node *sessionstest.Node

	mu      sync.Mutex
	trouble Trouble
	cut     bool // the next call is cut off
}

// Store implements [Way].
func (w *memoryWay) Store(memory *session.Memory, now func() time.Time) *session.Store {
	engine := sessions.Engine(w.node)
	if w.site.Changed != nil {
		engine = w.site.Changed(engine)
	}
	return NewStore(w.site.storage, memory, now, "memory", engine)
}

// NewStore is the sessions in an engine, and none in the storage.
func NewStore(storage *Shelf, memory *session.Memory, now func() time.Time, name string, engine sessions.Engine) *session.Store {
	return session.NewStore(storage, "grant/"+Server, memory, now).
		WithEngines(session.Engines{New: name, All: map[string]sessions.Engine{name: engine}})
}

// Suffer implements [Way].
func (w *memoryWay) Suffer(trouble Trouble) {
	w.mu.Lock()
	held := w.trouble.Kind == Held
	w.trouble, w.cut = trouble, trouble.Kind == Cut
	w.mu.Unlock()
	if held && trouble.Kind != Held {
		w.site.Engine.ComesTrue()
	}
}

// Close implements [Way].
func (w *memoryWay) Close() { _ = w.node.Close() }

// meet is what happens to a call.
func (w *memoryWay) meet(sessionstest.Call) sessionstest.Fault {
	w.mu.Lock()
	trouble, cut := w.trouble, w.cut
	w.cut = false
	w.mu.Unlock()
	some := func(faults ...sessionstest.Fault) sessionstest.Fault { return faults[rand.IntN(len(faults))] }
	switch {
	case cut:
		return some(sessionstest.Refused, sessionstest.FailsButDone, sessionstest.HalfDone)
	case trouble.Kind == Slow:
		time.Sleep(rand.N(2 * trouble.Delay))
	case trouble.Kind == Refused:
		return sessionstest.Refused
	case trouble.Kind == Held:
		return some(sessionstest.Hangs, sessionstest.Late)
	case trouble.Kind == AnswersHeld:
		return sessionstest.DoneButHangs
	}
	return sessionstest.Fine
}
