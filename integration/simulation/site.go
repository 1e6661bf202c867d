package simulation

import (
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/fleet"
	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/sessions"
)

// Site is a server as the site of a fleet.
type Site struct {
	server      Server
	storage     *fleet.Shelf
	connections int
}

// NewSite returns the site at a server, to which each node has a number of connections
// at most.
func NewSite(server Server, connections int) *Site {
	return &Site{server, fleet.NewShelf(), connections}
}

// Open implements [fleet.Site].
func (s *Site) Open(int) (fleet.Way, error) {
	p, err := newProxy(s.server.Address())
	if err != nil {
		return nil, err
	}
	engine, err := s.server.Open(p.address(), s.connections)
	if err != nil {
		p.close()
		return nil, err
	}
	return &way{s, p, engine}, nil
}

// Restart implements [fleet.Restarter].
func (s *Site) Restart() error { return s.server.Restart() }

// way is a proxy, and an engine whose connections go through it.
type way struct {
	site   *Site
	proxy  *proxy
	engine sessions.Engine
}

// Store implements [fleet.Way].
func (w *way) Store(memory *session.Memory, now func() time.Time) *session.Store {
	return fleet.NewStore(w.site.storage, memory, now, w.site.server.Name(), w.engine)
}

// Suffer implements [fleet.Way].
func (w *way) Suffer(trouble fleet.Trouble) { w.proxy.suffer(trouble) }

// Close implements [fleet.Way]. The engine may wait for calls that run.
func (w *way) Close() {
	w.proxy.close()
	go w.engine.Close()
}

var _ fleet.Restarter = (*Site)(nil)
