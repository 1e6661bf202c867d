package integration

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
)

// What no honest client sends gets an answer all the same: never 500, never a token by
// mistake, and the endpoint serves the next one.

func TestAbusiveRequests(t *testing.T) {
	s := startCheap(t, basicSite)
	form := loginForm()
	chunked := func(chunks ...string) string {
		var b strings.Builder
		for _, chunk := range chunks {
			fmt.Fprintf(&b, "%x\r\n%s\r\n", len(chunk), chunk)
		}
		return s.rawRequest("POST", "/token", b.String()+"0\r\n\r\n", formType, "Transfer-Encoding: chunked")
	}
	var zipped bytes.Buffer
	writer := gzip.NewWriter(&zipped)
	_, _ = writer.Write([]byte(form))
	writer.Close()
	many := func(count int) string {
		const letters = "abcdefghijklmnopqrstuvwxyz"
		var b strings.Builder
		for i := range count { // three letters each, or they would not fit into 64 KiB
			fmt.Fprintf(&b, "&%c%c%c", letters[i/26/26%26], letters[i/26%26], letters[i%26])
		}
		return b.String()
	}

	tests := []struct {
		name   string
		raw    string
		status int
		code   string
	}{
		{"a chunked body", chunked(form[:10], form[10:]), 200, ""},
		{"a body in chunks of one byte", chunked(strings.Split(form, "")...), 200, ""},
		{"A12: a chunked body over 64 KiB", chunked(form+"&x=", strings.Repeat("x", 65<<10)), 413, "invalid_request"},
		{"A12: chunks that are over 64 KiB together", chunked(append([]string{form}, strings.SplitAfter(strings.Repeat("&xxxxxxx", 9000), "x&")...)...), 413, "invalid_request"},
		{"a chunk whose length is no number", s.rawRequest("POST", "/token", "zz\r\n", formType, "Transfer-Encoding: chunked"), 400, "invalid_request"},
		{"9,000 parameters", s.rawPost("/token", form+many(9000)), 400, "invalid_request"},
		{"16,000 parameters, which are more than Go takes", s.rawPost("/token", form+many(16000)), 400, "invalid_request"},
		{"60,000 separators, which Go counts as parameters", s.rawPost("/token", form+strings.Repeat("&", 60000)), 400, "invalid_request"},
		{"one parameter 10,000 times", s.rawPost("/token", form+strings.Repeat("&x=1", 10000)), 400, "invalid_request"},
		{"a name of 60,000 letters", s.rawPost("/token", form+"&"+strings.Repeat("n", 60000)+"=1"), 200, ""},
		{"a password of 60,000 letters", s.rawPost("/token", loginForm("password", strings.Repeat("p", 60000))), 400, "invalid_grant"},
		{"a username of 60,000 letters", s.rawPost("/token", loginForm("username", strings.Repeat("u", 60000))), 400, "invalid_grant"},
		{"a scope of 60,000 letters", s.rawPost("/token", loginForm("scope", strings.Repeat("s", 60000))), 400, "invalid_scope"},
		{"30,000 scopes", s.rawPost("/token", loginForm("scope", strings.TrimSpace(strings.Repeat("s ", 30000)))), 400, "invalid_scope"},
		{"a Basic header of 12 KB", s.rawPost("/token", userForm(), basic("web", strings.Repeat("s", 9000))), 401, "invalid_client"},
		{"a Basic header of 12 KB of spaces", s.rawPost("/token", userForm(), "Authorization: Basic "+strings.Repeat(" ", 12000)+"x"), 401, "invalid_client"},
		{"Basic inside of Basic", s.rawPost("/token", userForm(), "Authorization: Basic "+basic("web", "web-secret")), 401, "invalid_client"},
		{"Basic encoded a thousand times over", s.rawPost("/token", userForm(), basic(strings.Repeat("%25", 1000), "x")), 401, "invalid_client"},
		{"a hundred Authorization headers", s.rawPost("/token", userForm(), strings.Split(strings.Repeat(basic("web", "web-secret")+"\n", 99)+basic("web", "web-secret"), "\n")...), 400, "invalid_request"},
		{"a zipped body", s.rawPost("/token", zipped.String(), "Content-Encoding: gzip"), 415, "invalid_request"},
		{"an absolute URI of another host", s.rawPost("http://127.0.0.1/token", form), 200, ""},
		{"HTTP/1.0", strings.Replace(s.rawPost("/token", form), "HTTP/1.1", "HTTP/1.0", 1), 200, ""},
		{"HTTP/1.0 without a length, which means no body", strings.Replace(s.rawRequest("POST", "/token", form, formType), "HTTP/1.1", "HTTP/1.0", 1), 400, "invalid_request"},
		{"a trailer that is named like a parameter", s.rawRequest("POST", "/token", "0\r\ngrant_type: password\r\n\r\n", formType, "Transfer-Encoding: chunked", "Trailer: grant_type"), 400, "invalid_request"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := dialTo(t, "tcp", s.address())
			w.send(test.raw)
			a := w.receive()
			a.want(t, test.status, test.code)
			if test.status != 200 {
				wellFormedError(t, a)
			}
		})
	}
	t.Run("a Basic header of 60 KB is beyond what Caddy reads of headers", func(t *testing.T) {
		a := s.exchange(s.rawPost("/token", userForm(), basic("web", strings.Repeat("s", 45000))))
		a.want(t, 431, "")
	})
	t.Run("and the next one is served", func(t *testing.T) {
		s.login("alice", "correct horse").want(t, 200, "")
	})
}

