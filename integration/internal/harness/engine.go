package harness

import (
	"os"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/sessionstest"
)

func init() {
	caddy.RegisterModule(MemorySessions{})
}

// MemorySessions is an engine in the memory of the tests, `sessions memory <name>`. All
// sites of one process that name the same one share it. It is down while there is a file,
// `sessions memory <name> <file>`, for tests whose Caddy is another process.
type MemorySessions struct {
	Name      string `json:"name,omitempty"`
	DownWhile string `json:"down_while,omitempty"` // the path of the file
}

// SpareSessions is an engine like it, for servers that have several: `also spare <name>`.
// Packages that need it register it.
type SpareSessions struct{ MemorySessions }

// CaddyModule returns the Caddy module information.
func (SpareSessions) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "grant.sessions.spare", New: func() caddy.Module { return new(SpareSessions) }}
}

// CaddyModule returns the Caddy module information.
func (MemorySessions) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "grant.sessions.memory", New: func() caddy.Module { return new(MemorySessions) }}
}

// UnmarshalCaddyfile takes the name.
func (m *MemorySessions) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	args := append(d.RemainingArgs(), "")
	if len(args) < 2 || len(args) > 3 || d.NextBlock(0) {
		return d.Err("memory takes a name, and the path of a file")
	}
	m.Name, m.DownWhile = args[0], args[1]
	return nil
}

// OpenSessions opens the engine as another node.
func (m *MemorySessions) OpenSessions(server string, _ *zap.Logger) (sessions.Engine, error) {
	node := Memory(m.Name).Open(server)
	if m.DownWhile != "" {
		node.Meet(func(sessionstest.Call) sessionstest.Fault {
			if _, err := os.Stat(m.DownWhile); err == nil {
				return sessionstest.Refused
			}
			return sessionstest.Fine
		})
	}
	memories.mu.Lock()
	defer memories.mu.Unlock()
	memories.opened[m.Name] = node
	if see := memories.seen[m.Name]; see != nil {
		see(node)
	}
	return node, nil
}

// WhenOpened has a function see the nodes of the engine of that name that are opened from
// now on, before their first call; nil ends that.
func WhenOpened(name string, see func(*sessionstest.Node)) {
	memories.mu.Lock()
	defer memories.mu.Unlock()
	memories.seen[name] = see
}

// Memory is the engine of that name.
func Memory(name string) *sessionstest.Memory {
	memories.mu.Lock()
	defer memories.mu.Unlock()
	engine := memories.byName[name]
	if engine == nil {
		engine = sessionstest.NewMemory(nil)
		memories.byName[name] = engine
	}
	return engine
}

// LastOpened is the node of the engine of that name that was opened last, whose calls
// can meet faults.
func LastOpened(name string) *sessionstest.Node {
	memories.mu.Lock()
	defer memories.mu.Unlock()
	return memories.opened[name]
}

var memories = struct {
	mu     sync.Mutex
	byName map[string]*sessionstest.Memory
	opened map[string]*sessionstest.Node
	seen   map[string]func(*sessionstest.Node)
}{
	byName: make(map[string]*sessionstest.Memory), opened: make(map[string]*sessionstest.Node),
	seen: make(map[string]func(*sessionstest.Node)),
}

var _ sessions.Opener = (*MemorySessions)(nil)
