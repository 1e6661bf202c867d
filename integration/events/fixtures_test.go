// Package events tests what subscribers to Caddy's events get.
package events

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/event"
	"github.com/caddygrant/caddy-grant/internal/keyring"
)

func init() {
	caddy.RegisterModule(subscriber{})
	keyring.FollowEvery = 500 * time.Millisecond // before any Caddy runs
}

// subscriber is a handler of events as another module may have one.
type subscriber struct {
	Does string `json:"does,omitempty"`
}

func (subscriber) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.test", New: func() caddy.Module { return new(subscriber) }}
}

func (s *subscriber) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.Args(&s.Does) {
		return d.ArgErr()
	}
	return nil
}

// Handle notes the event and, by what the config says, returns, fails, panics, or hangs
// until the test lets it go or the config ends.
func (s *subscriber) Handle(ctx context.Context, e caddy.Event) error {
	if e.Origin() == nil {
		return nil // Caddy's own
	}
	got.add(handled{e.Name(), e.Origin().CaddyModule().ID, e.Data, s.Does})
	switch s.Does {
	case "fails":
		return errors.New("this handler fails")
	case "panics":
		panic("this handler panics")
	case "hangs":
		select {
		case <-got.release():
		case <-ctx.Done():
		}
	}
	return nil
}

// handled is an event that a subscriber got.
type handled struct {
	name   string
	origin caddy.ModuleID
	data   map[string]any
	does   string
}

// got is what the subscribers of the process got since the test began.
var got notes

type notes struct {
	mu   sync.Mutex
	all  []handled
	free chan struct{}
}

func (n *notes) add(h handled) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, h)
}

func (n *notes) release() chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.free
}

func (n *notes) clear() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all, n.free = nil, make(chan struct{})
}

// of are those of a name so far.
func (n *notes) of(name string) (found []handled) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, h := range n.all {
		if h.name == name {
			found = append(found, h)
		}
	}
	return found
}

// wait returns the events of a name once there are n.
func (n *notes) wait(t *testing.T, name string, count int) []handled {
	t.Helper()
	harness.Eventually(t, fmt.Sprintf("%d times %s", count, name), func() bool { return len(n.of(name)) >= count })
	found := n.of(name)
	if len(found) != count {
		t.Fatalf("%d times %s, want %d: %v", len(found), name, count, found)
	}
	return found
}

// on subscribes to events, in the global options.
func on(does string, names ...string) string {
	options := "events {\n"
	for _, name := range names {
		options += "on " + name + " test " + does + "\n"
	}
	return options + "}"
}

// all are the names of the events.
func all() (names []string) {
	for _, kind := range event.Kinds {
		names = append(names, kind.Name)
	}
	return names
}

// start serves a site with subscribers.
func start(t *testing.T, options, sites string) *harness.Site {
	t.Helper()
	got.clear()
	s := harness.NewSite(t)
	s.Reload(options, harness.WithCheapHashes(t, sites))
	return s
}

// wantData fails the test unless an event has the data that are documented, and these
// values.
func wantData(t *testing.T, h handled, values map[string]any) {
	t.Helper()
	kind := event.Kinds[slices.IndexFunc(event.Kinds, func(k event.Kind) bool { return k.Name == h.name })]
	for _, name := range kind.Always {
		if value, there := h.data[name]; !there || value == "" && name != event.Scope {
			t.Errorf("%s has no %s: %v", h.name, name, h.data)
		}
	}
	for name, value := range h.data {
		if !slices.Contains(kind.Always, name) && !slices.Contains(kind.Sometimes, name) {
			t.Errorf("%s has %s, which is not documented", h.name, name)
		}
		switch value.(type) {
		case string, int:
		default:
			t.Errorf("%s: %s is a %T", h.name, name, value)
		}
	}
	for name, value := range values {
		if fmt.Sprint(h.data[name]) != fmt.Sprint(value) {
			t.Errorf("%s: %s is %v, want %v", h.name, name, h.data[name], value)
		}
	}
	if at, err := time.Parse(time.RFC3339, fmt.Sprint(h.data[event.Time])); err != nil || time.Since(at).Abs() > 10*time.Minute {
		t.Errorf("%s: its time is %v", h.name, h.data[event.Time])
	}
	if h.origin != "grant.events" {
		t.Errorf("%s comes from %q", h.name, h.origin)
	}
}

// Interface guard
var _ caddyevents.Handler = (*subscriber)(nil)
