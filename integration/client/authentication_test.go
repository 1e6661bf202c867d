// Package client tests what each client may do: how it authenticates, which grants and
// scopes it has, and what browsers and off-the-shelf clients send.
package client

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// clientsSite has clients of every kind. The secret of "odd:id +%" is "s:e cret+%&=é".
const clientsSite = `http://127.0.0.1:%PORT% {
	log
	token_endpoint {
		name edge
		client web {
			secret web-secret
		}
		client hashed {
			secret_hash ` + harness.HashArgon2id + `
		}
		client "odd:id +%" {
			secret "s:e cret+%&=é"
		}
		client cli {
			public
		}
		clients json %DIR%/clients.json
		user alice ` + harness.HashBcrypt + `
		%SETTING%
	}
	respond "the app"
}
`

func startClients(t *testing.T, setting string) *harness.Site {
	t.Helper()
	s := harness.NewSite(t)
	s.Write("clients.json", fmt.Sprintf(`{"clients":[{"id":"nogrant","secret_hash":%q,"grants":[]}]}`, harness.CheapHash(t, "web-secret")))
	s.Reload("", strings.Replace(harness.WithCheapHashes(t, clientsSite), "%SETTING%", setting, 1))
	return s
}

// encodedBasic is a header of a client that keeps to RFC 6749 §2.3.1.
func encodedBasic(id, secret string) string {
	return harness.Basic(url.QueryEscape(id), url.QueryEscape(secret))
}

