package monitoring

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// A line about a refusal says what the operator needs to find the request, its user and
// the remedy.

func TestARefusalAtTheEdgeSaysWhichRequestItWas(t *testing.T) {
	app := harness.NewApp(t)
	s := harness.Start(t, app.In(harness.EdgeSite))
	token, narrow := s.Token("bob"), s.Token("bob", "scope", "read")
	for _, test := range []struct {
		name   string
		method string
		path   string
		header string
		want   map[string]any // nil: not in the line
	}{
		{"no token", "PUT", "/a/b?x=y", "X-A: b", map[string]any{
			"method": "PUT", "path": "/a/b", "host": s.Address(), "user_id": nil, "scope_needed": nil}},
		{"a query that was encoded into the path", "GET", "/a%3Faccess_token=hunter2", "X-A: b", map[string]any{"path": "/a"}},
		{"a long path", "GET", "/" + strings.Repeat("a", 5000), "X-A: b", map[string]any{"path": "/" + strings.Repeat("a", 255)}},
		{"a token that lacks a scope", "GET", "/write/x", harness.Bearer(narrow), map[string]any{
			"scope_needed": "read write", "scope": "read", "client_id": "web", "user_id": "u-2", "session_id": harness.TextClaim(t, narrow, "sid")}},
		{"a forged token", "GET", "/", harness.Bearer(token[:len(token)-4] + "AAAA"), map[string]any{
			"reason": "the signature does not verify", "client_id": nil, "user_id": nil, "session_id": nil}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.Do(s.Request(test.method, test.path, "", test.header))
			wantRefusal(s, t, "http.handlers.bearer_auth", test.want)
		})
	}
	if strings.Contains(edgeLines(s), "hunter2") {
		t.Error("the query is in the log")
	}

	// a defect of a token that this server signed does not hide whose it is
	whose := map[string]any{"client_id": "web", "user_id": "u-2", "session_id": harness.TextClaim(t, token, "sid")}
	with := func(reason string) map[string]any {
		whose["reason"] = reason
		return whose
	}
	s.Post("/token/revoke", "token="+narrow, harness.Basic("web", "web-secret")).Want(t, 200, "")
	s.Do(s.Request("GET", "/", "", harness.Bearer(narrow)))
	wantRefusal(s, t, "http.handlers.bearer_auth", map[string]any{"reason": "its session was revoked", "user_id": "u-2", "session_id": harness.TextClaim(t, narrow, "sid")})
	refresh := s.Login("bob", "correct horse").Text(t, "refresh_token")
	for _, change := range []struct{ name, old, new, reason string }{
		{"another password", harness.HashCheapAnother, harness.HashCheap, "its user has another password now"},
		{"another id", "id u-2", "id u-3", "its user is gone"},
		{"another client", "client web", "client other", "its client is gone"},
	} {
		t.Run(change.name, func(t *testing.T) {
			s.Reload("", app.In(strings.Replace(harness.EdgeSite, change.old, change.new, 1)))
			s.Do(s.Request("GET", "/", "", harness.Bearer(token)))
			wantRefusal(s, t, "http.handlers.bearer_auth", with(change.reason))
			if change.name != "another client" {
				s.Post("/token", "grant_type=refresh_token&refresh_token="+refresh, harness.Basic("web", "web-secret")).Want(t, 400, "invalid_grant")
				wantRefusal(s, t, "http.handlers.token_endpoint", map[string]any{
					"reason": "user_changed", "user_id": "u-2", "session_id": harness.TextClaim(t, refresh, "sid"), "endpoint": "token"})
			}
		})
	}
}

func TestARefreshTokenAtTheEdgeIsCalledOne(t *testing.T) {
	s := harness.StartSessions(t, "")
	pair := s.Web().Login(t, "bob")
	s.Do(s.Request("GET", "/app", "", harness.Bearer(pair.Refresh)))
	wantRefusal(s, t, "http.handlers.bearer_auth", map[string]any{"reason": "it is a refresh token; send the access token", "user_id": nil})
}

