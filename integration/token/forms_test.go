package token

import (
	"strconv"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// A body in a coding would have to be decoded before it can be read. What is not a
// coding is not refused for its header.
func TestContentEncodings(t *testing.T) {
	s := harness.StartCheap(t, harness.BasicSite)
	const supported = "identity"
	for _, test := range []struct {
		name   string
		values []string
		status int
	}{
		{"A3: none", nil, 200},
		{"A3: an empty one", []string{""}, 200},
		{"A3: identity", []string{"identity"}, 200},
		{"A3: Identity", []string{"Identity"}, 200},
		{"A3: a charset in the wrong place", []string{"UTF-8"}, 200},
		{"A3: a charset in the wrong place, in the other spelling", []string{"utf8"}, 200},
		{"A3: other charsets of which UTF-8's first half is one", []string{"ISO-8859-1", "us-ascii, windows-1252"}, 200},
		{"A3: several that are none", []string{"identity, utf-8", " , identity"}, 200},
		{"A3: gzip", []string{"gzip"}, 415},
		{"A3: x-gzip", []string{"x-gzip"}, 415},
		{"A3: GZIP", []string{"GZIP"}, 415},
		{"A3: br", []string{"br"}, 415},
		{"A3: deflate", []string{"deflate"}, 415},
		{"A3: zstd", []string{"zstd"}, 415},
		{"A3: compress", []string{"compress"}, 415},
		{"A3: an unknown coding", []string{"x-mine"}, 415},
		{"A3: another charset", []string{"utf-16"}, 415},
		{"A3: a list", []string{"gzip, br"}, 415},
		{"A3: a list that begins with none", []string{"identity,gzip"}, 415},
		{"A3: a list that ends with none", []string{"gzip, identity"}, 415},
		{"A3: in a second header", []string{"identity", "gzip"}, 415},
	} {
		for _, path := range []string{"/token", "/token/revoke", "/token/introspect"} {
			t.Run(test.name+" at "+path, func(t *testing.T) {
				r := s.Request("POST", path, harness.LoginForm("token", "x"))
				if test.values != nil {
					r.Header["Content-Encoding"] = test.values
				}
				a := s.Do(r)
				if test.status == 200 {
					a.Want(t, 200, "")
					return
				}
				a.Want(t, 415, "invalid_request")
				harness.WellFormedError(t, a)
				if reason := s.Reason(); reason != "content_encoding" || a.Header.Get("Accept-Encoding") != supported {
					t.Errorf("refused for %q, with Accept-Encoding %q", reason, a.Header["Accept-Encoding"])
				}
			})
		}
	}
	t.Run("A3: the type of the body comes first", func(t *testing.T) {
		s.Post("/token", "{}", "Content-Type: application/json", "Content-Encoding: gzip").Want(t, 400, "invalid_request")
	})
}

// What costs something for each parameter is bounded, whatever they are: nothing is
// looked at before.
func TestTheNumberOfParametersIsBounded(t *testing.T) {
	s := harness.StartCheap(t, harness.BasicSite)
	const own = 5 // of loginForm
	many := func(n int, parameter string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString("&" + strings.ReplaceAll(parameter, "#", strconv.Itoa(i)))
		}
		return b.String()
	}
	for _, test := range []struct {
		name, form, reason string // no reason: it is accepted
	}{
		{"A12: a hundred", harness.LoginForm() + many(100-own, "p#=x"), ""},
		{"A12: one more", harness.LoginForm() + many(101-own, "p#=x"), "too_many_parameters"},
		{"A12: a hundred with empty ones", harness.LoginForm() + many(100-own, "p#="), ""},
		{"A12: one more, all of them empty", harness.LoginForm() + many(101-own, "p#="), "too_many_parameters"},
		{"A12: separators alone", harness.LoginForm() + strings.Repeat("&", 101-own), "too_many_parameters"},
		{"A12: one name over and over", harness.LoginForm() + strings.Repeat("&a=", 14000), "too_many_parameters"},
		{"A12: resource over and over", harness.LoginForm() + many(101-own, "resource=x"), "too_many_parameters"},
		{"A12: a hundred with resource", harness.LoginForm() + many(100-own, "resource=x"), ""},
		{"A12: with bad escapes in them", harness.LoginForm() + many(101-own, "p#=%zz"), "too_many_parameters"},
		{"A12: few with long names", harness.LoginForm() + "&" + strings.Repeat("n", 30000) + "=1&" + strings.Repeat("m", 30000) + "=1", ""},
		{"A12: separators that are encoded are none", harness.LoginForm("x", strings.Repeat("&", 1000)), ""},
	} {
		for _, path := range []string{"/token", "/token/revoke", "/token/introspect"} {
			t.Run(test.name+" at "+path, func(t *testing.T) {
				form := test.form
				if path != "/token" {
					form = strings.Replace(form, "username=alice", "token=x", 1)
				}
				a := s.Post(path, form)
				if test.reason == "" {
					a.Want(t, 200, "")
					return
				}
				a.Want(t, 400, "invalid_request")
				harness.WellFormedError(t, a)
				if reason := s.Reason(); reason != test.reason {
					t.Errorf("refused for %q", reason)
				}
			})
		}
	}
	for _, test := range []struct{ name, method, query, reason string }{
		{"a hundred in the query", "POST", strings.Repeat("&a=1", 99)[1:], ""},
		{"more than a hundred in the query", "POST", strings.Repeat("&a=1", 101)[1:], "too_many_parameters"},
		{"so many that are separated in the old way", "POST", strings.Repeat(";a=1", 101)[1:], "too_many_parameters"},
		{"a password behind so many", "POST", strings.Repeat("a&", 200) + "password=x", "too_many_parameters"},
		{"a password before few", "POST", "password=x&a&b", "credentials_in_query"},
		{"a password in escapes only", "POST", "%70%61%73%73%77%6f%72%64=x", "credentials_in_query"},
		{"a long name with escapes", "POST", strings.Repeat("%61", 3000), ""},
		{"a wrong method with so many", "PUT", strings.Repeat("a&", 200), "method"},
	} {
		t.Run("A8, A12: "+test.name, func(t *testing.T) {
			a := s.Do(s.Request(test.method, "/token?"+test.query, harness.LoginForm()))
			if test.reason == "" {
				a.Want(t, 200, "")
			} else if reason := s.Reason(); a.Status < 400 || reason != test.reason {
				t.Errorf("got %d, refused for %q", a.Status, reason)
			}
		})
	}
}