// Section B of the conformance list: client authentication.
func TestClientAuthentication(t *testing.T) {
	s := startClients(t, "")
	const oddID, oddSecret = "odd:id +%", "s:e cret+%&=é"
	client := func(pairs ...string) string { return harness.UserForm(pairs...) }

	tests := []struct {
		name    string
		form    string
		headers []string
		status  int
		code    string
		reason  string // in the log
	}{
		{"B1: Basic works", client(), []string{harness.Basic("web", "web-secret")}, 200, "", ""},
		{"B1: Basic works for a client with a hash", client(), []string{encodedBasic("hashed", "correct horse")}, 200, "", ""},
		{"B2: both halves of Basic are form-encoded", client(), []string{encodedBasic(oddID, oddSecret)}, 200, "", ""},
		{"B2: %20 is a space in them as well", client(), []string{harness.Basic("odd%3Aid%20%2B%25", "s%3Ae%20cret%2B%25%26%3D%C3%A9")}, 200, "", ""},
		{"B2: one half encoded and the other not is another client", client(), []string{harness.Basic("odd%3Aid+%2B%25", "s:e cret+%25&=é")}, 401, "invalid_client", "wrong_client_secret"},
		{"B2: what is no escape is as it is", client(), []string{harness.Basic("web", "100%")}, 401, "invalid_client", "wrong_client_secret"},
		{"B3: id and secret in the body work", client("client_id", "web", "client_secret", "web-secret"), nil, 200, "", ""},
		{"B3: so do odd ones", client("client_id", oddID, "client_secret", oddSecret), nil, 200, "", ""},
		{"B4: header and body secret together", client("client_id", "web", "client_secret", "web-secret"), []string{harness.Basic("web", "web-secret")}, 400, "invalid_request", "two_client_authentications"},
		{"B4: a body secret without id beside the header", client("client_secret", "web-secret"), []string{harness.Basic("web", "web-secret")}, 400, "invalid_request", "two_client_authentications"},
		{"B4: a body secret beside a malformed header", client("client_secret", "web-secret"), []string{"Authorization: Basic ?"}, 400, "invalid_request", "two_client_authentications"},
		{"B4: two Authorization headers", client(), []string{harness.Basic("web", "web-secret"), harness.Basic("web", "web-secret")}, 400, "invalid_request", "two_client_authentications"},
		{"B4: an empty body secret is none", client("client_secret", ""), []string{harness.Basic("web", "web-secret")}, 200, "", ""},
		{"B5: the same id in header and body", client("client_id", "web"), []string{harness.Basic("web", "web-secret")}, 200, "", ""},
		{"B5: another id in the body", client("client_id", "cli"), []string{harness.Basic("web", "web-secret")}, 400, "invalid_request", "two_client_ids"},
		{"B5: an id that differs in case", client("client_id", "Web"), []string{harness.Basic("web", "web-secret")}, 400, "invalid_request", "two_client_ids"},
		{"B6: a wrong secret in the header", client(), []string{harness.Basic("web", "wrong")}, 401, "invalid_client", "wrong_client_secret"},
		{"B6: another scheme", client(), []string{"Authorization: Digest abc"}, 401, "invalid_client", "basic_malformed"},
		{"B6: another scheme beside a client in the body", client("client_id", "cli"), []string{"Authorization: DPoP abc"}, 401, "invalid_client", "basic_malformed"},
		{"B7: a wrong secret in the body", client("client_id", "web", "client_secret", "wrong"), nil, 400, "invalid_client", "wrong_client_secret"},
		{"B7: no client at all", client(), nil, 401, "invalid_client", "no_client"},
		{"B7: a secret and no id", client("client_secret", "web-secret"), nil, 401, "invalid_client", "no_client"},
		{"B8: a confidential client without a secret", client("client_id", "web"), nil, 400, "invalid_client", "no_client_secret"},
		{"B8: the same with the user's password wrong", client("client_id", "web", "password", "wrong"), nil, 400, "invalid_client", "no_client_secret"},
		{"B9: an unknown client", client("client_id", "nobody", "client_secret", "web-secret"), nil, 400, "invalid_client", "unknown_client"},
		{"B9: an unknown client by Basic", client(), []string{harness.Basic("nobody", "web-secret")}, 401, "invalid_client", "unknown_client"},
		{"B9: an id that differs in case is unknown", client(), []string{harness.Basic("WEB", "web-secret")}, 401, "invalid_client", "unknown_client"},
		{"B10: a public client by its id alone", client("client_id", "cli"), nil, 200, "", ""},
		{"B10: a public client by Basic without a secret", client(), []string{harness.Basic("cli", "")}, 200, "", ""},
		{"B10: an unknown client by its id alone", client("client_id", "nobody"), nil, 400, "invalid_client", "no_client_secret"},
		{"B11: a public client with a secret", client("client_id", "cli", "client_secret", "x"), nil, 400, "invalid_client", "public_client_with_secret"},
		{"B11: a public client with a secret by Basic", client(), []string{harness.Basic("cli", "x")}, 401, "invalid_client", "public_client_with_secret"},
		{"B12: an empty secret in the body", client("client_id", "web") + "&client_secret=", nil, 400, "invalid_client", "no_client_secret"},
		{"B12: an empty secret in the header", client(), []string{harness.Basic("web", "")}, 401, "invalid_client", "no_client_secret"},
		{"B12: a secret of spaces is a wrong one", client(), []string{harness.Basic("web", "+")}, 401, "invalid_client", "wrong_client_secret"},
		{"B13: basic", client(), []string{harness.Authorization("basic", "web:web-secret")}, 200, "", ""},
		{"B13: BASIC", client(), []string{harness.Authorization("BASIC", "web:web-secret")}, 200, "", ""},
		{"B13: several spaces behind the scheme", client(), []string{harness.Authorization("Basic  ", "web:web-secret")}, 200, "", ""},
		{"B14: only the first colon splits", client(), []string{harness.Basic("odd%3Aid+%2B%25", "s:e+cret%2B%25%26%3D%C3%A9")}, 200, "", ""},
		{"B15: no base64", client(), []string{"Authorization: Basic web:web-secret"}, 401, "invalid_client", "basic_malformed"},
		{"B15: base64 without its padding", client(), []string{"Authorization: Basic d2ViOndlYi1zZWNyZXQ"}, 401, "invalid_client", "basic_malformed"},
		{"B15: base64 with spare bits set", client(), []string{"Authorization: Basic d2ViOndlYi1zZWNyZXR="}, 401, "invalid_client", "basic_malformed"},
		{"B15: no colon", client(), []string{harness.Authorization("Basic", "web")}, 401, "invalid_client", "basic_malformed"},
		{"B15: nothing behind the scheme", client(), []string{"Authorization: Basic"}, 401, "invalid_client", "basic_malformed"},
		{"B15: an empty header", client(), []string{"Authorization: "}, 401, "invalid_client", "no_client"},
		{"B15: a colon and nothing else", client(), []string{harness.Authorization("Basic", ":")}, 401, "invalid_client", "no_client"},
		{"B15: NUL in the secret", client(), []string{harness.Authorization("Basic", "web:web-secret\x00")}, 401, "invalid_client", "basic_malformed"},
		{"B15: NUL in the secret, encoded", client(), []string{harness.Authorization("Basic", "web:web-secret%00")}, 401, "invalid_client", "wrong_client_secret"},
		{"B15: invalid UTF-8", client(), []string{harness.Authorization("Basic", "web:\xff")}, 401, "invalid_client", "basic_malformed"},
		{"B15: a malformed header does not fall back on the body's public client", client("client_id", "cli"), []string{"Authorization: Basic ?"}, 401, "invalid_client", "basic_malformed"},
		{"B18: a client without this grant", client(), []string{harness.Basic("nogrant", "web-secret")}, 400, "unauthorized_client", "grant_not_allowed"},
		{"B18: only once it is authenticated", client(), []string{harness.Basic("nogrant", "wrong")}, 401, "invalid_client", "wrong_client_secret"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := len(s.Refusals())
			a := s.Post("/token", test.form, test.headers...)
			a.Want(t, test.status, test.code)
			if test.status == 200 {
				return
			}
			if len(s.Refusals()) != before+1 || s.Reason() != test.reason {
				t.Errorf("refused for %q, want %q", s.Reason(), test.reason)
			}
			challenge := a.Header["Www-Authenticate"]
			switch {
			case test.status != 401 && challenge != nil:
				t.Errorf("B6: a challenge without 401: %q", challenge)
			case test.status == 401 && !slices.Equal(challenge, []string{`Basic realm="edge", charset="UTF-8"`}):
				t.Errorf("B6, B7, B16: the challenge is %q", challenge)
			}
		})
	}
}

