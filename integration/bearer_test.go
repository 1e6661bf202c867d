package integration

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// edgeSite is an app behind the edge; the server's HS256 secret is one that the app has
// as well, so tests can sign what an app could.
const edgeSite = `http://127.0.0.1:%PORT% {
	log
	token_endpoint {
		issuer      https://api.example.com
		signing_key HS256 ` + sharedSecret + `
		client web {
			secret web-secret
			scopes read write
		}
		user alice ` + hashBcrypt + ` {
			claim email alice@example.com
		}
		user bob ` + hashArgon2id + ` {
			id u-2
		}
	}
	bearer_auth {
		copy_claims sub>X-User
	}
	bearer_auth /write* {
		scopes read write
	}
	respond /who "{http.auth.user.id}|{http.auth.user.username}|{http.auth.user.client_id}|{http.auth.user.scope}|{http.auth.user.email}"
	reverse_proxy %APP%
}
`

// challengeGrammar is RFC 6750 §3 for what is sent here: realm, error and scope once each
// at most, without a quote or a backslash inside (I8). There is no resource_metadata, a MAY
// (L11), since no such document is published.
var challengeGrammar = regexp.MustCompile(`^Bearer realm="[\x20-\x21\x23-\x5b\x5d-\x7e]+"` +
	`(, error="[\x20-\x21\x23-\x5b\x5d-\x7e]+")?(, scope="[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*")?$`)

