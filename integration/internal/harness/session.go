package harness

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// SessionSite has clients of every kind, and an app whose edge learns of revocations by
// what happens in its own process: it polls too seldom to learn of them otherwise. The
// throttle is off, since tests fail more often than it allows.
// %SETTINGS% is for lines of the endpoint.
const SessionSite = `http://127.0.0.1:%PORT% {
	log
	token_endpoint {
		issuer          https://api.example.com
		revocation_poll 5m
		throttle        off
		client web {
			secret web-secret
			scopes read write
		}
		client other {
			secret other-secret
			scopes read write
		}
		client cli {
			public
			scopes read write
		}
		client logins {
			secret logins-secret
			scopes read
			grants password
		}
		client short {
			secret            short-secret
			scopes            read
			access_token_ttl  5m
			refresh_token_ttl 1h
		}
		user alice ` + HashBcrypt + ` {
			claim email alice@example.com
		}
		user bob ` + HashBcrypt + ` {
			id     u-2
			scopes read
		}
		%SETTINGS%
	}
	bearer_auth /app*
	respond /app "in"
	respond "the app"
}
`

// SessionConfig is SessionSite with these lines more.
func SessionConfig(t *testing.T, settings string) string {
	t.Helper()
	return WithCheapHashes(t, strings.Replace(SessionSite, "%SETTINGS%", settings, 1))
}

// StartSessions serves that.
func StartSessions(t *testing.T, settings string) *Site {
	t.Helper()
	return Start(t, SessionConfig(t, settings))
}

// OAuthClient is a client of a token endpoint. Without a secret it is a public one.
type OAuthClient struct {
	Site             *Site
	Path, ID, Secret string
}

// As is the client of that id at /token, whose secret is named after it.
func (s *Site) As(id string) OAuthClient {
	return OAuthClient{s, "/token", id, id + "-secret"}
}

// Web is the client of most tests.
func (s *Site) Web() OAuthClient { return s.As("web") }

// Public is a client without a secret.
func (s *Site) Public(id string) OAuthClient { return OAuthClient{s, "/token", id, ""} }

// At is the same client at another token endpoint.
func (c OAuthClient) At(path string) OAuthClient {
	c.Path = path
	return c
}

// Form has the client's credentials and these pairs of names and values; an empty value
// takes a parameter out.
func (c OAuthClient) Form(pairs ...string) string {
	form := url.Values{"client_id": {c.ID}}
	if c.Secret != "" {
		form.Set("client_secret", c.Secret)
	}
	for i := 0; i < len(pairs); i += 2 {
		if form.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			form.Del(pairs[i])
		}
	}
	return form.Encode()
}

// TokenPair is what a login or a refresh gives.
type TokenPair struct{ Access, Refresh string }

// TokensOf fails the test unless the answer has both tokens.
func TokensOf(t *testing.T, a Answer) TokenPair {
	t.Helper()
	a.Want(t, 200, "")
	return TokenPair{a.Text(t, "access_token"), a.Text(t, "refresh_token")}
}

// Login gets the tokens of a new session.
func (c OAuthClient) Login(t *testing.T, username string, pairs ...string) TokenPair {
	t.Helper()
	form := append([]string{"grant_type", "password", "username", username, "password", "correct horse"}, pairs...)
	return TokensOf(t, c.Site.Post(c.Path, c.Form(form...)))
}

// RefreshForm is that of a refresh.
func (c OAuthClient) RefreshForm(token string, pairs ...string) string {
	return c.Form(append([]string{"grant_type", "refresh_token", "refresh_token", token}, pairs...)...)
}

// Refresh sends a refresh token, once.
func (c OAuthClient) Refresh(token string, pairs ...string) Answer {
	c.Site.T.Helper()
	return c.Site.Post(c.Path, c.RefreshForm(token, pairs...))
}

// Refreshed is the tokens for which a refresh token is exchanged.
func (c OAuthClient) Refreshed(t *testing.T, token string, pairs ...string) TokenPair {
	t.Helper()
	return TokensOf(t, c.Refresh(token, pairs...))
}

// Revoke sends a token to be revoked.
func (c OAuthClient) Revoke(token string, pairs ...string) Answer {
	c.Site.T.Helper()
	return c.Site.Post(c.Path+"/revoke", c.Form(append([]string{"token", token}, pairs...)...))
}

// Introspect asks about a token.
func (c OAuthClient) Introspect(token string, pairs ...string) Answer {
	c.Site.T.Helper()
	return c.Site.Post(c.Path+"/introspect", c.Form(append([]string{"token", token}, pairs...)...))
}

// Send posts a form from a goroutine that may not end the test.
func (c OAuthClient) Send(endpoint, form string) (Answer, error) {
	response, err := c.Site.Client.Post(c.Site.URL(c.Path+endpoint), "application/x-www-form-urlencoded", strings.NewReader(form))
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	a := Answer{Status: response.StatusCode, Header: response.Header, Body: body}
	_ = json.Unmarshal(body, &a.JSON)
	return a, err
}

// Edge is how the app's edge answers to an access token.
func (s *Site) Edge(token string) int {
	s.T.Helper()
	return s.Do(s.Request(http.MethodGet, "/app", "", Bearer(token))).Status
}

// WantOver fails the test unless a session is over: its refresh token is worth nothing
// and the edge lets its access token pass no more.
func (c OAuthClient) WantOver(t *testing.T, session TokenPair) {
	t.Helper()
	c.Refresh(session.Refresh).Want(t, 400, "invalid_grant")
	if got := c.Site.Edge(session.Access); got != 401 {
		t.Fatalf("the edge answers %d to an access token of a session that is over", got)
	}
}

// WantGoing fails the test unless a session goes on, and returns its next tokens.
func (c OAuthClient) WantGoing(t *testing.T, session TokenPair) TokenPair {
	t.Helper()
	if got := c.Site.Edge(session.Access); got != 200 {
		t.Fatalf("the edge answers %d to an access token of a session that goes on", got)
	}
	return c.Refreshed(t, session.Refresh)
}
