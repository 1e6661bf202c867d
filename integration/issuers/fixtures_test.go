// Package issuers tests bearer_auth with the tokens of outside issuers.
package issuers

import (
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/outside"
)

// edge is a site with an app behind a bearer_auth.
type edge struct {
	*harness.Site
	app *harness.App
}

const (
	// copied are the claims that tell who it is, as the app gets them.
	copied = "copy_claims sub>X-User username>X-Name client_id>X-Client iss>X-Issuer"

	// who says what the placeholders say.
	who = `respond /who "{http.auth.user.kind}|{http.auth.user.issuer}|{http.auth.user.id}|{http.auth.user.username}|{http.auth.user.client_id}|{http.auth.user.scope}"`

	// ownServer is a token_endpoint with the users alice and bob.
	ownServer = `token_endpoint {
		issuer https://api.example.com
		client web {
			secret web-secret
			scopes contacts.read contacts.write
		}
		user alice ` + harness.HashCheap + `
		user bob ` + harness.HashCheapAnother + ` {
			id u-2
		}
	}
`
)

// site is a config with these lines before the app.
func site(lines ...string) string {
	return "http://127.0.0.1:%PORT% {\n\tlog\n\t" + strings.Join(lines, "\n\t") + "\n\t" + who + "\n\treverse_proxy %APP%\n}\n"
}

// bearer is a bearer_auth with these lines, and a matcher and name if there are any.
func bearer(matcher string, lines ...string) string {
	return "bearer_auth " + matcher + " {\n\t\t" + strings.Join(lines, "\n\t\t") + "\n\t}"
}

// trusting takes an issuer's tokens for the audience that they have, with these lines
// more.
func trusting(issuer *outside.Issuer, lines ...string) string {
	return "issuer " + issuer.URL + " {\n\t\t\t" + strings.Join(append([]string{"audience " + outside.Audience}, lines...), "\n\t\t\t") + "\n\t\t}"
}

// start serves a bearer_auth with these lines, without a token_endpoint.
func start(t *testing.T, lines ...string) edge {
	t.Helper()
	return startSite(t, bearer("", append(lines, copied)...))
}

// startSite serves these lines before the app.
func startSite(t *testing.T, lines ...string) edge {
	t.Helper()
	app := harness.NewApp(t)
	return edge{harness.Start(t, app.In(site(lines...))), app}
}

// serve changes the config.
func (e edge) serve(lines ...string) {
	e.T.Helper()
	e.Reload("", e.app.In(site(lines...)))
}

// get asks for a path with a token.
func (e edge) get(path, token string, headers ...string) harness.Answer {
	e.T.Helper()
	return e.Do(e.Request("GET", path, "", append(headers, harness.Bearer(token))...))
}

// want fails the test unless a token is answered so, and reaches the app only with 200.
func (e edge) want(t *testing.T, token string, status int) {
	t.Helper()
	e.app.Take()
	if a := e.get("/contacts", token); a.Status != status {
		t.Errorf("got %d, want %d; the log says %q", a.Status, status, e.LastReason())
	}
	if e.app.Reached() != (status == 200) {
		t.Errorf("reached the app: %v", e.app.Reached())
	}
}

// knows waits until the keys of issuers are there.
func (e edge) knows(issuers ...*outside.Issuer) {
	e.T.Helper()
	for _, issuer := range issuers {
		e.eventually(issuer.Token(), 200)
	}
	e.app.Take()
}

// eventually waits until a token is answered so.
func (e edge) eventually(token string, status int) {
	e.T.Helper()
	var last int
	harness.Eventually(e.T, "the edge takes a token, or no longer", func() bool {
		last = e.get("/contacts", token).Status
		return last == status
	})
}

// says what the placeholders are with a token.
func (e edge) says(t *testing.T, token, want string) {
	t.Helper()
	a := e.get("/who", token)
	if a.Status != 200 || string(a.Body) != want {
		t.Errorf("got %d %s, want %s", a.Status, a.Body, want)
	}
}

// attack is a token that must not pass.
type attack struct {
	name, token string
	reason      string // a part of what the log says
}

// refuses fails the test unless each token is answered 401 exactly as garbage is, and the
// log tells why.
func (e edge) refuses(t *testing.T, attacks []attack) {
	t.Helper()
	e.app.Take()
	garbage := e.get("/contacts", "garbage")
	garbage.Want(t, 401, "")
	for _, attack := range attacks {
		t.Run(attack.name, func(t *testing.T) {
			harness.WantSameOutward(t, e.get("/contacts", attack.token), garbage)
			if reason := e.LastReason(); !strings.Contains(reason, attack.reason) {
				t.Errorf("the log says %q, want %q", reason, attack.reason)
			}
			if e.app.Reached() {
				t.Errorf("the app received %v", e.app.Take())
			}
		})
	}
}
