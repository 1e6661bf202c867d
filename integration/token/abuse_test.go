package token

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/wire"
)

// What no honest client sends still gets an answer: never 500, never a token by
// mistake, and the endpoint serves the next one.

func TestAbusiveRequests(t *testing.T) {
	s := harness.StartCheap(t, harness.BasicSite)
	form := harness.LoginForm()
	chunked := func(chunks ...string) string {
		var b strings.Builder
		for _, chunk := range chunks {
			fmt.Fprintf(&b, "%x\r\n%s\r\n", len(chunk), chunk)
		}
		return s.RawRequest("POST", "/token", b.String()+"0\r\n\r\n", harness.FormType, "Transfer-Encoding: chunked")
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
		{"a chunk whose length is no number", s.RawRequest("POST", "/token", "zz\r\n", harness.FormType, "Transfer-Encoding: chunked"), 400, "invalid_request"},
		{"9,000 parameters", s.RawPost("/token", form+many(9000)), 400, "invalid_request"},
		{"16,000 parameters, which are more than Go takes", s.RawPost("/token", form+many(16000)), 400, "invalid_request"},
		{"60,000 separators, which Go counts as parameters", s.RawPost("/token", form+strings.Repeat("&", 60000)), 400, "invalid_request"},
		{"one parameter 10,000 times", s.RawPost("/token", form+strings.Repeat("&x=1", 10000)), 400, "invalid_request"},
		{"a name of 60,000 letters", s.RawPost("/token", form+"&"+strings.Repeat("n", 60000)+"=1"), 200, ""},
		{"a password of 60,000 letters", s.RawPost("/token", harness.LoginForm("password", strings.Repeat("p", 60000))), 400, "invalid_grant"},
		{"a username of 60,000 letters", s.RawPost("/token", harness.LoginForm("username", strings.Repeat("u", 60000))), 400, "invalid_grant"},
		{"a scope of 60,000 letters", s.RawPost("/token", harness.LoginForm("scope", strings.Repeat("s", 60000))), 400, "invalid_scope"},
		{"30,000 scopes", s.RawPost("/token", harness.LoginForm("scope", strings.TrimSpace(strings.Repeat("s ", 30000)))), 400, "invalid_scope"},
		{"a Basic header of 12 KB", s.RawPost("/token", harness.UserForm(), harness.Basic("web", strings.Repeat("s", 9000))), 401, "invalid_client"},
		{"a Basic header of 12 KB of spaces", s.RawPost("/token", harness.UserForm(), "Authorization: Basic "+strings.Repeat(" ", 12000)+"x"), 401, "invalid_client"},
		{"Basic inside of Basic", s.RawPost("/token", harness.UserForm(), "Authorization: Basic "+harness.Basic("web", "web-secret")), 401, "invalid_client"},
		{"Basic encoded a thousand times over", s.RawPost("/token", harness.UserForm(), harness.Basic(strings.Repeat("%25", 1000), "x")), 401, "invalid_client"},
		{"a hundred Authorization headers", s.RawPost("/token", harness.UserForm(), strings.Split(strings.Repeat(harness.Basic("web", "web-secret")+"\n", 99)+harness.Basic("web", "web-secret"), "\n")...), 400, "invalid_request"},
		{"a zipped body", s.RawPost("/token", zipped.String(), "Content-Encoding: gzip"), 415, "invalid_request"},
		{"an absolute URI of another host", s.RawPost("http://127.0.0.1/token", form), 200, ""},
		{"HTTP/1.0", strings.Replace(s.RawPost("/token", form), "HTTP/1.1", "HTTP/1.0", 1), 200, ""},
		{"HTTP/1.0 without a length, which means no body", strings.Replace(s.RawRequest("POST", "/token", form, harness.FormType), "HTTP/1.1", "HTTP/1.0", 1), 400, "invalid_request"},
		{"a trailer that is named like a parameter", s.RawRequest("POST", "/token", "0\r\ngrant_type: password\r\n\r\n", harness.FormType, "Transfer-Encoding: chunked", "Trailer: grant_type"), 400, "invalid_request"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := harness.DialTo(t, "tcp", s.Address())
			w.Send(test.raw)
			a := w.Receive()
			a.Want(t, test.status, test.code)
			if test.status != 200 {
				harness.WellFormedError(t, a)
			}
		})
	}
	t.Run("a Basic header of 60 KB is beyond what Caddy reads of headers", func(t *testing.T) {
		a := s.Exchange(s.RawPost("/token", harness.UserForm(), harness.Basic("web", strings.Repeat("s", 45000))))
		a.Want(t, 431, "")
	})
	t.Run("and the next one is served", func(t *testing.T) {
		s.Login("alice", "correct horse").Want(t, 200, "")
	})
}

