package login

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Sessions of the page live where those of clients do.
func TestASessionOfThePageInAnEngine(t *testing.T) {
	for _, server := range []string{"sessions memory %s", "sessions memory %s {\nalso storage\n}"} {
		server = fmt.Sprintf(server, t.Name())
		s, app := startPage(t, lines{server: server})
		b, other := loggedIn(t, s, "alice"), loggedIn(t, s, "alice")
		kept := b.cookies
		b.wantUser("alice")
		if got := sent(b.submit(logout, "")); got != "200" {
			t.Errorf("logging out: %s", got)
		}
		newTab(t, s).with(kept...).wantUser("401")
		if a := newTab(t, s).with(kept...).open(page); !isForm(a) {
			t.Errorf("the page takes the old cookie: %d", a.Status)
		}
		other.wantUser("alice")

		// a login over a session ends it
		spent := other.cookies
		other.login("bob")
		other.wantUser("u-2")
		newTab(t, s).with(spent...).wantUser("401")

		s.Reload("", app.In(lines{server: server + "\nsession_ttl 20d"}.in(pageSite)))
		other.wantUserSoon("u-2")
		newTab(t, s).with(kept...).wantUser("401")
	}
}

// As while the storage is down: the browser is logged out, and told that the server could
// not do its part.
func TestLoggingOutWhileAnEngineIsDown(t *testing.T) {
	s, _ := startPage(t, lines{server: "sessions memory " + t.Name()})
	b := loggedIn(t, s, "alice")
	kept := b.cookies
	harness.Eventually(t, "the revocations in the engine are read", func() bool {
		return len(s.Logged(func(line map[string]any) bool { return line["msg"] == "read the revocations" })) > 0
	})
	engine := harness.Memory(t.Name())
	engine.Stop()
	t.Cleanup(engine.Start)
	b.wantUser("alice")
	if a := b.submit(logout, ""); a.Status != 503 || len(b.cookies) > 0 || !strings.Contains(string(a.Body), "could not end the session") {
		t.Errorf("got %d %v %s", a.Status, a.Header, a.Body)
	}
	loggedIn(t, s, "bob").wantUser("u-2")
	engine.Start()
	if got := sent(newTab(t, s).with(kept...).submit(logout, "")); got != "200" {
		t.Errorf("logging out: %s", got)
	}
	newTab(t, s).with(kept...).wantUser("401")
}
