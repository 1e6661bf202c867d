package integration

import (
	"slices"
	"testing"
)

// Rows B6 and B7 of the conformance list: a challenge makes a browser ask its user for a
// password, so it goes to those only who wait for one.
func TestWhoGetsTheBasicChallenge(t *testing.T) {
	s := startClients(t, "throttle off")
	page := func(mode string) []string { return []string{"Sec-Fetch-Mode: " + mode, "Sec-Fetch-Site: same-origin"} }
	for _, test := range []struct {
		name    string
		form    string
		headers []string
		status  int // 401 is with a challenge, 400 without
	}{
		{"a wrong secret by Basic", userForm(), []string{basic("web", "wrong")}, 401},
		{"an unknown client by Basic", userForm(), []string{basic("nobody", "x")}, 401},
		{"a public client with a secret by Basic", userForm(), []string{basic("cli", "x")}, 401},
		{"no secret by Basic", userForm(), []string{basic("web", "")}, 401},
		{"a malformed header", userForm(), []string{"Authorization: Basic ?"}, 401},
		{"another scheme", userForm(), []string{"Authorization: Digest x"}, 401},
		{"another scheme beside a client in the body", loginForm("client_secret", ""), []string{"Authorization: Digest x"}, 401},
		{"Basic with the same id in the body", userForm("client_id", "web"), []string{basic("web", "wrong")}, 401},
		{"no client", userForm(), nil, 401},
		{"a colon", userForm(), []string{"Authorization: Basic Og=="}, 401},
		{"a secret alone", userForm("client_secret", "x"), nil, 401},
		{"a token alone", userForm(), []string{"Authorization: Bearer x"}, 401},
		{"a wrong secret in the body", loginForm("client_secret", "wrong"), nil, 400},
		{"no secret in the body", loginForm("client_secret", ""), nil, 400},
		{"an unknown client in the body", loginForm("client_id", "nobody"), nil, 400},
		{"an unknown client in the body alone", userForm("client_id", "nobody"), nil, 400},
		{"a public client with a secret in the body", loginForm("client_id", "cli"), nil, 400},
		{"a client in the body beside a token", loginForm("client_secret", "wrong"), []string{"Authorization: Bearer x"}, 400},
		{"a client in the body beside a colon", loginForm("client_secret", "wrong"), []string{"Authorization: Basic Og=="}, 400},
	} {
		for _, path := range []string{"/token", "/token/revoke", "/token/introspect"} {
			t.Run("B6, B7: "+test.name+" at "+path, func(t *testing.T) {
				var first answer
				for i, from := range [][]string{nil, page("navigate"), page("cors"), page("no-cors"), page("same-origin"), page("websocket"), page("")} {
					a := s.post(path, test.form+"&token=x", append(slices.Clone(test.headers), from...)...)
					status := test.status
					if i > 1 { // a page's script
						status = 400
					}
					a.want(t, status, "invalid_client")
					wellFormedError(t, a)
					challenge := a.header["Www-Authenticate"]
					if want := []string{`Basic realm="edge", charset="UTF-8"`}; (status == 401) != slices.Equal(challenge, want) || status == 400 && challenge != nil {
						t.Errorf("B16: %v: the challenge is %q", from, challenge)
					}
					if line := s.lastRefusal(); line["status"] != float64(status) {
						t.Errorf("the log says %v", line["status"])
					}
					if i == 0 {
						first = a
					} else if string(a.body) != string(first.body) {
						t.Errorf("%v: the body is %s, else %s", from, a.body, first.body)
					}
				}
			})
		}
	}
	t.Run("K1: a public client that asks about a token", func(t *testing.T) {
		s.post("/token/introspect", "client_id=cli&token=x").want(t, 400, "invalid_client")
		s.post("/token/introspect", "token=x", basic("cli", "")).want(t, 401, "invalid_client")
	})
	t.Run("B6: other errors never have one", func(t *testing.T) {
		for _, form := range []string{userForm("password", "wrong"), userForm("username", ""), userForm("scope", "x")} {
			if a := s.post("/token", form, basic("web", "web-secret")); a.status != 400 || a.header["Www-Authenticate"] != nil {
				t.Errorf("got %d with %q", a.status, a.header["Www-Authenticate"])
			}
		}
	})
}
