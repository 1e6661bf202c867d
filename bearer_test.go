package caddygrant

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddygrant/caddy-grant/internal/listenerguard"
)

// A request that this module does not handle costs one small allocation on a listener
// that has a bearer_auth.
func TestTheGuardOfAListenerIsCheap(t *testing.T) {
	server := &caddyhttp.Server{Routes: caddyhttp.RouteList{{HandlersRaw: make([]json.RawMessage, 1)}}}
	app := &App{identityHeaders: map[string]bool{"x-user": true}, cookieNames: map[string]bool{"__Host-grant-default": true}, keyHeaders: map[string]bool{"X-Api-Key": true}}
	ctx := caddy.Context{Context: context.WithValue(t.Context(), caddyhttp.ServerCtxKey, server)}
	make(listenerguard.Guards).Place(ctx, func(r *http.Request) { guardRequest(r, app) })
	guard := server.Routes[0].MatcherSets[0][0].(*listenerguard.Guard)
	var requests []func()
	for range 101 {
		r := prepared(httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder())
		r.Header.Set("Accept-Encoding", "gzip")
		r.Header.Set("X-Forwarded-For", "192.0.2.1")
		requests = append(requests, func() { _, _ = guard.MatchWithError(r) })
	}
	i := 0
	if allocs := testing.AllocsPerRun(100, func() { requests[i](); i++ }); allocs > 1 {
		t.Errorf("%v allocations", allocs)
	}
}
