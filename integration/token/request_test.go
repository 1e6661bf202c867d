// Package token tests the token endpoint on the wire: what it reads, what it refuses,
// and the tokens and errors that it answers with.
package token

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Section A of the conformance list: the token request.

func TestTokenRequestMethods(t *testing.T) {
	s := harness.StartCheap(t, harness.BasicSite)

	for _, method := range []string{"GET", "PUT", "HEAD", "DELETE", "PATCH", "TRACE", "post"} {
		t.Run("A1: "+method+" is answered 405, names POST and gives no token", func(t *testing.T) {
			a := s.Do(s.Request(method, "/token?"+harness.LoginForm("username", "", "password", "", "client_secret", ""), harness.LoginForm()))
			if a.Status != http.StatusMethodNotAllowed || a.Header.Get("Allow") != "POST" {
				t.Fatalf("got %d, Allow %q", a.Status, a.Header.Get("Allow"))
			}
			if method != "HEAD" {
				a.Want(t, 405, "invalid_request")
			}
		})
	}
	t.Run("A1: OPTIONS goes to the next handler", func(t *testing.T) {
		a := s.Do(s.Request("OPTIONS", "/token", ""))
		if a.Status != 200 || string(a.Body) != "the app" {
			t.Fatalf("got %d %s", a.Status, a.Body)
		}
	})
	t.Run("the keys are there for GET and HEAD only", func(t *testing.T) {
		for method, status := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405, "DELETE": 405} {
			a := s.Do(s.Request(method, "/token/jwks", ""))
			if a.Status != status || (status == 405 && a.Header.Get("Allow") != "GET, HEAD") {
				t.Errorf("%s: got %d, Allow %q", method, a.Status, a.Header.Get("Allow"))
			}
		}
	})
}

