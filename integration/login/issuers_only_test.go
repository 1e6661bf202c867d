package login

import (
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/outside"
)

// A session of the login page is of the own server, and is not taken where only tokens
// of outside issuers are. There is no way to log in there either.
func TestIssuersOnlyTakesNoSession(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	s, app := startPage(t, lines{routes: `bearer_auth /staff* {
		issuer ` + issuer.URL + ` {
			audience ` + outside.Audience + `
		}
		issuers_only
	}`})
	b := loggedIn(t, s, "alice")
	b.fetch("GET", "/app").Want(t, 200, "")
	app.Take()
	for _, a := range []struct {
		how    string
		status int
	}{{"script", b.fetch("GET", "/staff/x").Status}, {"navigation", b.open("/staff/x").Status}} {
		if a.status != 401 || app.Reached() {
			t.Errorf("%s: answered %d", a.how, a.status)
		}
	}
}
