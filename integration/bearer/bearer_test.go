// Package bearer tests bearer_auth: which requests pass to the app behind it, and with
// which identity headers.
package bearer

import (
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// challengeGrammar is RFC 6750 §3 for what is sent here: realm, error and scope once
// each at most, without a quote or a backslash inside (I8). There is no
// resource_metadata, a MAY (L11), since no such document is published.
var challengeGrammar = regexp.MustCompile(`^Bearer realm="[\x20-\x21\x23-\x5b\x5d-\x7e]+"` +
	`(, error="[\x20-\x21\x23-\x5b\x5d-\x7e]+")?(, scope="[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*")?$`)

func TestBearerCredentials(t *testing.T) {
	app := harness.NewApp(t)
	s := harness.Start(t, app.In(harness.EdgeSite))
	token := s.Token("alice")
	narrow := s.Token("alice", "scope", "read")
	const (
		anonymous = `Bearer realm="default"`
		malformed = `Bearer realm="default", error="invalid_request"`
		invalid   = `Bearer realm="default", error="invalid_token"`
		scope     = `Bearer realm="default", error="insufficient_scope", scope="read write"`
	)
	for _, test := range []struct {
		name      string
		path      string
		headers   []string
		status    int
		challenge string
	}{
		{"I1: a token passes", "/", []string{harness.Bearer(token)}, 200, ""},
		{"I1: the scheme has no case", "/", []string{"Authorization: bEaReR " + token}, 200, ""},
		{"I1: spaces around the token do not count", "/", []string{"Authorization: Bearer   " + token + "  "}, 200, ""},
		{"I1: a query without access_token is nothing special", "/?token=x&Access_token=y", []string{harness.Bearer(token)}, 200, ""},
		{"I2: no credentials get a challenge without an error", "/", nil, 401, anonymous},
		{"I2: nor does another scheme", "/", []string{harness.Basic("alice", "correct horse")}, 401, anonymous},
		{"I2: nor does an empty header", "/", []string{"Authorization: "}, 401, anonymous},
		{"I2: a scheme that begins like Bearer is another", "/", []string{"Authorization: BearerToken " + token}, 401, anonymous},
		{"I2: a token alone is no credentials", "/", []string{"Authorization: " + token}, 401, anonymous},
		{"I3: a bad token is invalid_token", "/", []string{harness.Bearer("x")}, 401, invalid},
		{"I4: a token with too little scope is told what is needed", "/write", []string{harness.Bearer(narrow)}, 403, scope},
		{"I4: a token with all scopes passes", "/write", []string{harness.Bearer(token)}, 200, ""},
		{"I5: one token in two headers is an invalid request", "/", []string{harness.Bearer(token), harness.Bearer(token)}, 400, malformed},
		{"I5: Bearer and Basic are an invalid request", "/", []string{harness.Bearer(token), harness.Basic("alice", "x")}, 400, malformed},
		{"I5: Basic and Bearer are an invalid request", "/", []string{harness.Basic("alice", "x"), harness.Bearer(token)}, 400, malformed},
		{"I5: a token in the header and in the query are an invalid request", "/?access_token=" + token, []string{harness.Bearer(token)}, 400, malformed},
		{"I5: an empty access_token in the query counts", "/?access_token", []string{harness.Bearer(token)}, 400, malformed},
		{"I5: so does one that Go cannot parse", "/?access_token=%zz", []string{harness.Bearer(token)}, 400, malformed},
		{"I5: so does one after a semicolon", "/?x=1;access_token=y", []string{harness.Bearer(token)}, 400, malformed},
		{"I5: two tokens in one header are an invalid request", "/", []string{harness.Bearer(token + ", Bearer " + token)}, 400, malformed},
		{"I5: a word after the token is an invalid request", "/", []string{harness.Bearer(token + " x")}, 400, malformed},
		{"I5: a scheme without a token is an invalid request", "/", []string{"Authorization: Bearer"}, 400, malformed},
		{"I6: a token in the query only is an invalid request", "/?access_token=" + token, nil, 400, malformed},
		{"I6: however it is spelled", "/?x=1&access%5Ftoken=" + token, nil, 400, malformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			app.Take()
			a := s.Do(s.Request("GET", test.path, "", test.headers...))
			if got := a.Header.Get("WWW-Authenticate"); a.Status != test.status || got != test.challenge {
				t.Fatalf("got %d %s, want %d %s", a.Status, got, test.status, test.challenge)
			}
			if values := a.Header.Values("WWW-Authenticate"); a.Status != 200 && (len(values) != 1 || !challengeGrammar.MatchString(values[0])) {
				t.Errorf("I8: the challenge is not of RFC 6750's grammar: %q", values)
			}
			if got := len(app.Take()); got != map[bool]int{true: 1, false: 0}[test.status == 200] {
				t.Errorf("the app received %d requests", got)
			}
		})
	}

	t.Run("I7: a token in a form is no credentials, and the form is left to the app", func(t *testing.T) {
		form := url.Values{"access_token": {token}}.Encode()
		if a := s.Post("/", form); a.Status != 401 || a.Header.Get("WWW-Authenticate") != anonymous {
			t.Fatalf("got %d %q", a.Status, a.Header.Get("WWW-Authenticate"))
		}
		s.Post("/", form, harness.Bearer(token)).Want(t, 200, "")
		if got := app.One(t).Body; got != form {
			t.Errorf("the app received the body %q, want %q", got, form)
		}
	})
	t.Run("a token that passes sets the placeholders", func(t *testing.T) {
		a := s.Do(s.Request("GET", "/who", "", harness.Bearer(narrow)))
		if want := "alice|alice|web|read|alice@example.com"; string(a.Body) != want {
			t.Errorf("got %q, want %q", a.Body, want)
		}
		// without the claim it is empty
		a = s.Do(s.Request("GET", "/who", "", harness.Bearer(s.Token("bob"))))
		if want := "u-2|bob|web|read write|"; string(a.Body) != want {
			t.Errorf("got %q, want %q", a.Body, want)
		}
	})
	t.Run("the access log names the user", func(t *testing.T) {
		s.Do(s.Request("GET", "/named-in-the-log", "", harness.Bearer(s.Token("bob")))).Want(t, 200, "")
		harness.Eventually(t, "the access log has the request", func() bool {
			lines := s.Logged(func(line map[string]any) bool {
				request, _ := line["request"].(map[string]any)
				return request["uri"] == "/named-in-the-log" && line["user_id"] == "u-2"
			})
			return len(lines) == 1
		})
	})
	t.Run("the reason of a refusal is in the log, with the address, and no token is", func(t *testing.T) {
		bad := token[:len(token)-8] + "AAAAAAAA"
		s.Do(s.Request("GET", "/", "", harness.Bearer(bad))).Want(t, 401, "")
		harness.Eventually(t, "the log has the refusal", func() bool {
			return len(s.Logged(func(line map[string]any) bool {
				return line["logger"] == "http.handlers.bearer_auth" && line["level"] == "info" && line["client_ip"] == "127.0.0.1" &&
					line["oauth_error"] == "invalid_token" && line["status"] == 401.0 && line["reason"] == "the signature does not verify"
			})) > 0
		})
		for _, secret := range []string{token, bad, strings.Split(token, ".")[2]} {
			// the access log of a query has it, which is why it is refused there (I6)
			for line := range strings.Lines(s.RawLog()) {
				if strings.Contains(line, secret) && !strings.Contains(line, "access_token=") && !strings.Contains(line, "access%5Ftoken=") {
					t.Fatalf("the log has %s: %s", secret, line)
				}
			}
		}
	})
}