// Every body here is sent as it stands.
func TestTokenRequestForms(t *testing.T) {
	s := harness.StartCheap(t, harness.BasicSite)
	const client = "&client_id=web&client_secret=web-secret"
	const login = "grant_type=password&username=alice&password=correct+horse" + client

	tests := []struct {
		name   string
		body   string
		status int
		code   string
	}{
		{"a correct login gets a token", login, 200, ""},
		{"A2: + means space", "grant_type=password&username=alice&password=correct+horse" + client, 200, ""},
		{"A2: %20 means space", "grant_type=password&username=alice&password=correct%20horse" + client, 200, ""},
		{"A2: %2B is a plus and no space", "grant_type=password&username=alice&password=correct%2Bhorse" + client, 400, "invalid_grant"},
		{"A2: names may be encoded as well", "%67rant%5Ftype=%70assword&username=alice&password=correct+horse" + client, 200, ""},
		{"A2: unencoded UTF-8 is taken as it is", login + "&note=naïve", 200, ""},
		{"A4: an empty username is a missing one", "grant_type=password&username=&password=correct+horse" + client, 400, "invalid_request"},
		{"A4: an empty grant_type is a missing one", "grant_type=&username=alice&password=correct+horse" + client, 400, "invalid_request"},
		{"A4: an empty scope is as good as none", login + "&scope=", 200, ""},
		{"A4: a name without = is empty", login + "&scope", 200, ""},
		{"A5: an unknown parameter is ignored", login + "&device=phone&x-y.z=1", 200, ""},
		{"A5: an unknown parameter without a name is ignored", login + "&=1", 200, ""},
		{"A6: grant_type twice", login + "&grant_type=password", 400, "invalid_request"},
		{"A6: username twice", login + "&username=bob", 400, "invalid_request"},
		{"A6: password twice, equal", login + "&password=correct+horse", 400, "invalid_request"},
		{"A6: client_id twice", login + "&client_id=web", 400, "invalid_request"},
		{"A6: client_secret twice, once empty", login + "&client_secret=", 400, "invalid_request"},
		{"A6: scope twice", login + "&scope=read&scope=write", 400, "invalid_request"},
		{"A6: an unknown parameter twice", login + "&x=1&x=1", 400, "invalid_request"},
		{"A6: an unknown parameter twice, both empty", login + "&x=&x", 400, "invalid_request"},
		{"A6: resource twice", login + "&resource=https%3A%2F%2Fa.example&resource=https%3A%2F%2Fb.example", 200, ""},
		{"A6: resource twice, once empty", login + "&resource=&resource=https%3A%2F%2Fb.example", 200, ""},
		{"A6: resource under two spellings", login + "&%72esource=a&resource=a", 200, ""},
		{"A6: Resource is another parameter", login + "&Resource=a&Resource=b", 400, "invalid_request"},
		{"A6: audience twice", login + "&audience=a&audience=b", 400, "invalid_request"},
		{"A6: the second resource is no text", login + "&resource=a&resource=%ff", 400, "invalid_request"},
		{"A6: twice under two spellings", login + "&%73cope=read&scope=read", 400, "invalid_request"},
		{"names that differ in case are different parameters", login + "&Username=bob", 200, ""},
		{"A9: no grant_type", "username=alice&password=correct+horse" + client, 400, "invalid_request"},
		{"A9: no body at all", "", 400, "invalid_request"},
		{"A9: nothing but separators", "&&&", 400, "invalid_request"},
		{"A10: client_credentials", "grant_type=client_credentials" + client, 400, "unsupported_grant_type"},
		{"A10: authorization_code", "grant_type=authorization_code&code=x" + client, 400, "unsupported_grant_type"},
		{"G1: refresh_token without one", "grant_type=refresh_token" + client, 400, "invalid_request"},
		{"G1: refresh_token with an empty one", "grant_type=refresh_token&refresh_token=" + client, 400, "invalid_request"},
		{"G2: refresh_token with garbage", "grant_type=refresh_token&refresh_token=x" + client, 400, "invalid_grant"},
		{"A10: Refresh_token is not refresh_token", "grant_type=Refresh_token&refresh_token=x" + client, 400, "unsupported_grant_type"},
		{"A10: Password is not password", "grant_type=Password&username=alice&password=correct+horse" + client, 400, "unsupported_grant_type"},
		{"A10: a space behind it makes it another one", "grant_type=password+&username=alice&password=correct+horse" + client, 400, "unsupported_grant_type"},
		{"A11: a malformed escape in a value", login + "&x=%zz", 400, "invalid_request"},
		{"A11: a malformed escape in a name", login + "&%=x", 400, "invalid_request"},
		{"A11: an escape that is cut off", login + "&x=%4", 400, "invalid_request"},
		{"A11: invalid UTF-8 in a value", login + "&x=%ff", 400, "invalid_request"},
		{"A11: invalid UTF-8 in a name", login + "&%c3%28=x", 400, "invalid_request"},
		{"A11: invalid UTF-8, not escaped", login + "&x=\xff\xfe", 400, "invalid_request"},
		{"A11: a surrogate in UTF-8", login + "&x=%ed%a0%80", 400, "invalid_request"},
		{"A11: a password that is cut inside a character", "grant_type=password&username=alice&password=na%c3" + client, 400, "invalid_request"},
		{"NUL in a value", login + "&x=a%00b", 400, "invalid_request"},
		{"NUL in a name", login + "&a%00b=x", 400, "invalid_request"},
		{"NUL behind the right password", "grant_type=password&username=alice&password=correct+horse%00" + client, 400, "invalid_request"},
		{"NUL, not escaped", login + "&x=\x00", 400, "invalid_request"},
		{"a semicolon as separator", strings.ReplaceAll(login, "&", ";"), 400, "invalid_request"},
		{"a semicolon in a value, not escaped", login + "&x=a;b", 400, "invalid_request"},
		{"a semicolon in a value, escaped", login + "&x=a%3Bb", 200, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := s.Do(s.Request("POST", "/token", test.body, harness.FormType))
			a.Want(t, test.status, test.code)
		})
	}
}

