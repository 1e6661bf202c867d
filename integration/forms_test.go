package integration

import (
	"strconv"
	"strings"
	"testing"
)

// A body in a coding would have to be decoded before it can be read. What is no coding is
// not refused for its header.
func TestContentEncodings(t *testing.T) {
	s := startCheap(t, basicSite)
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
		{"A3: one that nobody knows", []string{"x-mine"}, 415},
		{"A3: another charset", []string{"utf-16"}, 415},
		{"A3: a list", []string{"gzip, br"}, 415},
		{"A3: a list that begins with none", []string{"identity,gzip"}, 415},
		{"A3: a list that ends with none", []string{"gzip, identity"}, 415},
		{"A3: in a second header", []string{"identity", "gzip"}, 415},
	} {
		for _, path := range []string{"/token", "/token/revoke", "/token/introspect"} {
			t.Run(test.name+" at "+path, func(t *testing.T) {
				r := s.request("POST", path, loginForm("token", "x"))
				if test.values != nil {
					r.Header["Content-Encoding"] = test.values
				}
				a := s.do(r)
				if test.status == 200 {
					a.want(t, 200, "")
					return
				}
				a.want(t, 415, "invalid_request")
				wellFormedError(t, a)
				if reason := s.reason(); reason != "content_encoding" || a.header.Get("Accept-Encoding") != supported {
					t.Errorf("refused for %q, with Accept-Encoding %q", reason, a.header["Accept-Encoding"])
				}
			})
		}
	}
	t.Run("A3: the type of the body comes first", func(t *testing.T) {
		s.post("/token", "{}", "Content-Type: application/json", "Content-Encoding: gzip").want(t, 400, "invalid_request")
	})
}

// What costs something for each parameter is bounded, whatever they are: nothing is looked
// at before.
func TestTheNumberOfParametersIsBounded(t *testing.T) {
	s := startCheap(t, basicSite)
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
		{"A12: a hundred", loginForm() + many(100-own, "p#=x"), ""},
		{"A12: one more", loginForm() + many(101-own, "p#=x"), "too_many_parameters"},
		{"A12: a hundred with empty ones", loginForm() + many(100-own, "p#="), ""},
		{"A12: one more, all of them empty", loginForm() + many(101-own, "p#="), "too_many_parameters"},
		{"A12: separators alone", loginForm() + strings.Repeat("&", 101-own), "too_many_parameters"},
		{"A12: one name over and over", loginForm() + strings.Repeat("&a=", 14000), "too_many_parameters"},
		{"A12: resource over and over", loginForm() + many(101-own, "resource=x"), "too_many_parameters"},
		{"A12: a hundred with resource", loginForm() + many(100-own, "resource=x"), ""},
		{"A12: with bad escapes in them", loginForm() + many(101-own, "p#=%zz"), "too_many_parameters"},
		{"A12: few with long names", loginForm() + "&" + strings.Repeat("n", 30000) + "=1&" + strings.Repeat("m", 30000) + "=1", ""},
		{"A12: separators that are encoded are none", loginForm("x", strings.Repeat("&", 1000)), ""},
	} {
		for _, path := range []string{"/token", "/token/revoke", "/token/introspect"} {
			t.Run(test.name+" at "+path, func(t *testing.T) {
				form := test.form
				if path != "/token" {
					form = strings.Replace(form, "username=alice", "token=x", 1)
				}
				a := s.post(path, form)
				if test.reason == "" {
					a.want(t, 200, "")
					return
				}
				a.want(t, 400, "invalid_request")
				wellFormedError(t, a)
				if reason := s.reason(); reason != test.reason {
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
			a := s.do(s.request(test.method, "/token?"+test.query, loginForm()))
			if test.reason == "" {
				a.want(t, 200, "")
			} else if reason := s.reason(); a.status < 400 || reason != test.reason {
				t.Errorf("got %d, refused for %q", a.status, reason)
			}
		})
	}
}

// A slash behind an endpoint's path is a slip that changes nothing, in all the spellings
// that Caddy takes for that path. One more part is another path.
func TestASlashBehindAnEndpoint(t *testing.T) {
	s := startCheap(t, `http://127.0.0.1:%PORT% {
	token_endpoint {
		issuer https://api.example.com/tenant
		client web {
			secret web-secret
		}
		user alice `+hashBcrypt+`
	}
	token_endpoint /deep/er {
		name deeper
		client web {
			secret web-secret
		}
		user alice `+hashBcrypt+`
	}
	respond "the app"
}
`)
	for _, at := range []string{"/token", "/deep/er"} {
		for _, slash := range []string{"", "/", "//", "/./", "/x/../"} {
			login := s.post(at+slash, loginForm())
			login.want(t, 200, "")
			token := "token=" + login.text(t, "access_token")
			if a := s.post(at+"/introspect"+slash, token, basic("web", "web-secret")); a.json["active"] != true {
				t.Errorf("%s/introspect%s: %d %s", at, slash, a.status, a.body)
			}
			if a := s.post(at+"/revoke"+slash, token, basic("web", "web-secret")); a.status != 200 || string(a.body) != "{}\n" {
				t.Errorf("%s/revoke%s: %d %s", at, slash, a.status, a.body)
			}
			if a := s.do(s.request("GET", at+"/jwks"+slash, "")); a.json["keys"] == nil {
				t.Errorf("%s/jwks%s: %d %s", at, slash, a.status, a.body)
			}
			s.do(s.request("GET", at+slash, "")).want(t, 405, "invalid_request")
			if a := s.do(s.request("OPTIONS", at+slash, "")); string(a.body) != "the app" {
				t.Errorf("OPTIONS %s%s: %d %s", at, slash, a.status, a.body)
			}
		}
		for _, other := range []string{"/x", "/x/", "/jwks/x", "/revoke/token", "/introspect/introspect/"} {
			s.post(at+other, loginForm()).want(t, 404, "invalid_request")
		}
	}
	for path, ours := range map[string]bool{
		wellKnown + "/tenant": true, wellKnown + "/tenant/": true, wellKnown + "/tenant//": true,
		wellKnown + "/tenant/x": false, wellKnown + "/": false, wellKnown: false, "/tenant/": false,
	} {
		if a := s.do(s.request("GET", path, "")); (a.json["issuer"] == "https://api.example.com/tenant") != ours {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}