func TestShadowPutsTheReasonIntoTheAccessLog(t *testing.T) {
	app := harness.NewApp(t)
	s := harness.Start(t, app.In(strings.Replace(harness.EdgeSite, "copy_claims sub>X-User", "shadow", 1)))
	s.Do(s.Request("GET", "/", "")).Want(t, 200, "")
	wantRefusal(s, t, "http.handlers.bearer_auth", map[string]any{"msg": "request would be refused", "method": "GET", "path": "/"})
	harness.Eventually(t, "the access log has the reason", func() bool {
		return len(s.Logged(func(line map[string]any) bool {
			return line["msg"] == "handled request" && line["bearer_refusal"] == "no Authorization header" && line["oauth_error"] == nil
		})) == 1
	})
}

func TestARefusalAtTheEndpointSaysWhatToDo(t *testing.T) {
	const remedy = "the Basic header was read as it is and form-decoded: for the latter, + must be sent as %2B and % as %25, in both halves"
	s := startLog(t, "throttle off")
	for _, test := range []struct {
		name, path, form string
		headers          []string
		status           int
		want             map[string]any
	}{
		{"a wrong secret by Basic", "/token", harness.UserForm(), []string{harness.Basic("web", "a+b")}, 401, map[string]any{"reason": "wrong_client_secret", "remedy": remedy, "endpoint": "token"}},
		{"a bad escape by Basic", "/token", harness.UserForm(), []string{harness.Basic("web", "100%")}, 401, map[string]any{"reason": "wrong_client_secret", "remedy": remedy}},
		{"an escape in the id only", "/token", harness.UserForm(), []string{harness.Basic("w%65b", "x")}, 401, map[string]any{"reason": "wrong_client_secret", "remedy": remedy}},
		{"a + in the base64 only", "/token", harness.UserForm(), []string{harness.Authorization("Basic", "web:\u00bb>>\u07ff")}, 401, map[string]any{"reason": "wrong_client_secret", "remedy": nil}},
		{"a plain wrong secret by Basic", "/token", harness.UserForm(), []string{harness.Basic("web", "wrong")}, 401, map[string]any{"reason": "wrong_client_secret", "remedy": nil}},
		{"bytes that are no text by Basic, with a +", "/token", harness.UserForm(), []string{harness.Basic("web", "a+\xff")}, 401, map[string]any{"reason": "basic_malformed", "remedy": remedy}},
		{"bytes that are no text by Basic", "/token", harness.UserForm(), []string{harness.Basic("web", "a\xff")}, 401, map[string]any{"reason": "basic_malformed", "remedy": nil}},
		{"another scheme", "/token", harness.UserForm(), []string{"Authorization: Digest x+%"}, 401, map[string]any{"reason": "basic_malformed", "remedy": nil}},
		{"a wrong secret in the body", "/token", harness.LoginForm("client_secret", "wrong"), nil, 400, map[string]any{"reason": "wrong_client_secret", "remedy": nil}},
		{"an unknown client by Basic", "/token", harness.UserForm(), []string{harness.Basic("nobody", "a+b")}, 401, map[string]any{"reason": "unknown_client", "remedy": nil}},
		{"a scope that the client may not ask for", "/token", harness.LoginForm("scope", "hunter2"), nil, 400, map[string]any{"reason": "scope_not_allowed", "scope_allowed": "read write"}},
		{"no scope that the user may have", "/token", harness.LoginForm("username", "bob"), nil, 400, map[string]any{"reason": "scope_not_users", "scope_allowed": "other"}},
		{"another endpoint", "/token/revoke", "client_id=web&client_secret=wrong&token=x", nil, 400, map[string]any{"endpoint": "revoke"}},
		{"no endpoint", "/token/x", "a=b", nil, 404, map[string]any{"endpoint": "none"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if a := s.Post(test.path, test.form, test.headers...); a.Status != test.status {
				t.Fatalf("got %d %s", a.Status, a.Body)
			}
			wantRefusal(s, t, "http.handlers.token_endpoint", test.want)
		})
	}
}

