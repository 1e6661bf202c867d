package login

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// audienceAndItsAPI is an API that may ask about the tokens for its audience.
const audienceAndItsAPI = `audience https://api.example.com
		client api {
			secret     api-secret
			introspect https://api.example.com
		}`

// An app that wants a token gets one that it can check as any other.
func TestTheTokenThatIsForwarded(t *testing.T) {
	s, app := startPage(t, lines{check: "forward_token", server: audienceAndItsAPI, routes: "bearer_auth /without*"})
	b := loggedIn(t, s, "alice")
	forwarded := func(b *tab, path string, headers ...string) string {
		t.Helper()
		app.Take()
		if a := b.fetch("GET", path, headers...); a.Status != 200 {
			t.Fatalf("got %d %s", a.Status, a.Body)
		}
		return app.One(t).Header.Get("Authorization")
	}
	raw, found := strings.CutPrefix(forwarded(b, "/app"), "Bearer ")
	if !found {
		t.Fatal("no token comes to the app")
	}
	_, claims := s.Verified(raw, "/token")
	for claim, want := range map[string]any{"sub": "alice", "client_id": "login_page", "iss": "https://api.example.com", "aud": "[https://api.example.com]", "scope": "read write", "email": "alice@example.com"} {
		if got := fmt.Sprint(claims[claim]); got != want {
			t.Errorf("%s is %v, want %v", claim, got, want)
		}
	}
	t.Run("it is short-lived", func(t *testing.T) {
		payload := harness.Payload(t, raw)
		if life := payload["exp"].(float64) - payload["iat"].(float64); life <= 0 || life > 600 {
			t.Errorf("%v seconds", life)
		}
	})
	t.Run("many requests get the same one", func(t *testing.T) {
		for range 5 {
			if got := forwarded(b, "/app"); got != "Bearer "+raw {
				t.Errorf("got %s", got)
			}
		}
		if got := forwarded(loggedIn(t, s, "alice"), "/app"); got == "Bearer "+raw {
			t.Error("another session gets it too")
		}
		if got := forwarded(loggedIn(t, s, "bob"), "/app"); harness.TextClaim(t, strings.TrimPrefix(got, "Bearer "), "sub") != "u-2" {
			t.Errorf("another user: %s", got)
		}
	})
	t.Run("the app's own Authorization stays", func(t *testing.T) {
		for _, own := range []string{`MediaBrowser Token="x"`, "Basic eDp5", "Bearer abc"} {
			if got := forwarded(b, "/app", "Authorization: "+own); got != own {
				t.Errorf("%s: got %s", own, got)
			}
		}
	})
	t.Run("an inner check without forward_token withholds it", func(t *testing.T) {
		if got := forwarded(b, "/without"); got != "" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("the endpoints know it", func(t *testing.T) {
		a := s.As("api").Introspect(raw)
		if own := s.Web().Introspect(raw); own.JSON["active"] != false {
			t.Errorf("another client may see it: %s", own.Body)
		}
		if a.Status != 200 || a.JSON["active"] != true || a.JSON["sub"] != "alice" || a.JSON["client_id"] != "login_page" {
			t.Errorf("introspection: %s", a.Body)
		}
	})
	t.Run("at half of its life there is another", func(t *testing.T) {
		later(t, 3*time.Minute)
		again := strings.TrimPrefix(forwarded(b, "/app"), "Bearer ")
		if again == raw {
			t.Fatal("the same")
		}
		if harness.TextClaim(t, again, "jti") == harness.TextClaim(t, raw, "jti") {
			t.Error("the same jti")
		}
	})
	t.Run("it never outlives the session", func(t *testing.T) {
		app := harness.NewApp(t)
		s := startSite(t, "", app.In(lines{page: "session_ttl 60s", check: "forward_token"}.in(pageSite)))
		b := loggedIn(t, s, "alice")
		b.wantUser("alice")
		payload := harness.Payload(t, strings.TrimPrefix(app.One(t).Header.Get("Authorization"), "Bearer "))
		if life := payload["exp"].(float64) - payload["iat"].(float64); life > 60 {
			t.Errorf("%v seconds", life)
		}
	})
}

func TestAForwardedTokenEndsWithItsSession(t *testing.T) {
	s, app := startPage(t, lines{check: "forward_token", server: audienceAndItsAPI})
	b := loggedIn(t, s, "alice")
	b.wantUser("alice")
	raw := strings.TrimPrefix(app.One(t).Header.Get("Authorization"), "Bearer ")
	if got := newTab(t, s).user(harness.Bearer(raw)); got != "alice" {
		t.Fatalf("before: %s", got)
	}
	b.submit(logout, "").Want(t, 200, "")
	if got := newTab(t, s).user(harness.Bearer(raw)); got != "401" {
		t.Errorf("after the logout: %s", got)
	}
	if a := s.As("api").Introspect(raw); a.JSON["active"] != false {
		t.Errorf("introspection: %s", a.Body)
	}
}

// The token says what the user is now, not what the session began with.
func TestAForwardedTokenIsMadeAnewWhenTheUserChanges(t *testing.T) {
	app := harness.NewApp(t)
	site := app.In(lines{check: "forward_token"}.in(pageSite))
	s := startSite(t, "", site)
	b := loggedIn(t, s, "alice")
	for _, email := range []string{"alice@example.com", "a@example.org", "alice@example.com"} {
		s.Reload("", strings.ReplaceAll(site, "alice@example.com", email))
		b.wantUser("alice")
		raw := strings.TrimPrefix(app.One(t).Header.Get("Authorization"), "Bearer ")
		if got := harness.TextClaim(t, raw, "email"); got != email {
			t.Errorf("the app is told %s, want %s", got, email)
		}
	}
	s.Reload("", strings.Replace(site, "claim email alice@example.com", "scopes read", 1))
	b.wantUser("alice")
	raw := strings.TrimPrefix(app.One(t).Header.Get("Authorization"), "Bearer ")
	if got := harness.TextClaim(t, raw, "scope"); got != "read" {
		t.Errorf("the scopes are %s, want read", got)
	}
}