func TestTokenRequestContentTypes(t *testing.T) {
	s := harness.StartCheap(t, harness.BasicSite)
	const asJSON = `{"grant_type":"password","username":"alice","password":"correct horse","client_id":"web","client_secret":"web-secret"}`
	multipart := "--b\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\npassword\r\n--b--\r\n"

	tests := []struct {
		name        string
		contentType []string
		body        string
		status      int
	}{
		{"A3: a form", []string{"application/x-www-form-urlencoded"}, harness.LoginForm(), 200},
		{"A3: a form in UTF-8", []string{"application/x-www-form-urlencoded; charset=UTF-8"}, harness.LoginForm(), 200},
		{"A3: a form in utf-8, quoted, in odd case", []string{`Application/X-WWW-Form-Urlencoded;charset="utf-8"`}, harness.LoginForm(), 200},
		{"A3: a form that is called Latin-1, as Apache HttpClient does", []string{"application/x-www-form-urlencoded; charset=ISO-8859-1"}, harness.LoginForm(), 200},
		{"A3: a form that is called ASCII", []string{"application/x-www-form-urlencoded; charset=us-ascii"}, harness.LoginForm(), 200},
		{"A3: a form in utf8", []string{"application/x-www-form-urlencoded; charset=utf8"}, harness.LoginForm(), 200},
		{"A3: a form in a charset that does not exist", []string{"application/x-www-form-urlencoded;charset=x-nonsense"}, harness.LoginForm(), 200},
		{"A3: an empty charset", []string{"application/x-www-form-urlencoded; charset="}, harness.LoginForm(), 200},
		{"A3: an empty charset, quoted", []string{`application/x-www-form-urlencoded; charset=""`}, harness.LoginForm(), 200},
		{"A3: a charset without a value", []string{"application/x-www-form-urlencoded; charset"}, harness.LoginForm(), 200},
		{"A3: two charsets", []string{"application/x-www-form-urlencoded; charset=utf-8; charset=utf-16"}, harness.LoginForm(), 200},
		{"A3: a quote that does not end", []string{`application/x-www-form-urlencoded; charset="utf-8`}, harness.LoginForm(), 200},
		{"A3: a semicolon and nothing behind", []string{"application/x-www-form-urlencoded;"}, harness.LoginForm(), 200},
		{"A3: a boundary", []string{"application/x-www-form-urlencoded; boundary=b"}, harness.LoginForm(), 200},
		{"A3: blanks around", []string{" \tapplication/x-www-form-urlencoded \t; charset=UTF-8"}, harness.LoginForm(), 200},
		{"A3: called Latin-1, in bytes of Latin-1", []string{"application/x-www-form-urlencoded; charset=ISO-8859-1"}, harness.LoginForm() + "&x=na%efve", 400},
		{"A3: called Latin-1, in UTF-8", []string{"application/x-www-form-urlencoded; charset=ISO-8859-1"}, harness.LoginForm() + "&x=na%c3%afve", 200},
		{"A3: a form for its parameter only", []string{"text/plain; charset=application/x-www-form-urlencoded"}, harness.LoginForm(), 400},
		{"A3: parameters alone", []string{"; charset=UTF-8"}, harness.LoginForm(), 400},
		{"A3: half of the type", []string{"application; x-www-form-urlencoded"}, harness.LoginForm(), 400},
		{"A3: two Content-Types, both forms", []string{"application/x-www-form-urlencoded", "application/x-www-form-urlencoded"}, harness.LoginForm(), 400},
		{"A3: JSON", []string{"application/json"}, asJSON, 400},
		{"A3: JSON that is called a form", []string{"application/x-www-form-urlencoded"}, asJSON, 400},
		{"A3: multipart", []string{"multipart/form-data; boundary=b"}, multipart, 400},
		{"A3: text", []string{"text/plain"}, harness.LoginForm(), 400},
		{"A3: no Content-Type", []string{}, harness.LoginForm(), 400},
		{"A3: an empty Content-Type", []string{""}, harness.LoginForm(), 400},
		{"A3: two Content-Types", []string{"application/x-www-form-urlencoded", "application/json"}, harness.LoginForm(), 400},
		{"A3: two Content-Types in one header", []string{"application/x-www-form-urlencoded, application/json"}, harness.LoginForm(), 400},
		{"A3: a type that only begins like a form", []string{"application/x-www-form-urlencoded-not"}, harness.LoginForm(), 400},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := s.Request("POST", "/token", test.body)
			r.Header["Content-Type"] = test.contentType
			code := ""
			if test.status != 200 {
				code = "invalid_request"
			}
			s.Do(r).Want(t, test.status, code)
		})
	}
}