func TestExpectContinue(t *testing.T) {
	s := startCheap(t, basicSite)
	w := s.dial()
	form := loginForm()
	w.send(s.rawRequest("POST", "/token", "", formType, fmt.Sprintf("Content-Length: %d", len(form)), "Expect: 100-continue"))
	if a := w.receive(); a.status != 100 {
		t.Fatalf("got %d, want 100", a.status)
	}
	w.send(form)
	w.receive().want(t, 200, "")
}

func TestBodiesThatEndEarly(t *testing.T) {
	s := startCheap(t, basicSite)
	form := loginForm()
	for name, raw := range map[string]string{
		"a length larger than what is sent": s.rawRequest("POST", "/token", form, formType, fmt.Sprintf("Content-Length: %d", len(form)+100)),
		"chunks without the last one":       s.rawRequest("POST", "/token", fmt.Sprintf("%x\r\n%s\r\n", len(form), form), formType, "Transfer-Encoding: chunked"),
		"half a chunk":                      s.rawRequest("POST", "/token", "ffff\r\n"+form, formType, "Transfer-Encoding: chunked"),
	} {
		t.Run(name, func(t *testing.T) {
			w := dialTo(t, "tcp", s.address())
			w.send(raw)
			// the client says that it is done, and still listens
			if err := w.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			w.receive().want(t, 400, "invalid_request")
			if reason := s.reason(); reason != "body_incomplete" {
				t.Errorf("refused for %q", reason)
			}
		})
	}
}

// The one slow test of these: the bound is ten seconds.
func TestABodyThatStopsIsEndedInBoundedTime(t *testing.T) {
	s := startCheap(t, basicSite)
	for name, raw := range map[string]string{
		"A12: one byte, then silence":  s.rawRequest("POST", "/token", "g", formType, "Content-Length: 100"),
		"A12: one chunk, then silence": s.rawRequest("POST", "/token", "1\r\ng\r\n", formType, "Transfer-Encoding: chunked"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := dialTo(t, "tcp", s.address())
			w.send(raw)
			a := w.receive()
			a.want(t, 400, "invalid_request")
			wellFormedError(t, a)
		})
	}
}

// A login that took its time to be typed must not end the connection's next request: the
// bound is of one body.
func TestAConnectionServesManyRequests(t *testing.T) {
	s := startCheap(t, basicSite)
	w := s.dial()
	for range 3 {
		w.send(s.rawPost("/token", loginForm()))
		w.receive().want(t, 200, "")
		w.send(s.rawPost("/token", loginForm("client_secret", "wrong")))
		w.receive().want(t, 400, "invalid_client")
		w.send(s.rawRequest("GET", "/token/jwks", ""))
		w.receive().want(t, 200, "")
	}
}

