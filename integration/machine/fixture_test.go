// Package machine tests the grant client_credentials: clients that get tokens for
// themselves, without a user, and that are never taken for one.
package machine

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// site has a client for each way to list the grant. %SETTINGS% is for more lines of the
// endpoint.
const site = `http://127.0.0.1:%PORT% {
	log
	token_endpoint {
		issuer          https://api.example.com
		revocation_poll 5m
		client backup {
			secret         backup-secret
			scopes         read write
			default_scopes read
			grants         client_credentials
		}
		client both {
			secret both-secret
			scopes read write
			grants password refresh_token client_credentials
		}
		client web {
			secret web-secret
			scopes read write
		}
		client monitor {
			secret     monitor-secret
			introspect https://api.example.com
			grants     password
		}
		client cli {
			public
			scopes read
		}
		user alice ` + harness.HashBcrypt + `
		user bob ` + harness.HashBcrypt + ` {
			id     u-2
			scopes read
		}
		%SETTINGS%
	}
	bearer_auth /app* {
		clients
	}
	bearer_auth /users*
	bearer_auth /who* {
		clients
	}
	bearer_auth /prefixed* {
		clients svc:
	}
	respond /app "in"
	respond /who "{http.auth.user.kind}|{http.auth.user.id}|{http.auth.user.username}|{http.auth.user.client_id}"
	respond /prefixed "{http.auth.user.kind}|{http.auth.user.id}|{http.auth.user.username}|{http.auth.user.client_id}"
	handle /metrics {
		metrics
	}
	respond "the app"
}
`

func start(t *testing.T, settings string) *harness.Site {
	t.Helper()
	return harness.StartCheap(t, with(settings))
}

func with(settings string) string { return strings.Replace(site, "%SETTINGS%", settings, 1) }

// itself asks for a token as a client that acts for itself.
func itself(c harness.OAuthClient, pairs ...string) harness.Answer {
	c.Site.T.Helper()
	return c.Site.Post(c.Path, c.Form(append([]string{"grant_type", "client_credentials"}, pairs...)...))
}

// token is one that a client got for itself.
func token(t *testing.T, c harness.OAuthClient, pairs ...string) string {
	t.Helper()
	a := itself(c, pairs...)
	a.Want(t, http.StatusOK, "")
	return a.Text(t, "access_token")
}

// wantPasses fails the test unless bearer_auth takes the token of a client where it lets
// clients pass, and nowhere else.
func wantPasses(t *testing.T, s *harness.Site, token string) {
	t.Helper()
	if status := s.Edge(token); status != http.StatusOK {
		t.Fatalf("the edge answers %d: %q", status, s.LastReason())
	}
	if a := s.Do(s.Request(http.MethodGet, "/users", "", harness.Bearer(token))); a.Status != http.StatusForbidden {
		t.Fatalf("where only users pass, the edge answers %d", a.Status)
	}
}

// wantReason sends a token to the app: bearer_auth refuses it, for that reason.
func wantReason(t *testing.T, s *harness.Site, token, reason string) {
	t.Helper()
	if status := s.Edge(token); status != http.StatusUnauthorized || s.LastReason() != reason {
		t.Fatalf("the edge answers %d: %q, want %q", status, s.LastReason(), reason)
	}
}

// eventuallyReason waits until bearer_auth refuses a token for that reason.
func eventuallyReason(t *testing.T, s *harness.Site, token, reason string) {
	t.Helper()
	harness.Eventually(t, reason, func() bool { return s.Edge(token) == http.StatusUnauthorized && s.LastReason() == reason })
}

// isActive is what introspection says of a token to its client.
func isActive(t *testing.T, c harness.OAuthClient, token string) bool {
	t.Helper()
	a := c.Introspect(token)
	a.Want(t, http.StatusOK, "")
	active, ok := a.JSON["active"].(bool)
	if !ok {
		t.Fatalf("the answer is %s", a.Body)
	}
	return active
}
