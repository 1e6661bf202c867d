package client

import (
	"slices"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Rows B6 and B7 of the conformance list: a challenge makes a browser ask its user for
// a password, so it goes to those only who wait for one.
func TestWhoGetsTheBasicChallenge(t *testing.T) {
	s := startClients(t, "throttle off")
	page := func(mode string) []string { return []string{"Sec-Fetch-Mode: " + mode, "Sec-Fetch-Site: same-origin"} }
	for _, test := range []struct {
		name    string
		form    string
		headers []string
		status  int // 401 is with a challenge, 400 without
	}{
		{"a wrong secret by Basic", harness.UserForm(), []string{harness.Basic("web", "wrong")}, 401},
		{"an unknown client by Basic", harness.UserForm(), []string{harness.Basic("nobody", "x")}, 401},
		{"a public client with a secret by Basic", harness.UserForm(), []string{harness.Basic("cli", "x")}, 401},
		{"no secret by Basic", harness.UserForm(), []string{harness.Basic("web", "")}, 401},
		{"a malformed header", harness.UserForm(), []string{"Authorization: Basic ?"}, 401},
		{"another scheme", harness.UserForm(), []string{"Authorization: Digest x"}, 401},
		{"another scheme beside a client in the body", harness.LoginForm("client_secret", ""), []string{"Authorization: Digest x"}, 401},
		{"Basic with the same id in the body", harness.UserForm("client_id", "web"), []string{harness.Basic("web", "wrong")}, 401},
		{"no client", harness.UserForm(), nil, 401},
		{"a colon", harness.UserForm(), []string{"Authorization: Basic Og=="}, 401},
		{"a secret alone", harness.UserForm("client_secret", "x"), nil, 401},
		{"a token alone", harness.UserForm(), []string{"Authorization: Bearer x"}, 401},
		{"a wrong secret in the body", harness.LoginForm("client_secret", "wrong"), nil, 400},
		{"no secret in the body", harness.LoginForm("client_secret", ""), nil, 400},
		{"an unknown client in the body", harness.LoginForm("client_id", "nobody"), nil, 400},
		{"an unknown client in the body alone", harness.UserForm("client_id", "nobody"), nil, 400},
		{"a public client with a secret in the body", harness.LoginForm("client_id", "cli"), nil, 400},
		{"a client in the body beside a token", harness.LoginForm("client_secret", "wrong"), []string{"Authorization: Bearer x"}, 400},
		{"a client in the body beside a colon", harness.LoginForm("client_secret", "wrong"), []string{"Authorization: Basic Og=="}, 400},
	} {
		for _, path := range []string{"/token", "/token/revoke", "/token/introspect"} {
			t.Run("B6, B7: "+test.name+" at "+path, func(t *testing.T) {
				var first harness.Answer
				for i, from := range [][]string{nil, page("navigate"), page("cors"), page("no-cors"), page("same-origin"), page("websocket"), page("")} {
					a := s.Post(path, test.form+"&token=x", append(slices.Clone(test.headers), from...)...)
					status := test.status
					if i > 1 { // a page's script
						status = 400
					}
					a.Want(t, status, "invalid_client")
					harness.WellFormedError(t, a)
					challenge := a.Header["Www-Authenticate"]
					if want := []string{`Basic realm="edge", charset="UTF-8"`}; (status == 401) != slices.Equal(challenge, want) || status == 400 && challenge != nil {
						t.Errorf("B16: %v: the challenge is %q", from, challenge)
					}
					if line := s.LastRefusal(); line["status"] != float64(status) {
						t.Errorf("the log says %v", line["status"])
					}
					if i == 0 {
						first = a
					} else if string(a.Body) != string(first.Body) {
						t.Errorf("%v: the body is %s, else %s", from, a.Body, first.Body)
					}
				}
			})
		}
	}
	t.Run("K1: a public client that asks about a token", func(t *testing.T) {
		s.Post("/token/introspect", "client_id=cli&token=x").Want(t, 400, "invalid_client")
		s.Post("/token/introspect", "token=x", harness.Basic("cli", "")).Want(t, 401, "invalid_client")
	})
	t.Run("B6: other errors never have one", func(t *testing.T) {
		for _, form := range []string{harness.UserForm("password", "wrong"), harness.UserForm("username", ""), harness.UserForm("scope", "x")} {
			if a := s.Post("/token", form, harness.Basic("web", "web-secret")); a.Status != 400 || a.Header["Www-Authenticate"] != nil {
				t.Errorf("got %d with %q", a.Status, a.Header["Www-Authenticate"])
			}
		}
	})
}
