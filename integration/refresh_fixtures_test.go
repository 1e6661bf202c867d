package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// This file is for the tests of sessions: what an OAuth client does at the endpoints, and
// the sites where it does that.

// sessionSite has clients of every kind, and an app whose edge learns of revocations by
// what happens in its own process: it polls too seldom to learn of them otherwise. The
// throttle is off, since tests fail more often than it allows.
// %SETTINGS% is for lines of the endpoint.
const sessionSite = `http://127.0.0.1:%PORT% {
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
		user alice ` + hashBcrypt + ` {
			claim email alice@example.com
		}
		user bob ` + hashBcrypt + ` {
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

// startSessions serves sessionSite with these lines more.
func startSessions(t *testing.T, settings string) *site {
	t.Helper()
	return startCheap(t, strings.Replace(sessionSite, "%SETTINGS%", settings, 1))
}

// oauthClient is a client of a token endpoint. Without a secret it is a public one.
type oauthClient struct {
	s                *site
	path, id, secret string
}

// as is the client of that id at /token, whose secret is named after it.
func (s *site) as(id string) oauthClient {
	return oauthClient{s, "/token", id, id + "-secret"}
}

// web is the client of most tests.
func (s *site) web() oauthClient { return s.as("web") }

// public is a client without a secret.
func (s *site) public(id string) oauthClient { return oauthClient{s, "/token", id, ""} }

// at is the same client at another token endpoint.
func (c oauthClient) at(path string) oauthClient {
	c.path = path
	return c
}

// form has the client's credentials and these pairs of names and values; an empty value
// takes a parameter out.
func (c oauthClient) form(pairs ...string) string {
	form := url.Values{"client_id": {c.id}}
	if c.secret != "" {
		form.Set("client_secret", c.secret)
	}
	for i := 0; i < len(pairs); i += 2 {
		if form.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			form.Del(pairs[i])
		}
	}
	return form.Encode()
}

// tokenPair is what a login or a refresh gives.
type tokenPair struct{ access, refresh string }

// tokensOf fails the test unless the answer has both tokens.
func tokensOf(t *testing.T, a answer) tokenPair {
	t.Helper()
	a.want(t, 200, "")
	return tokenPair{a.text(t, "access_token"), a.text(t, "refresh_token")}
}

// login gets the tokens of a new session.
func (c oauthClient) login(t *testing.T, username string, pairs ...string) tokenPair {
	t.Helper()
	form := append([]string{"grant_type", "password", "username", username, "password", "correct horse"}, pairs...)
	return tokensOf(t, c.s.post(c.path, c.form(form...)))
}

// refreshForm is that of a refresh.
func (c oauthClient) refreshForm(token string, pairs ...string) string {
	return c.form(append([]string{"grant_type", "refresh_token", "refresh_token", token}, pairs...)...)
}

// refresh sends a refresh token, once.
func (c oauthClient) refresh(token string, pairs ...string) answer {
	c.s.t.Helper()
	return c.s.post(c.path, c.refreshForm(token, pairs...))
}

// refreshed is the tokens for which a refresh token is exchanged.
func (c oauthClient) refreshed(t *testing.T, token string, pairs ...string) tokenPair {
	t.Helper()
	return tokensOf(t, c.refresh(token, pairs...))
}

func (c oauthClient) revoke(token string, pairs ...string) answer {
	c.s.t.Helper()
	return c.s.post(c.path+"/revoke", c.form(append([]string{"token", token}, pairs...)...))
}

func (c oauthClient) introspect(token string, pairs ...string) answer {
	c.s.t.Helper()
	return c.s.post(c.path+"/introspect", c.form(append([]string{"token", token}, pairs...)...))
}

// send posts a form from a goroutine that may not end the test.
func (c oauthClient) send(endpoint, form string) (answer, error) {
	response, err := c.s.client.Post(c.s.url(c.path+endpoint), "application/x-www-form-urlencoded", strings.NewReader(form))
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	a := answer{status: response.StatusCode, header: response.Header, body: body}
	_ = json.Unmarshal(body, &a.json)
	return a, err
}

// edge is how the app's edge answers to an access token.
func (s *site) edge(token string) int {
	s.t.Helper()
	return s.do(s.request(http.MethodGet, "/app", "", bearer(token))).status
}

// wantOver fails the test unless a session is over: its refresh token is worth nothing and
// the edge lets its access token pass no more.
func (c oauthClient) wantOver(t *testing.T, session tokenPair) {
	t.Helper()
	c.refresh(session.refresh).want(t, 400, "invalid_grant")
	if got := c.s.edge(session.access); got != 401 {
		t.Fatalf("the edge answers %d to an access token of a session that is over", got)
	}
}

// wantGoing fails the test unless a session goes on, and returns its next tokens.
func (c oauthClient) wantGoing(t *testing.T, session tokenPair) tokenPair {
	t.Helper()
	if got := c.s.edge(session.access); got != 200 {
		t.Fatalf("the edge answers %d to an access token of a session that goes on", got)
	}
	return c.refreshed(t, session.refresh)
}

// numericClaim is a claim that must be a whole number.
func numericClaim(t *testing.T, token, claim string) int64 {
	t.Helper()
	_, claims := opened(t, token)
	written, ok := claims[claim].(json.Number)
	if !ok {
		t.Fatalf("%s is %v", claim, claims[claim])
	}
	value, err := written.Int64()
	if err != nil {
		t.Fatalf("%s is %s, no whole number", claim, written)
	}
	return value
}

// textClaim is one that must be a string.
func textClaim(t *testing.T, token, name string) string {
	t.Helper()
	_, claims := opened(t, token)
	value, ok := claims[name].(string)
	if !ok {
		t.Fatalf("%s is %v", name, claims[name])
	}
	return value
}

// sleepUntil waits for a NumericDate, and a moment longer.
func sleepUntil(date int64) { time.Sleep(time.Until(time.Unix(date, 0)) + 20*time.Millisecond) }

// wantUnlogged fails the test if a secret is anywhere in the log, but for the debug line in
// which Caddy itself shows the config.
func (s *site) wantUnlogged(t *testing.T, secrets ...string) {
	t.Helper()
	for line := range bytes.Lines([]byte(s.rawLog())) {
		if bytes.Contains(line, []byte(`"msg":"adjusted config"`)) {
			continue
		}
		for _, secret := range secrets {
			if bytes.Contains(line, []byte(secret)) {
				t.Fatalf("C16: the log has %q: %s", secret, line)
			}
		}
	}
}

// unplug puts a file in the place of the storage, or of something in it, so that nothing
// there can be read or written, whoever tries. What it returns puts the storage back.
func (s *site) unplug(inside ...string) (plug func()) {
	s.t.Helper()
	path := filepath.Join(append([]string{storageOf(s)}, inside...)...)
	aside := filepath.Join(s.dir, "unplugged")
	must := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	must(os.Rename(path, aside))
	must(os.WriteFile(path, []byte("a file where a directory should be"), 0o600))
	return func() {
		s.t.Helper()
		must(os.Remove(path))
		must(os.Rename(aside, path))
	}
}

// stateOf is the path in the storage of what is kept of a token's session.
func (s *site) stateOf(t *testing.T, token, what string) string {
	t.Helper()
	day, random, _ := strings.Cut(textClaim(t, token, "sid"), "-")
	servers, err := filepath.Glob(filepath.Join(storageOf(s), "grant", "*"))
	if err != nil || len(servers) != 1 {
		t.Fatalf("the storage has %v: %v", servers, err)
	}
	return filepath.Join(servers[0], "sessions", day, random+what)
}

// readIfThere is the content of a file, empty if there is none.
func readIfThere(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(content)
}