func TestExpectContinue(t *testing.T) {
	s := harness.StartCheap(t, harness.BasicSite)
	w := s.Dial()
	form := harness.LoginForm()
	w.Send(s.RawRequest("POST", "/token", "", harness.FormType, fmt.Sprintf("Content-Length: %d", len(form)), "Expect: 100-continue"))
	if a := w.Receive(); a.Status != 100 {
		t.Fatalf("got %d, want 100", a.Status)
	}
	w.Send(form)
	w.Receive().Want(t, 200, "")
}

func TestBodiesThatEndEarly(t *testing.T) {
	s := harness.StartCheap(t, harness.BasicSite)
	form := harness.LoginForm()
	for name, raw := range map[string]string{
		"a length larger than what is sent": s.RawRequest("POST", "/token", form, harness.FormType, fmt.Sprintf("Content-Length: %d", len(form)+100)),
		"chunks without the last one":       s.RawRequest("POST", "/token", fmt.Sprintf("%x\r\n%s\r\n", len(form), form), harness.FormType, "Transfer-Encoding: chunked"),
		"half a chunk":                      s.RawRequest("POST", "/token", "ffff\r\n"+form, harness.FormType, "Transfer-Encoding: chunked"),
	} {
		t.Run(name, func(t *testing.T) {
			w := harness.DialTo(t, "tcp", s.Address())
			w.Send(raw)
			// the client says that it is done, and still listens
			if err := w.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			w.Receive().Want(t, 400, "invalid_request")
			if reason := s.Reason(); reason != "body_incomplete" {
				t.Errorf("refused for %q", reason)
			}
		})
	}
}

// The bound is shorter here than in the product.
func TestABodyThatStopsIsEndedInBoundedTime(t *testing.T) {
	before := wire.MaxBodyTime
	wire.MaxBodyTime = time.Second
	t.Cleanup(func() { wire.MaxBodyTime = before })
	s := harness.StartCheap(t, harness.BasicSite)
	for name, raw := range map[string]string{
		"A12: one byte, then silence":  s.RawRequest("POST", "/token", "g", harness.FormType, "Content-Length: 100"),
		"A12: one chunk, then silence": s.RawRequest("POST", "/token", "1\r\ng\r\n", harness.FormType, "Transfer-Encoding: chunked"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := harness.DialTo(t, "tcp", s.Address())
			w.Send(raw)
			a := w.Receive()
			a.Want(t, 400, "invalid_request")
			harness.WellFormedError(t, a)
		})
	}
}

// A byte now and then keeps Caddy's own deadline away, which is for a pause: the bound is
// of the whole body, with each version of HTTP. Without it these bodies would end, and
// be refused for what they say.
func TestABodyThatDribblesIsEndedInBoundedTime(t *testing.T) {
	before := wire.MaxBodyTime
	wire.MaxBodyTime = time.Second / 2
	t.Cleanup(func() { wire.MaxBodyTime = before })
	s := harness.StartWith(t, harness.TLSOptions, harness.WithCheapHashes(t, strings.Replace(harness.BasicSite, "http://127.0.0.1:%PORT% {", "https://localhost:%TLSPORT% {\n\tbind 127.0.0.1\n\ttls internal", 1)))
	for version, client := range s.TLSClients() {
		for _, length := range []int64{dribbled, -1} {
			r, err := http.NewRequest(http.MethodPost, s.TLSURL("/token"), &dribble{left: dribbled})
			if err != nil {
				t.Fatal(err)
			}
			r.ContentLength = length
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			response, err := client.Do(r)
			if err != nil {
				t.Fatalf("HTTP/%s, length %d: %v", version, length, err)
			}
			response.Body.Close()
			if reason := s.Reason(); response.StatusCode != 400 || reason != "body_too_slow" {
				t.Errorf("HTTP/%s, length %d: got %d, refused for %q", version, length, response.StatusCode, reason)
			}
		}
		for range 2 { // on one connection, which outlives the bound
			response, err := client.Post(s.TLSURL("/token"), "application/x-www-form-urlencoded", strings.NewReader(harness.LoginForm()))
			if err != nil {
				t.Fatalf("HTTP/%s: %v", version, err)
			}
			response.Body.Close()
			if response.StatusCode != 200 {
				t.Errorf("HTTP/%s: a login gets %d", version, response.StatusCode)
			}
			time.Sleep(750 * time.Millisecond)
		}
	}
}