// What tells an unknown client from a wrong secret is not in the answer.
func TestFailedClientsGetOneAnswer(t *testing.T) {
	s := startClients(t, "")
	failures := map[string]string{
		"wrong secret":                     harness.UserForm("client_id", "web", "client_secret", "wrong"),
		"wrong secret of a hashed client":  harness.UserForm("client_id", "hashed", "client_secret", "wrong"),
		"unknown client":                   harness.UserForm("client_id", "nobody", "client_secret", "wrong"),
		"public client with a secret":      harness.UserForm("client_id", "cli", "client_secret", "wrong"),
		"confidential client without one":  harness.UserForm("client_id", "web"),
		"unknown client without one":       harness.UserForm("client_id", "nobody"),
		"right secret of another client":   harness.UserForm("client_id", "nogrant", "client_secret", "correct horse"),
		"secret over 1,024 bytes":          harness.UserForm("client_id", "web", "client_secret", strings.Repeat("s", 1025)),
		"secret of another normalization":  harness.UserForm("client_id", "odd:id +%", "client_secret", "s:e cret+%&=e\u0301"),
		"unknown client of 60,000 letters": harness.UserForm("client_id", strings.Repeat("n", 60000), "client_secret", "s"),
	}
	var first harness.Answer
	for _, name := range slices.Sorted(maps.Keys(failures)) {
		t.Run("B9: "+name, func(t *testing.T) {
			a := s.Post("/token", failures[name])
			a.Want(t, 400, "invalid_client")
			a.Header.Del("Date")
			if first.Status == 0 {
				first = a
			}
			if string(a.Body) != string(first.Body) || !maps.EqualFunc(a.Header, first.Header, slices.Equal) {
				t.Errorf("it differs from another failure: %v %s", a.Header, a.Body)
			}
		})
	}
}

// The user's password must not be a way to test passwords for those who are not a
// client.
func TestNoPasswordIsLookedAtBeforeTheClientIsAuthenticated(t *testing.T) {
	s := startClients(t, "")
	for name, change := range map[string][]string{
		"wrong secret":  {"client_secret", "wrong"},
		"no secret":     {"client_secret", ""},
		"no client":     {"client_id", "", "client_secret", ""},
		"without grant": {"client_id", "nogrant"},
	} {
		t.Run("B8: "+name, func(t *testing.T) {
			right := s.Post("/token", harness.LoginForm(change...))
			wrong := s.Post("/token", harness.LoginForm(append(change, "password", "wrong")...))
			if right.Status != wrong.Status || string(right.Body) != string(wrong.Body) {
				t.Errorf("the right password gets %d %s, the wrong one %d %s", right.Status, right.Body, wrong.Status, wrong.Body)
			}
			for _, line := range s.Refusals() {
				if line["user_id"] != nil {
					t.Errorf("the user was looked up: %v", line)
				}
			}
		})
	}
}
