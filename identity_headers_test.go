package caddygrant

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddygrant/caddy-grant/internal/listenerguard"
)

// A header is taken for an identity header exactly if an app may take it for one.
func TestIsIdentityHeaderGoesByTheAlias(t *testing.T) {
	long := strings.Repeat("x-", 40) + "user"
	names := map[string]bool{"x-user": true, "-": true, "caf-": true, long: true}
	random := rand.New(rand.NewPCG(1, 2))
	spellings := []string{"X-User", "x_user", "X.USER", "X User", "x-users", "-", "_", "", "Café", "caf\xff", long, strings.ToUpper(long), long + "s", "ＸUser"}
	for range 10_000 {
		name := []byte(spellings[random.IntN(len(spellings))])
		if len(name) > 0 {
			name[random.IntN(len(name))] = byte(random.IntN(256))
		}
		spellings = append(spellings, string(name))
	}
	found := 0
	for _, name := range spellings {
		want := names[headerAlias(name)]
		if got := isIdentityHeader(names, name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
		if want {
			found++
		}
	}
	if found < 10 || found == len(spellings) {
		t.Errorf("%d of %d names: nothing is shown", found, len(spellings))
	}
	if allocs := testing.AllocsPerRun(100, func() { isIdentityHeader(names, "X-Forwarded-For") }); allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// A request that has no business with this module pays one small allocation on a listener that has a bearer_auth.
func TestTheGuardOfAListenerIsCheap(t *testing.T) {
	server := &caddyhttp.Server{Routes: caddyhttp.RouteList{{HandlersRaw: make([]json.RawMessage, 1)}}}
	names := map[string]bool{"x-user": true}
	ctx := caddy.Context{Context: context.WithValue(t.Context(), caddyhttp.ServerCtxKey, server)}
	make(listenerguard.Guards).Place(ctx, func(r *http.Request) { guardRequest(r, names) })
	guard := server.Routes[0].MatcherSets[0][0].(*listenerguard.Guard)
	var requests []func()
	for range 101 {
		r := prepared(httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder())
		r.Header.Set("Accept-Encoding", "gzip")
		r.Header.Set("X-Forwarded-For", "192.0.2.1")
		requests = append(requests, func() { guard.Match(r) })
	}
	i := 0
	if allocs := testing.AllocsPerRun(100, func() { requests[i](); i++ }); allocs > 1 {
		t.Errorf("%v allocations", allocs)
	}
}