func TestTokenRequestQueries(t *testing.T) {
	s := harness.StartCheap(t, harness.BasicSite)

	tests := []struct {
		name   string
		query  string
		form   string
		status int
		code   string
	}{
		{"A7: the client's credentials in the query are not looked at", "client_id=web&client_secret=web-secret", harness.UserForm(), 400, "invalid_request"},
		{"A7: client_id in the query is no client_id", "client_id=cli", harness.UserForm(), 401, "invalid_client"},
		{"A8: client_secret", "client_secret=web-secret", harness.LoginForm("client_secret", ""), 400, "invalid_request"},
		{"A8: username", "username=alice", harness.LoginForm("username", ""), 400, "invalid_request"},
		{"A8: password", "password=correct+horse", harness.LoginForm("password", ""), 400, "invalid_request"},
		{"A8: refresh_token", "refresh_token=x", harness.LoginForm(), 400, "invalid_request"},
		{"A8: access_token", "access_token=x", harness.LoginForm(), 400, "invalid_request"},
		{"A8: token", "token=x", harness.LoginForm(), 400, "invalid_request"},
		{"A8: an empty password", "password=", harness.LoginForm(), 400, "invalid_request"},
		{"A8: a password under another spelling", "%70assword=x", harness.LoginForm(), 400, "invalid_request"},
		{"A8: a password behind others", "a=1&b=2&password=x", harness.LoginForm(), 400, "invalid_request"},
		{"A8: grant_type in the query is not read", "grant_type=password", harness.LoginForm("grant_type", ""), 400, "invalid_request"},
		{"A8: scope in the query is not read", "scope=nonsense", harness.LoginForm(), 200, ""},
		{"A8: grant_type in the query does not disturb that of the body", "grant_type=refresh_token", harness.LoginForm(), 200, ""},
		{"A14: an endpoint with a query is the endpoint", "tenant=a&x", harness.LoginForm(), 200, ""},
		{"A14: an empty query", "", harness.LoginForm(), 200, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s.Post("/token?"+test.query, test.form).Want(t, test.status, test.code)
		})
	}
	t.Run("A8: the mistake is named", func(t *testing.T) {
		a := s.Post("/token?password=x", harness.LoginForm())
		if description := a.Text(t, "error_description"); !strings.Contains(description, "query") {
			t.Errorf("it says %q", description)
		}
	})
	t.Run("A14: a fragment that a client did not cut off is another path", func(t *testing.T) {
		a := s.Exchange(s.RawPost("/token#here", harness.LoginForm()))
		if a.Status == 200 && a.JSON != nil {
			t.Errorf("got %s", a.Body)
		}
	})
}

func TestTokenRequestSizes(t *testing.T) {
	s := harness.StartCheap(t, harness.BasicSite)
	const limit = 64 << 10
	fill := func(size int) string {
		form := harness.LoginForm() + "&x="
		return form + strings.Repeat("x", size-len(form))
	}

	t.Run("A12: a body of 64 KiB is accepted", func(t *testing.T) {
		s.Post("/token", fill(limit)).Want(t, 200, "")
	})
	t.Run("A12: one byte more is too large", func(t *testing.T) {
		s.Post("/token", fill(limit+1)).Want(t, 413, "invalid_request")
	})
	t.Run("A12: ten megabytes are too large", func(t *testing.T) {
		// the server may answer and close while the client still sends
		response, err := s.Client.Do(s.Request("POST", "/token", fill(10<<20)))
		if err != nil {
			t.Logf("the connection was closed early: %v", err)
		} else if response.Body.Close(); response.StatusCode != 413 {
			t.Errorf("got %d", response.StatusCode)
		}
		if reason := s.Reason(); reason != "body_too_large" {
			t.Errorf("refused for %q", reason)
		}
		s.Login("alice", "correct horse").Want(t, 200, "")
	})
}

func TestABodyLimitOfTheSiteThatIsLowerCounts(t *testing.T) {
	s := harness.StartCheap(t, strings.Replace(harness.BasicSite, "token_endpoint", "request_body {\n max_size 1KB\n}\ntoken_endpoint", 1))
	t.Run("A12: a body within the site's limit is accepted", func(t *testing.T) {
		s.Login("alice", "correct horse").Want(t, 200, "")
	})
	t.Run("A12: a body beyond it is too large; unlike its length, its chunks get past Caddy to the endpoint", func(t *testing.T) {
		chunks := "7d0\r\n" + strings.Repeat("x", 2000) + "\r\n0\r\n\r\n"
		s.Exchange(s.RawRequest("POST", "/token", chunks, harness.FormType, "Transfer-Encoding: chunked")).Want(t, 413, "invalid_request")
	})
}

// A13 in depth is in transport_test.go.
func TestTokenRequestTransport(t *testing.T) {
	s := harness.StartCheap(t, harness.BasicSite)
	t.Run("A13: loopback is secure", func(t *testing.T) {
		s.Login("alice", "correct horse").Want(t, 200, "")
	})
	t.Run("A13: a proxy on this machine that was asked by HTTP is not", func(t *testing.T) {
		s.Post("/token", harness.LoginForm(), "X-Forwarded-Proto: http").Want(t, 400, "invalid_request")
		if reason := s.Reason(); reason != "not_secure" {
			t.Errorf("refused for %q", reason)
		}
	})
}