// A password in the URL is in logs by now, whatever the method: the client and the
// operator are told.
func TestCredentialsInTheQueryOfEveryMethod(t *testing.T) {
	s := harness.Start(t, harness.BasicSite)
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "POST"} {
		for _, path := range []string{"/token", "/token/revoke", "/token/introspect"} {
			status, reason := 405, "method"
			if method == "POST" {
				status, reason = 400, "credentials_in_query"
			}
			a := s.Do(s.Request(method, path+"?password=hunter2", ""))
			if a.Status != status || method != "HEAD" && !strings.Contains(string(a.Body), "credentials belong in the body, not in the query") {
				t.Errorf("%s %s: %d %s", method, path, a.Status, a.Body)
			}
			wantRefusal(s, t, "http.handlers.token_endpoint", map[string]any{
				"reason": reason, "remedy": "change the password, secret or token that was in the URL: logs have it now",
			})
		}
	}
	s.Do(s.Request("GET", "/token/jwks?token=x", "")).Want(t, 200, "")
	if a := s.Do(s.Request("GET", "/token?x=password", "")); a.Status != 405 || a.JSON["error_description"] != "this endpoint needs the method POST" {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
	if a := s.Post("/token/jwks", ""); a.Status != 405 || a.JSON["error_description"] != "this endpoint needs the method GET or HEAD" {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
}

// Keys that are made are announced, since a storage that got lost looks like a first
// start.
func TestNewKeysAreAnnounced(t *testing.T) {
	s := harness.NewSite(t)
	made := func() (lines []map[string]any) {
		return s.Logged(func(line map[string]any) bool {
			msg, _ := line["msg"].(string)
			return strings.HasPrefix(msg, "made a new ")
		})
	}
	s.Reload("", harness.BasicSite)
	s.Login("alice", "correct horse").Want(t, 200, "")
	lines := made()
	if len(lines) != 2 {
		t.Fatalf("%d lines: %v", len(lines), lines)
	}
	for _, line := range lines {
		remedy, _ := line["remedy"].(string)
		if line["level"] != "info" || line["server"] != "default" || !strings.HasPrefix(remedy, "if this is not a first start") {
			t.Errorf("got %v", line)
		}
		if line["msg"] == "made a new signing key" && (line["algorithm"] != "ES256" || !strings.Contains(string(s.JWKS("/token").Body), line["kid"].(string))) {
			t.Errorf("got %v", line)
		}
	}
	s.Reload("", harness.BasicSite)
	s.Relogin("alice", "correct horse").Want(t, 200, "")
	if after := made(); len(after) != 2 {
		t.Errorf("after a reload: %v", after)
	}
}

// A client's secret is read when a config is loaded, and Caddy loads an equal one only
// if it is forced to.
func TestANewSecretNeedsAForcedReload(t *testing.T) {
	s := harness.NewSite(t)
	path := s.Write("web.secret", "web-secret")
	text := strings.Replace(harness.GlobalOptions, "%OPTIONS%", "", 1) + strings.Replace(harness.BasicSite, "secret web-secret", "secret {file."+path+"}", 1)
	config, err := harness.Adapt(s.Expand(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name, secret string
		load         func(config []byte) error
		good         string
	}{
		{"at first", "web-secret", s.LoadIfChanged, "web-secret"},
		{"a new secret and a plain reload", "another-secret", s.LoadIfChanged, "web-secret"},
		{"a forced reload", "another-secret", s.Load, "another-secret"},
	} {
		s.Write("web.secret", step.secret)
		if err := step.load(config); err != nil {
			t.Fatal(err)
		}
		if a := s.Relogin("alice", "correct horse", "client_secret", step.good); a.Status != http.StatusOK {
			t.Errorf("%s: %d %s", step.name, a.Status, a.Body)
		}
	}
}

// wantRefusal checks fields of the last line of a handler.
func wantRefusal(s *harness.Site, t *testing.T, handler string, want map[string]any) {
	t.Helper()
	lines := s.Logged(func(line map[string]any) bool { return line["logger"] == handler && line["reason"] != nil })
	if len(lines) == 0 {
		t.Fatalf("no line of %s", handler)
	}
	last := lines[len(lines)-1]
	for field, value := range want {
		if last[field] != value {
			t.Errorf("%s is %v, want %v in %v", field, last[field], value, last)
		}
	}
}

// edgeLines are the lines of bearer_auth, one behind the other.
func edgeLines(s *harness.Site) string {
	s.T.Helper()
	var text strings.Builder
	for line := range strings.Lines(s.RawLog()) {
		if strings.Contains(line, `"logger":"http.handlers.bearer_auth"`) {
			text.WriteString(line)
		}
	}
	return text.String()
}