func TestBearerCredentials(t *testing.T) {
	app := newEdgeApp(t)
	s := start(t, app.in(edgeSite))
	token := s.token("alice")
	narrow := s.token("alice", "scope", "read")
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
		{"I1: a token passes", "/", []string{bearer(token)}, 200, ""},
		{"I1: the scheme has no case", "/", []string{"Authorization: bEaReR " + token}, 200, ""},
		{"I1: spaces around the token do not count", "/", []string{"Authorization: Bearer   " + token + "  "}, 200, ""},
		{"I1: a query without access_token is nothing special", "/?token=x&Access_token=y", []string{bearer(token)}, 200, ""},
		{"I2: no credentials get a challenge without an error", "/", nil, 401, anonymous},
		{"I2: nor does another scheme", "/", []string{basic("alice", "correct horse")}, 401, anonymous},
		{"I2: nor does an empty header", "/", []string{"Authorization: "}, 401, anonymous},
		{"I2: a scheme that begins like Bearer is another", "/", []string{"Authorization: BearerToken " + token}, 401, anonymous},
		{"I2: a token alone is no credentials", "/", []string{"Authorization: " + token}, 401, anonymous},
		{"I3: a bad token is invalid_token", "/", []string{bearer("x")}, 401, invalid},
		{"I4: a token with too little scope is told what is needed", "/write", []string{bearer(narrow)}, 403, scope},
		{"I4: a token with all scopes passes", "/write", []string{bearer(token)}, 200, ""},
		{"I5: one token in two headers is an invalid request", "/", []string{bearer(token), bearer(token)}, 400, malformed},
		{"I5: Bearer and Basic are an invalid request", "/", []string{bearer(token), basic("alice", "x")}, 400, malformed},
		{"I5: Basic and Bearer are an invalid request", "/", []string{basic("alice", "x"), bearer(token)}, 400, malformed},
		{"I5: a token in the header and in the query are an invalid request", "/?access_token=" + token, []string{bearer(token)}, 400, malformed},
		{"I5: an empty access_token in the query counts", "/?access_token", []string{bearer(token)}, 400, malformed},
		{"I5: so does one that Go cannot parse", "/?access_token=%zz", []string{bearer(token)}, 400, malformed},
		{"I5: so does one after a semicolon", "/?x=1;access_token=y", []string{bearer(token)}, 400, malformed},
		{"I5: two tokens in one header are an invalid request", "/", []string{bearer(token + ", Bearer " + token)}, 400, malformed},
		{"I5: a word after the token is an invalid request", "/", []string{bearer(token + " x")}, 400, malformed},
		{"I5: a scheme without a token is an invalid request", "/", []string{"Authorization: Bearer"}, 400, malformed},
		{"I6: a token in the query only is an invalid request", "/?access_token=" + token, nil, 400, malformed},
		{"I6: however it is spelled", "/?x=1&access%5Ftoken=" + token, nil, 400, malformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			app.take()
			a := s.do(s.request("GET", test.path, "", test.headers...))
			if got := a.header.Get("WWW-Authenticate"); a.status != test.status || got != test.challenge {
				t.Fatalf("got %d %s, want %d %s", a.status, got, test.status, test.challenge)
			}
			if values := a.header.Values("WWW-Authenticate"); a.status != 200 && (len(values) != 1 || !challengeGrammar.MatchString(values[0])) {
				t.Errorf("I8: the challenge is not of RFC 6750's grammar: %q", values)
			}
			if got := len(app.take()); got != map[bool]int{true: 1, false: 0}[test.status == 200] {
				t.Errorf("the app received %d requests", got)
			}
		})
	}

	t.Run("I7: a token in a form is no credentials, and the form is left to the app", func(t *testing.T) {
		form := url.Values{"access_token": {token}}.Encode()
		if a := s.post("/", form); a.status != 401 || a.header.Get("WWW-Authenticate") != anonymous {
			t.Fatalf("got %d %q", a.status, a.header.Get("WWW-Authenticate"))
		}
		s.post("/", form, bearer(token)).want(t, 200, "")
		if got := app.one(t).Body; got != form {
			t.Errorf("the app received the body %q, want %q", got, form)
		}
	})
	t.Run("a token that passes sets the placeholders", func(t *testing.T) {
		a := s.do(s.request("GET", "/who", "", bearer(narrow)))
		if want := "alice|alice|web|read|alice@example.com"; string(a.body) != want {
			t.Errorf("got %q, want %q", a.body, want)
		}
		// without the claim it is empty
		a = s.do(s.request("GET", "/who", "", bearer(s.token("bob"))))
		if want := "u-2|bob|web|read write|"; string(a.body) != want {
			t.Errorf("got %q, want %q", a.body, want)
		}
	})
	t.Run("the access log names the user", func(t *testing.T) {
		s.do(s.request("GET", "/named-in-the-log", "", bearer(s.token("bob")))).want(t, 200, "")
		eventually(t, "the access log has the request", func() bool {
			lines := s.logged(func(line map[string]any) bool {
				request, _ := line["request"].(map[string]any)
				return request["uri"] == "/named-in-the-log" && line["user_id"] == "u-2"
			})
			return len(lines) == 1
		})
	})
	t.Run("the reason of a refusal is in the log, with the address, and no token is", func(t *testing.T) {
		bad := token[:len(token)-8] + "AAAAAAAA"
		s.do(s.request("GET", "/", "", bearer(bad))).want(t, 401, "")
		eventually(t, "the log has the refusal", func() bool {
			return len(s.logged(func(line map[string]any) bool {
				return line["logger"] == "http.handlers.bearer_auth" && line["level"] == "info" && line["client_ip"] == "127.0.0.1" &&
					line["oauth_error"] == "invalid_token" && line["status"] == 401.0 && line["reason"] == "the signature does not verify"
			})) > 0
		})
		for _, secret := range []string{token, bad, strings.Split(token, ".")[2]} {
			// the access log of a query has it, which is why it is refused there (I6)
			for line := range strings.Lines(s.rawLog()) {
				if strings.Contains(line, secret) && !strings.Contains(line, "access_token=") && !strings.Contains(line, "access%5Ftoken=") {
					t.Fatalf("the log has %s: %s", secret, line)
				}
			}
		}
	})
}