// Paths are matched as Caddy's path matcher does, and what is below the endpoint's path
// never reaches the app.
func TestPathVariants(t *testing.T) {
	s := startCheap(t, basicSite)
	const endpoint, nothing, app = "endpoint", "nothing", "app"
	const below = "an endpoint that wants a token"
	for target, where := range map[string]string{
		"/token": endpoint, "/TOKEN": endpoint, "/Token": endpoint, "//token": endpoint, "/./token": endpoint,
		"/x/../token": endpoint, "/token/../token": endpoint, "/../token": endpoint, "/%2Ftoken": endpoint,
		"/%74oken": endpoint, "/t%6Fken": endpoint, "/token/jwks/..": endpoint, "/token?": endpoint,

		"/token/": endpoint, "/token//": endpoint, "/token/.": endpoint, "/token%2F": endpoint, "/TOKEN/./": endpoint, "/token/%00/": nothing, "/token/x": nothing, "/token/x/../y": nothing,
		"/token%2Fx": nothing, "/token/jwks/x": nothing, "/token/jwks/x/": nothing, "/TOKEN/X": nothing,
		"/token/token": nothing, "/token/%00": nothing, "/token/revoke//": below, "/token/revoke/": below, "/token/introspect%2F": below, "/token/introspect/x": nothing,
		"/token/revoked": nothing, "/token/introspect.json": nothing, "/token/revoke/token": nothing, "/token/revoke%00": nothing,

		"/token/revoke": below, "/TOKEN/Revoke": below, "//token//revoke": below, "/token%2Frevoke": below, "/token/revoke?x": below,
		"/token/introspect": below, "/token/INTROSPECT": below, "/token/x/../introspect": below, "/token/%69ntrospect": below,

		"/revoke": app, "/introspect": app, "/x/token/revoke": app, "/token;x/revoke": app,

		"/tokenx": app, "/token.": app, "/token%20": app, "/token%00": app, "/token;x": app, "/token;x/": app, "/token./": app, "/tokenx/": app, "/tokens": app, "/token-": app,
		"/xtoken": app, "/x/token": app, "/token/..": app, "/token/../x": app, "/": app, "/token%3Fx": app, "/token%252F": app,
		"/token\\x": app,
	} {
		t.Run(target, func(t *testing.T) {
			w := dialTo(t, "tcp", s.address())
			w.send(s.rawPost(target, loginForm()))
			a := w.receive()
			got := fmt.Sprintf("%d %s", a.status, a.body)
			switch {
			case a.json["access_token"] != nil:
				got = endpoint
			case a.status == 404 && a.json["error"] == "invalid_request":
				got = nothing
			case a.status == 400 && a.json["error_description"] == "the parameter token is missing":
				got = below
			case string(a.body) == "the app":
				got = app
			}
			if got != where {
				t.Errorf("%s goes to %s, want %s", target, got, where)
			}
		})
	}
	t.Run("the keys under odd spellings", func(t *testing.T) {
		for _, target := range []string{"/token/jwks", "/TOKEN/JWKS", "/token//jwks", "//token/jwks", "/token%2Fjwks", "/token/jwks/", "/token/jwks//", "/token/x/../jwks", "/token/%6Awks"} {
			if a := s.exchange(s.rawRequest("GET", target, "")); a.status != 200 || a.json["keys"] == nil {
				t.Errorf("%s: %d %s", target, a.status, a.body)
			}
		}
	})
}

func TestAnEndpointOnAnotherPath(t *testing.T) {
	s := startCheap(t, strings.Replace(basicSite, "token_endpoint {", "token_endpoint /Auth/OAuth2/Token {", 1))
	s.post("/auth/oauth2/token", loginForm()).want(t, 200, "")
	s.post("/AUTH/oauth2/token", loginForm()).want(t, 200, "")
	s.do(s.request("GET", "/auth/oauth2/token/jwks", "")).want(t, 200, "")
	s.post("/auth/oauth2/token/revoke", loginForm()+"&token=x").want(t, 200, "")
	s.post("/Auth/OAuth2/token/introspect", loginForm()+"&token=x").want(t, 200, "")
	s.post("/auth/oauth2/token/x", loginForm()).want(t, 404, "invalid_request")
	for _, path := range []string{"/token", "/token/jwks", "/token/revoke", "/token/introspect", "/auth", "/auth/oauth2", "/auth/oauth2/"} {
		if a := s.post(path, loginForm()); string(a.body) != "the app" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}
