package login

import (
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/outside"
)

// takingToo are the lines of a check that takes the tokens of an issuer too.
func takingToo(issuer *outside.Issuer, settings string) string {
	return "issuer " + issuer.URL + " {\n\t\t\taudience " + outside.Audience + "\n\t\t\t" + settings + "\n\t\t}"
}

// issuers_only takes no session of the server's login page either, and sends no browser
// to a page that would not help.
func TestIssuersOnlyTakesNoSession(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	s, app := startPage(t, lines{check: takingToo(issuer, "") + "\n\t\tissuers_only"})
	b := loggedIn(t, s, "alice")
	for _, headers := range [][]string{nil, {"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}} {
		b.send("GET", "/contacts", "", headers...).Want(t, 401, "")
		if app.Reached() {
			t.Error("a session reached the app")
		}
	}
	token := issuer.Token()
	harness.Eventually(t, "the issuer's token passes, beside the cookie", func() bool {
		return b.send("GET", "/contacts", "", harness.Bearer(token)).Status == 200
	})
	for _, received := range app.Take() {
		if got := received.Header.Get("Cookie"); got != "" {
			t.Errorf("the app gets the cookie %s", got)
		}
	}
}

// A user who has a name like those of an issuer's users is not taken for one of them,
// also with a session.
func TestTheSessionOfAUserWithANameOfAnIssuerIsRefused(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	s, app := startPage(t, lines{check: takingToo(issuer, "username_prefix al")})
	b := loggedIn(t, s, "alice")
	b.send("GET", "/contacts", "").Want(t, 401, "")
	if app.Reached() || s.LastReason() != "its user has a name that begins like those of another issuer, or of clients" {
		t.Errorf("reached the app: %v; the log says %q", app.Reached(), s.LastReason())
	}
	loggedIn(t, s, "bob").send("GET", "/contacts", "").Want(t, 200, "")
}

// The same for the names that clients have.
func TestTheSessionOfAUserWithANameOfAClientIsRefused(t *testing.T) {
	s, _ := startPage(t, lines{check: "clients u-"})
	loggedIn(t, s, "bob").send("GET", "/contacts", "").Want(t, 401, "") // whose id is u-2
	loggedIn(t, s, "alice").send("GET", "/contacts", "").Want(t, 200, "")
}
