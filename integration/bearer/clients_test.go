package bearer

import (
	"fmt"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// clientsSite has clients that act for themselves, one of which is called as a user could
// be, and users whose names begin like those that clients are given.
const clientsSite = `http://127.0.0.1:%PORT% {
	log
	token_endpoint {
		issuer   https://api.example.com
		throttle off
		scopes   read
		client web {
			secret web-secret
		}
		client alice {
			secret alice-secret
			grants client_credentials
		}
		client batch {
			secret batch-secret
			grants client_credentials
		}
		user bob ` + harness.HashCheap + `
		user svc:batch ` + harness.HashCheap + `
		user carol ` + harness.HashCheap + ` {
			id svc:batch-2
		}
		user svcs ` + harness.HashCheap + `
	}
	bearer_auth /off* {
		copy_claims sub>X-User username>X-Name client_id>X-Client
	}
	bearer_auth /on* {
		clients
		copy_claims sub>X-User username>X-Name client_id>X-Client
	}
	bearer_auth /prefix* {
		clients svc:
		copy_claims sub>X-User username>X-Name client_id>X-Client
	}
	bearer_auth /require-sub {
		clients
		require sub alice
	}
	bearer_auth /require-name {
		clients
		require username alice
	}
	bearer_auth /require-prefixed {
		clients svc:
		require sub svc:alice
	}
	bearer_auth /require-client {
		clients
		require client_id alice
	}
	bearer_auth /require-kind {
		clients
		require gty client-credentials
	}
	bearer_auth /shadow* {
		shadow
		copy_claims sub>X-User
	}
	bearer_auth /optional* {
		optional
		copy_claims sub>X-User
	}
	handle /metrics {
		metrics
	}
	respond /*/who "{http.auth.user.kind}|{http.auth.user.id}|{http.auth.user.username}|{http.auth.user.client_id}|{http.auth.user.key_name}"
	reverse_proxy %APP%
}
`

// itself is a token that a client got for itself.
func itself(t *testing.T, c harness.OAuthClient) string {
	t.Helper()
	a := c.Site.Post(c.Path, c.Form("grant_type", "client_credentials"))
	a.Want(t, 200, "")
	return a.Text(t, "access_token")
}

// H7, RFC 9068 §2.2, RFC 9700 §4.15: `sub` of a client's token is the client, who is
// never taken for a user of that name.
func TestAClientIsNotTheUserOfItsName(t *testing.T) {
	app := harness.NewApp(t)
	s := harness.Start(t, app.In(clientsSite))
	alice, batch, bob := itself(t, s.As("alice")), itself(t, s.As("batch")), s.Token("bob")
	for _, test := range []struct {
		path, token        string
		status             int
		user, name, client string
	}{
		{"/off", alice, 403, "", "", ""},
		{"/off", bob, 200, "bob", "bob", "web"},
		{"/on", alice, 200, "", "", "alice"},
		{"/on", bob, 200, "bob", "bob", "web"},
		{"/prefix", alice, 200, "svc:alice", "svc:alice", "alice"},
		{"/prefix", batch, 200, "svc:batch", "svc:batch", "batch"},
		{"/prefix", bob, 200, "bob", "bob", "web"},
		{"/prefix", s.Token("svcs"), 200, "svcs", "svcs", "web"},
		{"/prefix", s.Token("svc:batch"), 401, "", "", ""}, // the name is a client's here
		{"/prefix", s.Token("carol"), 401, "", "", ""},     // and so is the subject
		{"/on", s.Token("svc:batch"), 200, "svc:batch", "svc:batch", "web"},
		{"/require-sub", alice, 403, "", "", ""},
		{"/require-name", alice, 403, "", "", ""},
		{"/require-prefixed", alice, 200, "", "", ""},
		{"/require-prefixed", batch, 403, "", "", ""},
		{"/require-client", alice, 200, "", "", ""},
		{"/require-client", batch, 403, "", "", ""},
		{"/require-client", bob, 403, "", "", ""},
		{"/require-kind", alice, 200, "", "", ""},
		{"/require-kind", bob, 403, "", "", ""},
		{"/shadow", alice, 200, "", "", ""},
		{"/optional", alice, 403, "", "", ""},
	} {
		for range 2 { // the second time the token is remembered
			app.Take()
			a := s.Do(s.Request("GET", test.path, "", harness.Bearer(test.token), "X-User: mallory", "X_name: mallory", "X-Client: mallory"))
			if a.Status != test.status {
				t.Errorf("%s: got %d, want %d; the log says %q", test.path, a.Status, test.status, s.LastReason())
			}
			if app.Reached() != (test.status == 200) {
				t.Errorf("%s: reached the app: %v", test.path, app.Reached())
			}
			for _, got := range app.Take() {
				got.WantIdentity(t, "X-User", test.user)
				got.WantIdentity(t, "X-Name", test.name)
				got.WantIdentity(t, "X-Client", test.client)
			}
		}
	}
	for path, want := range map[string]string{"/on/who": "client|||alice|", "/prefix/who": "client|svc:alice|svc:alice|alice|", "/shadow/who": "||||"} {
		if a := s.Do(s.Request("GET", path, "", harness.Bearer(alice))); string(a.Body) != want {
			t.Errorf("%s: got %s, want %s", path, a.Body, want)
		}
	}
}

func TestAClientIsToldApartInLogsAndMetrics(t *testing.T) {
	app := harness.NewApp(t)
	s := harness.Start(t, app.In(clientsSite))
	alice := itself(t, s.As("alice"))
	outcome := func(name string) float64 {
		return s.Metrics()[`bearer_checks_total{outcome="`+name+`",server="default",shadow="false"}`]
	}
	refused, passed := outcome("insufficient_scope"), outcome("success")
	a := s.Do(s.Request("GET", "/off", "", harness.Bearer(alice)))
	if got := a.Header.Get("WWW-Authenticate"); a.Status != 403 || got != `Bearer realm="default", error="insufficient_scope"` {
		t.Errorf("I4: got %d %s", a.Status, got)
	}
	line := s.LastRefusal()
	if line["client_id"] != "alice" || line["user_id"] != nil || line["reason"] != "it is a client that acts for itself, and only users may pass here" {
		t.Errorf("the log says %v", line)
	}
	s.Do(s.Request("GET", "/on/1", "", harness.Bearer(alice))).Want(t, 200, "")
	s.Do(s.Request("GET", "/prefix/1", "", harness.Bearer(alice))).Want(t, 200, "")
	s.Do(s.Request("GET", "/prefix/2", "", harness.Bearer(s.Token("svc:batch")))).Want(t, 401, "")
	if got := s.LastReason(); got != "its user has a name that begins like those of another issuer, or of clients" {
		t.Errorf("the log says %q", got)
	}
	if got := [2]float64{outcome("insufficient_scope") - refused, outcome("success") - passed}; got != [2]float64{1, 2} {
		t.Errorf("counted %v", got)
	}
	for path, want := range map[string][2]any{"/on/1": {"alice", ""}, "/prefix/1": {"alice", "svc:alice"}} {
		harness.Eventually(t, "the access log has "+path, func() bool {
			for _, line := range s.Logged(func(line map[string]any) bool { return line["msg"] == "handled request" }) {
				if request, _ := line["request"].(map[string]any); request["uri"] == path {
					if got := [2]any{line["client_id"], line["user_id"]}; fmt.Sprint(got) != fmt.Sprint(want) {
						t.Errorf("%s: the access log says %v, want %v", path, got, want)
					}
					return true
				}
			}
			return false
		})
	}
}
