package caddygrant

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/internal/event"
	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// unheard is a request whose events have no subscriber, in a config that has started.
func unheard(t testing.TB) *exchange {
	t.Helper()
	site := newSpeedSite(t, "HS256")
	events := site.bearer.app.events
	events.start()
	t.Cleanup(events.stop)
	events.app.Emit(events.ctx, "started", nil)
	if q := events.queues[event.Issued]; events.wants(q) {
		t.Fatal("there is a subscriber")
	}
	r := httptest.NewRequest(http.MethodPost, "http://localhost/token", strings.NewReader(""))
	w := httptest.NewRecorder()
	return newExchange(w, prepared(r, w), site.endpoint.mount)
}

func TestAnEventWithoutASubscriberAllocatesNothing(t *testing.T) {
	x := unheard(t)
	refusal := oauth.InvalidGrant("refresh_token_reused")
	refusal.Alarm, x.reused = true, true
	for name, emit := range map[string]func(){
		"issued":  func() { x.emitIssued("read", "id") },
		"refused": func() { x.emitRefused(refusal) },
		"revoked": func() { x.emitRevoked(event.ByClient) },
	} {
		if n := testing.AllocsPerRun(100, emit); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// What a login spends on an event that no one wants.
func BenchmarkEventWithoutSubscriber(b *testing.B) {
	x := unheard(b)
	b.ReportAllocs()
	for b.Loop() {
		x.emitIssued("read", "id")
	}
}