// A slash behind an endpoint's path is a slip that changes nothing, in all the
// spellings that Caddy takes for that path. One more part is another path.
func TestASlashBehindAnEndpoint(t *testing.T) {
	s := harness.StartCheap(t, `http://127.0.0.1:%PORT% {
	token_endpoint {
		issuer https://api.example.com/tenant
		client web {
			secret web-secret
		}
		user alice `+harness.HashBcrypt+`
	}
	token_endpoint /deep/er {
		name deeper
		client web {
			secret web-secret
		}
		user alice `+harness.HashBcrypt+`
	}
	respond "the app"
}
`)
	for _, at := range []string{"/token", "/deep/er"} {
		for _, slash := range []string{"", "/", "//", "/./", "/x/../"} {
			login := s.Post(at+slash, harness.LoginForm())
			login.Want(t, 200, "")
			token := "token=" + login.Text(t, "access_token")
			if a := s.Post(at+"/introspect"+slash, token, harness.Basic("web", "web-secret")); a.JSON["active"] != true {
				t.Errorf("%s/introspect%s: %d %s", at, slash, a.Status, a.Body)
			}
			if a := s.Post(at+"/revoke"+slash, token, harness.Basic("web", "web-secret")); a.Status != 200 || string(a.Body) != "{}\n" {
				t.Errorf("%s/revoke%s: %d %s", at, slash, a.Status, a.Body)
			}
			if a := s.Do(s.Request("GET", at+"/jwks"+slash, "")); a.JSON["keys"] == nil {
				t.Errorf("%s/jwks%s: %d %s", at, slash, a.Status, a.Body)
			}
			s.Do(s.Request("GET", at+slash, "")).Want(t, 405, "invalid_request")
			if a := s.Do(s.Request("OPTIONS", at+slash, "")); string(a.Body) != "the app" {
				t.Errorf("OPTIONS %s%s: %d %s", at, slash, a.Status, a.Body)
			}
		}
		for _, other := range []string{"/x", "/x/", "/jwks/x", "/revoke/token", "/introspect/introspect/"} {
			s.Post(at+other, harness.LoginForm()).Want(t, 404, "invalid_request")
		}
	}
	for path, ours := range map[string]bool{
		harness.WellKnown + "/tenant": true, harness.WellKnown + "/tenant/": true, harness.WellKnown + "/tenant//": true,
		harness.WellKnown + "/tenant/x": false, harness.WellKnown + "/": false, harness.WellKnown: false, "/tenant/": false,
	} {
		if a := s.Do(s.Request("GET", path, "")); (a.JSON["issuer"] == "https://api.example.com/tenant") != ours {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
	}
}