// While there is no key, tokens can be neither checked nor issued.
func TestTokensThatCannotBeCheckedAreAnswered503(t *testing.T) {
	app := newEdgeApp(t)
	s := newSite(t)
	// a file where a directory should be: nothing of ours can be read or written
	if err := os.Mkdir(storageOf(s), 0o700); err != nil {
		t.Fatal(err)
	}
	obstacle := s.write("storage/grant", "")
	s.reload("", app.in(`http://127.0.0.1:%PORT% {
	token_endpoint {
		client web {
			secret web-secret
		}
		user alice `+hashBcrypt+`
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
		{"a token", "/private", []string{bearer("a.b.c")}, 503},
		{"a token where it is optional", "/both", []string{bearer("a.b.c")}, 503},
		{"no token", "/private", nil, 401},
		{"no token where it is optional", "/both", nil, 200},
		{"two tokens", "/private", []string{bearer("a.b.c"), bearer("a.b.c")}, 400},
	} {
		t.Run("without a key, "+test.name, func(t *testing.T) {
			a := s.do(s.request("GET", test.path, "", test.headers...))
			if a.status != test.status {
				t.Fatalf("got %d, want %d", a.status, test.status)
			}
			if a.status == 503 && (a.header.Get("Retry-After") == "" || a.header.Get("WWW-Authenticate") != "") {
				t.Errorf("got the headers %v, want Retry-After and no challenge", a.header)
			}
		})
	}
	t.Run("as soon as the storage answers, tokens are checked", func(t *testing.T) {
		if err := os.Remove(obstacle); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a login succeeds", func() bool { return s.login("alice", "correct horse").status == 200 })
		token := bearer(s.token("alice"))
		if a := s.do(s.request("GET", "/private", "", token)); a.status != 200 {
			// there is a key, and the revoked sessions are read at the next poll
			a.want(t, 503, "")
			if got := s.lastReason(); got != "the revoked sessions were not read yet" {
				t.Errorf("the log says %q", got)
			}
			eventually(t, "the token is accepted", func() bool { return s.do(s.request("GET", "/private", "", token)).status == 200 })
		}
		s.do(s.request("GET", "/private", "", bearer("a.b.c"))).want(t, 401, "")
	})
}

// handle_errors can style the answers; the challenge is set by then.
func TestErrorsOfTheEdgeCanBeStyled(t *testing.T) {
	s := start(t, strings.Replace(edgeSite, "\treverse_proxy %APP%\n", `
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
		{"/write", "Bearer " + s.token("alice", "scope", "read"), 403},
	} {
		a := s.do(s.request("GET", test.path, "", "Authorization: "+test.authorization))
		want := fmt.Sprintf("<h1>%d</h1>", test.status)
		if a.status != test.status || string(a.body) != want || !challengeGrammar.MatchString(a.header.Get("WWW-Authenticate")) {
			t.Errorf("%s %s: got %d %v %q, want %d %q", test.path, test.authorization, a.status, a.header, a.body, test.status, want)
		}
	}
}

// outward is all that a stranger sees of an answer, without what says when it was made.
func outward(a answer) map[string][]string {
	seen := maps.Clone(map[string][]string(a.header))
	delete(seen, "Date")
	seen["status and body"] = []string{http.StatusText(a.status), string(a.body)}
	return seen
}

// wantSameOutward fails the test unless two answers are the same to whoever gets them.
func wantSameOutward(t *testing.T, got, want answer) {
	t.Helper()
	if !reflect.DeepEqual(outward(got), outward(want)) {
		t.Errorf("got %v, want %v", outward(got), outward(want))
	}
}

// reasons are those of the refusals in the log so far.
func (s *site) reasons() []string {
	s.t.Helper()
	var reasons []string
	for _, line := range s.logged(func(line map[string]any) bool { return line["logger"] == "http.handlers.bearer_auth" }) {
		reason, _ := line["reason"].(string)
		reasons = append(reasons, reason)
	}
	return reasons
}

// lastReason is why the last request was refused.
func (s *site) lastReason() string {
	s.t.Helper()
	reasons := s.reasons()
	return slices.Concat([]string{"none"}, reasons)[len(reasons)]
}

// storageOf is the directory in which a site's Caddy keeps its state.
func storageOf(s *site) string { return filepath.Join(s.dir, "storage") }
