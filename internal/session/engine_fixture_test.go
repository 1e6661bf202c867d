package session

import (
	"context"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/sessionstest"
)

// testingT is a test, or a draw of a model.
type testingT interface {
	Context() context.Context
	Fatal(...any)
}

// engineNode is a process whose sessions begin in an engine.
type engineNode struct {
	*node
	engine *sessionstest.Node
}

const testServer = "default-0a1b2c3d"

// newEngineNode knows the epoch, as after a start. also says whether it knows the
// sessions in the storage.
func newEngineNode(t testingT, storage *shelf, memory *sessionstest.Memory, also bool) *engineNode {
	n := &engineNode{node: newNode(storage), engine: memory.Open(testServer)}
	n.Store = n.Store.WithEngines(Engines{New: "memory", All: map[string]sessions.Engine{"memory": n.engine}, Storage: also})
	if _, err := n.KeepEpochs(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n
}

// began is the ID of a session that begins at the node.
func (n *engineNode) began(t *testing.T) ID {
	t.Helper()
	origin, err := n.Origin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return origin.NewID(time.Now().AddDate(0, 1, 0))
}

// another is another process at the same engine and storage.
func (n *engineNode) another(t *testing.T, memory *sessionstest.Memory) *engineNode {
	return newEngineNode(t, n.storage.Storage.(*shelf), memory, !n.noStorage)
}
