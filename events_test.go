package caddygrant

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/caddygrant/caddy-grant/internal/event"
	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// unheard is a request whose events have no subscriber, once started is called: until
// then there may be any.
func unheard(t testing.TB) (x *exchange, started func()) {
	t.Helper()
	site := newSpeedSite(t, "HS256")
	app := site.bearer.app
	app.events.Start()
	t.Cleanup(app.events.Stop)
	events, err := app.ctx.App("events")
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "http://localhost/token", strings.NewReader(""))
	w := httptest.NewRecorder()
	return newExchange(w, prepared(r, w), site.endpoint.mount), func() {
		events.(*caddyevents.App).Emit(app.ctx, "started", nil)
	}
}

func TestAnEventWithoutASubscriberAllocatesNothing(t *testing.T) {
	x, started := unheard(t)
	refusal := oauth.Throttled("pair", 1)
	refusal.Alarm, x.reused, x.locked = true, true, true
	emits := map[string]func(){
		"issued":  func() { event.EmitIssued(x.facts, "read", "id") },
		"refused": func() { x.emit(refusal) },
		"revoked": func() { event.EmitRevoked(x.facts, event.ByClient, "") },
	}
	for name, emit := range emits {
		if n := testing.AllocsPerRun(10, emit); n == 0 {
			t.Errorf("%s: there may be a subscriber, but nothing waits for it", name)
		}
	}
	started()
	for name, emit := range emits {
		if n := testing.AllocsPerRun(100, emit); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// What a login spends on an event that no one wants.
func BenchmarkEventWithoutSubscriber(b *testing.B) {
	x, started := unheard(b)
	started()
	b.ReportAllocs()
	for b.Loop() {
		event.EmitIssued(x.facts, "read", "id")
	}
}