// dribble is a body of which a byte comes every 50 ms.
type dribble struct{ left int }

const dribbled = 100

func (d *dribble) Read(p []byte) (int, error) {
	if d.left == 0 {
		return 0, io.EOF
	}
	time.Sleep(50 * time.Millisecond)
	d.left--
	return copy(p, "a"), nil
}

// A login that took its time to be typed must not end the connection's next request:
// the bound is of one body.
func TestAConnectionServesManyRequests(t *testing.T) {
	s := harness.StartCheap(t, harness.BasicSite)
	w := s.Dial()
	for range 3 {
		w.Send(s.RawPost("/token", harness.LoginForm()))
		w.Receive().Want(t, 200, "")
		w.Send(s.RawPost("/token", harness.LoginForm("client_secret", "wrong")))
		w.Receive().Want(t, 400, "invalid_client")
		w.Send(s.RawRequest("GET", "/token/jwks", ""))
		w.Receive().Want(t, 200, "")
	}
}

// Paths are matched as Caddy's path matcher does, and what is below the endpoint's path
// never reaches the app.
func TestPathVariants(t *testing.T) {
	s := harness.StartCheap(t, harness.BasicSite)
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
			w := harness.DialTo(t, "tcp", s.Address())
			w.Send(s.RawPost(target, harness.LoginForm()))
			a := w.Receive()
			got := fmt.Sprintf("%d %s", a.Status, a.Body)
			switch {
			case a.JSON["access_token"] != nil:
				got = endpoint
			case a.Status == 404 && a.JSON["error"] == "invalid_request":
				got = nothing
			case a.Status == 400 && a.JSON["error_description"] == "the parameter token is missing":
				got = below
			case string(a.Body) == "the app":
				got = app
			}
			if got != where {
				t.Errorf("%s goes to %s, want %s", target, got, where)
			}
		})
	}
	t.Run("the keys under odd spellings", func(t *testing.T) {
		for _, target := range []string{"/token/jwks", "/TOKEN/JWKS", "/token//jwks", "//token/jwks", "/token%2Fjwks", "/token/jwks/", "/token/jwks//", "/token/x/../jwks", "/token/%6Awks"} {
			if a := s.Exchange(s.RawRequest("GET", target, "")); a.Status != 200 || a.JSON["keys"] == nil {
				t.Errorf("%s: %d %s", target, a.Status, a.Body)
			}
		}
	})
}

func TestAnEndpointOnAnotherPath(t *testing.T) {
	s := harness.StartCheap(t, strings.Replace(harness.BasicSite, "token_endpoint {", "token_endpoint /Auth/OAuth2/Token {", 1))
	s.Post("/auth/oauth2/token", harness.LoginForm()).Want(t, 200, "")
	s.Post("/AUTH/oauth2/token", harness.LoginForm()).Want(t, 200, "")
	s.Do(s.Request("GET", "/auth/oauth2/token/jwks", "")).Want(t, 200, "")
	s.Post("/auth/oauth2/token/revoke", harness.LoginForm()+"&token=x").Want(t, 200, "")
	s.Post("/Auth/OAuth2/token/introspect", harness.LoginForm()+"&token=x").Want(t, 200, "")
	s.Post("/auth/oauth2/token/x", harness.LoginForm()).Want(t, 404, "invalid_request")
	for _, path := range []string{"/token", "/token/jwks", "/token/revoke", "/token/introspect", "/auth", "/auth/oauth2", "/auth/oauth2/"} {
		if a := s.Post(path, harness.LoginForm()); string(a.Body) != "the app" {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
	}
}