// While there is no key, tokens can be neither checked nor issued.
func TestTokensThatCannotBeCheckedAreAnswered503(t *testing.T) {
	app := harness.NewApp(t)
	s := harness.NewSite(t)
	// a file where a directory should be: none of our objects can be read or written
	if err := os.Mkdir(harness.StorageOf(s), 0o700); err != nil {
		t.Fatal(err)
	}
	obstacle := s.Write("storage/grant", "")
	s.Reload("", app.In(`http://127.0.0.1:%PORT% {
	token_endpoint {
		client web {
			secret web-secret
		}
		user alice `+harness.HashCheap+`
	}
	bearer_auth /private
	bearer_auth /both {
		optional
	}
	reverse_proxy %APP%
}
`))
	for _, test := range []struct {
		name, path string
		headers    []string
		status     int
	}{
		{"a token", "/private", []string{harness.Bearer("a.b.c")}, 503},
		{"a token where it is optional", "/both", []string{harness.Bearer("a.b.c")}, 503},
		{"no token", "/private", nil, 401},
		{"no token where it is optional", "/both", nil, 200},
		{"two tokens", "/private", []string{harness.Bearer("a.b.c"), harness.Bearer("a.b.c")}, 400},
	} {
		t.Run("without a key, "+test.name, func(t *testing.T) {
			a := s.Do(s.Request("GET", test.path, "", test.headers...))
			if a.Status != test.status {
				t.Fatalf("got %d, want %d", a.Status, test.status)
			}
			if a.Status == 503 && (a.Header.Get("Retry-After") == "" || a.Header.Get("WWW-Authenticate") != "") {
				t.Errorf("got the headers %v, want Retry-After and no challenge", a.Header)
			}
		})
	}
	t.Run("as soon as the storage answers, tokens are checked", func(t *testing.T) {
		if err := os.Remove(obstacle); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, "a login succeeds", func() bool { return s.Login("alice", "correct horse").Status == 200 })
		token := harness.Bearer(s.Token("alice"))
		if a := s.Do(s.Request("GET", "/private", "", token)); a.Status != 200 {
			// there is a key, and the revoked sessions are read at the next poll
			a.Want(t, 503, "")
			if got := s.LastReason(); got != "the revoked sessions have not been read yet" {
				t.Errorf("the log says %q", got)
			}
			harness.Eventually(t, "the token is accepted", func() bool { return s.Do(s.Request("GET", "/private", "", token)).Status == 200 })
		}
		s.Do(s.Request("GET", "/private", "", harness.Bearer("a.b.c"))).Want(t, 401, "")
	})
}

// handle_errors can style the answers; the challenge is set by then.
func TestErrorsOfTheEdgeCanBeStyled(t *testing.T) {
	s := harness.Start(t, strings.Replace(harness.EdgeSite, "\treverse_proxy %APP%\n", `
	handle_errors {
		header Content-Type text/html
		respond "<h1>{err.status_code}</h1>" {err.status_code}
	}
`, 1))
	for _, test := range []struct {
		path, authorization string
		status              int
	}{
		{"/", "", 401},
		{"/", "Bearer x", 401},
		{"/", "Bearer", 400},
		{"/write", "Bearer " + s.Token("alice", "scope", "read"), 403},
	} {
		a := s.Do(s.Request("GET", test.path, "", "Authorization: "+test.authorization))
		want := fmt.Sprintf("<h1>%d</h1>", test.status)
		if a.Status != test.status || string(a.Body) != want || !challengeGrammar.MatchString(a.Header.Get("WWW-Authenticate")) {
			t.Errorf("%s %s: got %d %v %q, want %d %q", test.path, test.authorization, a.Status, a.Header, a.Body, test.status, want)
		}
	}
}
