package caddygrant

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddygrant/caddy-grant/internal/bearer"
)

// Whatever a client sends, a second check on the same request leaves the identity
// header that the first check has set.
func FuzzIdentityHeadersOfTwoChecks(f *testing.F) {
	f.Add("X-User", "X-User", "admin", "X-User")
	f.Add("X-User", "x_user", "admin", "close, x-user")
	f.Add("X_User", "X-USER", "admin", "keep-alive,,x_user ,\tX-User")
	f.Add("X-User", "X-Users", "1", "X-Users")
	f.Add("x-user", "X_-User", "1", " ")
	f.Fuzz(func(t *testing.T, configured, name, value, connection string) {
		if bearer.ValidateCopyClaim("sub", configured) != nil {
			return
		}
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header = http.Header{name: {value}, "Connection": {connection}}
		r.Trailer = http.Header{name: {value}}
		state, names := new(bearerState), map[string]bool{bearer.HeaderAlias(configured): true}
		state.removeIdentityHeaders(r, names)
		if r.Header[name] != nil && names[bearer.HeaderAlias(name)] {
			t.Fatalf("the first check leaves %q, for %q", name, configured)
		}
		r.Header.Set(configured, "alice")
		state.removeIdentityHeaders(r, names)
		if got := r.Header.Get(configured); got != "alice" {
			t.Fatalf("a second check leaves %q of %q", got, configured)
		}
	})
}
