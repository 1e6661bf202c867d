package monitoring

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// A client is counted once it has authenticated, and by the grant that it asked for.
func TestClientsAreCountedByTheGrantThatTheyUse(t *testing.T) {
	s := startCounted(t, "throttle off")
	login := func(pairs ...string) func() harness.Answer {
		return func() harness.Answer { return s.Post("/token", harness.LoginForm(pairs...)) }
	}
	tokens := login()()
	tokens.Want(t, 200, "")
	for _, test := range []struct {
		name   string
		send   func() harness.Answer
		status int
		moves  string // none if empty
	}{
		{"a login", login(), 200, ofClient("web", "password", "success")},
		{"a login of a public client", login("client_id", "cli", "client_secret", ""), 200, ofClient("cli", "password", "success")},
		{"a refresh", func() harness.Answer { return s.Web().Refresh(tokens.Text(t, "refresh_token")) }, 200, ofClient("web", "refresh_token", "success")},
		{"a wrong password", login("password", "wrong"), 400, ofClient("web", "password", "refused")},
		{"no password", login("password", ""), 400, ofClient("web", "password", "refused")},
		{"a grant that the client may not use", login("client_id", "other", "client_secret", "other-secret", "grant_type", "refresh_token", "refresh_token", "x"), 400, ofClient("other", "refresh_token", "refused")},
		{"a wrong secret", login("client_secret", "wrong"), 400, ""},
		{"a client that there is not", login("client_id", "nobody"), 400, ""},
		{"a grant that there is not", login("grant_type", "implicit"), 400, ""},
		{"a revocation", func() harness.Answer { return s.Web().Revoke("x") }, 200, ""},
		{"an introspection", func() harness.Answer { return s.Web().Introspect("x") }, 200, ""},
	} {
		before := s.Metrics()
		if a := test.send(); a.Status != test.status {
			t.Errorf("%s: %d %s", test.name, a.Status, a.Body)
		}
		moved := ""
		for series := range counted(before, s.Metrics()) {
			if strings.HasPrefix(series, "client_requests_total{") {
				moved += series
			}
		}
		if moved != test.moves {
			t.Errorf("%s: %q moved, want %q", test.name, moved, test.moves)
		}
	}
}

// However many clients a file has, there are not many series.
func TestClientsBeyondABoundAreCountedTogether(t *testing.T) {
	s := harness.NewSite(t)
	clients := func(n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`{"id":"client-%d","public":true}`, i))
		}
		return `{"clients":[` + strings.Join(list, ",") + `]}`
	}
	const server = "crowded" // that no other test has
	s.WriteOld("clients.json", clients(10))
	s.Reload("", strings.ReplaceAll(strings.Replace(harness.WithCheapHashes(t, countedSite), "%SETTINGS%", "clients json %DIR%/clients.json", 1), "counted", server))
	series := func() (n int) {
		for name := range s.Metrics() {
			if strings.HasPrefix(name, "client_requests_total{") && strings.Contains(name, server) {
				n++
			}
		}
		return n
	}
	of := func(id, outcome string) string {
		return strings.Replace(ofClient(id, "password", outcome), "counted", server, 1)
	}
	if n := series(); n != 2*2*12+2 {
		t.Errorf("there are %d series", n)
	}
	s.Write("clients.json", clients(600))
	harness.Eventually(t, "the series of the clients that came are there", func() bool { return series() > 500 })
	for _, id := range []string{"client-0", "client-450", "client-598", "client-599"} {
		s.Post("/token", harness.LoginForm("client_id", id, "client_secret", "")).Want(t, 200, "")
	}
	all := s.Metrics()
	if all[of("client-0", "success")] != 1 || all[of("client-450", "success")] != 1 || all[of("", "success")] != 2 {
		t.Errorf("counted: %v of one client, %v of another, %v of the rest", all[of("client-0", "success")], all[of("client-450", "success")], all[of("", "success")])
	}
	if n := series(); n > 2*2*500+1 {
		t.Errorf("there are %d series", n)
	}
}
