package caddygrant

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddygrant/caddy-grant/internal/bearer"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// userOf is {http.auth.user.id} as a handler behind the checks sees it, and as the
// access log does.
func userOf(r *http.Request) any {
	id, _ := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer).Get("http.auth.user.id")
	return id
}

func TestThePlaceholdersTellOfTheUserOfTheInnermostHandler(t *testing.T) {
	site := newSpeedSite(t, "HS256")
	w := httptest.NewRecorder()
	r := prepared(httptest.NewRequest(http.MethodGet, "http://localhost/app", nil), w)
	r.Header.Set("Authorization", "Bearer "+site.login(t).AccessToken)
	repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)

	repl.Set("http.auth.user.id", "outer")
	repl.Set("http.auth.user.email", "outer@example.com")
	inner := caddyhttp.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
		if id := userOf(r); id != "alice" {
			t.Errorf("behind the check the user is %v", id)
		}
		for _, name := range []string{"email", "sub", "exp", "no such claim", ""} {
			if value, known := repl.Get("http.auth.user." + name); value != "" || !known {
				t.Errorf("behind the check there is %q for %s, want what is empty", value, name)
			}
		}
		bearerStateOf(r).setUserPlaceholders(r, bearer.Named{Identity: &token.AccessToken{AccessClaims: token.AccessClaims{Subject: "of another server"}}})
		if id := userOf(r); id != "of another server" {
			t.Errorf("behind a second check the user is %v", id)
		}
		repl.Set("http.auth.user.id", "inner")
		return nil
	})
	if err := site.bearer.ServeHTTP(w, r, inner); err != nil {
		t.Fatal(err)
	}
	if id := userOf(r); id != "inner" {
		t.Errorf("behind another handler the user is %v", id)
	}
}
