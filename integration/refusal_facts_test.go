package integration

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// A line about a refusal says what the operator needs to find the request, its user and
// the remedy.

func TestARefusalAtTheEdgeSaysWhichRequestItWas(t *testing.T) {
	app := newEdgeApp(t)
	s := start(t, app.in(edgeSite))
	token, narrow := s.token("bob"), s.token("bob", "scope", "read")
	for _, test := range []struct {
		name   string
		method string
		path   string
		header string
		want   map[string]any // nil: not in the line
	}{
		{"no token", "PUT", "/a/b?x=y", "X-A: b", map[string]any{
			"method": "PUT", "path": "/a/b", "host": s.address(), "user_id": nil, "scope_needed": nil}},
		{"a query that was encoded into the path", "GET", "/a%3Faccess_token=hunter2", "X-A: b", map[string]any{"path": "/a"}},
		{"a long path", "GET", "/" + strings.Repeat("a", 5000), "X-A: b", map[string]any{"path": "/" + strings.Repeat("a", 255)}},
		{"a token that lacks a scope", "GET", "/write/x", bearer(narrow), map[string]any{
			"scope_needed": "read write", "scope": "read", "client_id": "web", "user_id": "u-2", "session_id": textClaim(t, narrow, "sid")}},
		{"a forged token", "GET", "/", bearer(token[:len(token)-4] + "AAAA"), map[string]any{
			"reason": "the signature does not verify", "client_id": nil, "user_id": nil, "session_id": nil}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.do(s.request(test.method, test.path, "", test.header))
			s.wantRefusal(t, "http.handlers.bearer_auth", test.want)
		})
	}
	if strings.Contains(s.edgeLines(), "hunter2") {
		t.Error("the query is in the log")
	}

	// what is wrong with a token that this server signed does not hide whose it is
	whose := map[string]any{"client_id": "web", "user_id": "u-2", "session_id": textClaim(t, token, "sid")}
	with := func(reason string) map[string]any {
		whose["reason"] = reason
		return whose
	}
	s.post("/token/revoke", "token="+narrow, basic("web", "web-secret")).want(t, 200, "")
	s.do(s.request("GET", "/", "", bearer(narrow)))
	s.wantRefusal(t, "http.handlers.bearer_auth", map[string]any{"reason": "its session was revoked", "user_id": "u-2", "session_id": textClaim(t, narrow, "sid")})
	refresh := s.login("bob", "correct horse").text(t, "refresh_token")
	for _, change := range []struct{ name, old, new, reason string }{
		{"another password", hashArgon2id, hashBcrypt, "its user has another password now"},
		{"another id", "id u-2", "id u-3", "its user is gone"},
		{"another client", "client web", "client other", "its client is gone"},
	} {
		t.Run(change.name, func(t *testing.T) {
			s.reload("", app.in(strings.Replace(edgeSite, change.old, change.new, 1)))
			s.do(s.request("GET", "/", "", bearer(token)))
			s.wantRefusal(t, "http.handlers.bearer_auth", with(change.reason))
			if change.name != "another client" {
				s.post("/token", "grant_type=refresh_token&refresh_token="+refresh, basic("web", "web-secret")).want(t, 400, "invalid_grant")
				s.wantRefusal(t, "http.handlers.token_endpoint", map[string]any{
					"reason": "user_changed", "user_id": "u-2", "session_id": textClaim(t, refresh, "sid"), "endpoint": "token"})
			}
		})
	}
}

func TestARefreshTokenAtTheEdgeIsCalledOne(t *testing.T) {
	s := startSessions(t, "")
	pair := s.web().login(t, "bob")
	s.do(s.request("GET", "/app", "", bearer(pair.refresh)))
	s.wantRefusal(t, "http.handlers.bearer_auth", map[string]any{"reason": "it is a refresh token; send the access token", "user_id": nil})
}

func TestShadowPutsTheReasonIntoTheAccessLog(t *testing.T) {
	app := newEdgeApp(t)
	s := start(t, app.in(strings.Replace(edgeSite, "copy_claims sub>X-User", "shadow", 1)))
	s.do(s.request("GET", "/", "")).want(t, 200, "")
	s.wantRefusal(t, "http.handlers.bearer_auth", map[string]any{"msg": "request would be refused", "method": "GET", "path": "/"})
	eventually(t, "the access log has the reason", func() bool {
		return len(s.logged(func(line map[string]any) bool {
			return line["msg"] == "handled request" && line["bearer_refusal"] == "no Authorization header" && line["oauth_error"] == nil
		})) == 1
	})
}

func TestARefusalAtTheEndpointSaysWhatToDo(t *testing.T) {
	const remedy = "the Basic header was read as it is and form-decoded: in the latter + must be sent as %2B, % as %25, in both halves alike"
	s := startLog(t, "throttle off")
	for _, test := range []struct {
		name, path, form string
		headers          []string
		status           int
		want             map[string]any
	}{
		{"a wrong secret by Basic", "/token", userForm(), []string{basic("web", "a+b")}, 401, map[string]any{"reason": "wrong_client_secret", "remedy": remedy, "endpoint": "token"}},
		{"a bad escape by Basic", "/token", userForm(), []string{basic("web", "100%")}, 401, map[string]any{"reason": "wrong_client_secret", "remedy": remedy}},
		{"an escape in the id only", "/token", userForm(), []string{basic("w%65b", "x")}, 401, map[string]any{"reason": "wrong_client_secret", "remedy": remedy}},
		{"a + in the base64 only", "/token", userForm(), []string{authorization("Basic", "web:\u00bb>>\u07ff")}, 401, map[string]any{"reason": "wrong_client_secret", "remedy": nil}},
		{"a plain wrong secret by Basic", "/token", userForm(), []string{basic("web", "wrong")}, 401, map[string]any{"reason": "wrong_client_secret", "remedy": nil}},
		{"bytes that are no text by Basic, with a +", "/token", userForm(), []string{basic("web", "a+\xff")}, 401, map[string]any{"reason": "basic_malformed", "remedy": remedy}},
		{"bytes that are no text by Basic", "/token", userForm(), []string{basic("web", "a\xff")}, 401, map[string]any{"reason": "basic_malformed", "remedy": nil}},
		{"another scheme", "/token", userForm(), []string{"Authorization: Digest x+%"}, 401, map[string]any{"reason": "basic_malformed", "remedy": nil}},
		{"a wrong secret in the body", "/token", loginForm("client_secret", "wrong"), nil, 400, map[string]any{"reason": "wrong_client_secret", "remedy": nil}},
		{"an unknown client by Basic", "/token", userForm(), []string{basic("nobody", "a+b")}, 401, map[string]any{"reason": "unknown_client", "remedy": nil}},
		{"a scope that the client may not ask for", "/token", loginForm("scope", "hunter2"), nil, 400, map[string]any{"reason": "scope_not_allowed", "scope_allowed": "read write"}},
		{"no scope that the user may have", "/token", loginForm("username", "bob"), nil, 400, map[string]any{"reason": "scope_not_users", "scope_allowed": "other"}},
		{"another endpoint", "/token/revoke", "client_id=web&client_secret=wrong&token=x", nil, 400, map[string]any{"endpoint": "revoke"}},
		{"no endpoint", "/token/x", "a=b", nil, 404, map[string]any{"endpoint": "none"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if a := s.post(test.path, test.form, test.headers...); a.status != test.status {
				t.Fatalf("got %d %s", a.status, a.body)
			}
			s.wantRefusal(t, "http.handlers.token_endpoint", test.want)
		})
	}
}

// A password in the URL is in logs by now, whatever the method: the client and the operator
// are told.
func TestCredentialsInTheQueryOfEveryMethod(t *testing.T) {
	s := start(t, basicSite)
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "POST"} {
		for _, path := range []string{"/token", "/token/revoke", "/token/introspect"} {
			status, reason := 405, "method"
			if method == "POST" {
				status, reason = 400, "credentials_in_query"
			}
			a := s.do(s.request(method, path+"?password=hunter2", ""))
			if a.status != status || method != "HEAD" && !strings.Contains(string(a.body), "credentials belong in the body, not in the query") {
				t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
			}
			s.wantRefusal(t, "http.handlers.token_endpoint", map[string]any{
				"reason": reason, "remedy": "change the password, secret or token that was in the URL: logs have it now",
			})
		}
	}
	s.do(s.request("GET", "/token/jwks?token=x", "")).want(t, 200, "")
	if a := s.do(s.request("GET", "/token?x=password", "")); a.status != 405 || a.json["error_description"] != "this endpoint needs the method POST" {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if a := s.post("/token/jwks", ""); a.status != 405 || a.json["error_description"] != "this endpoint needs the method GET or HEAD" {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

// Keys that are made are announced, since a storage that got lost looks like a first start.
func TestNewKeysAreAnnounced(t *testing.T) {
	s := newSite(t)
	made := func() (lines []map[string]any) {
		return s.logged(func(line map[string]any) bool {
			msg, _ := line["msg"].(string)
			return strings.HasPrefix(msg, "made a new ")
		})
	}
	s.reload("", basicSite)
	s.login("alice", "correct horse").want(t, 200, "")
	lines := made()
	if len(lines) != 2 {
		t.Fatalf("%d lines: %v", len(lines), lines)
	}
	for _, line := range lines {
		remedy, _ := line["remedy"].(string)
		if line["level"] != "info" || line["server"] != "default" || !strings.HasPrefix(remedy, "if this is not a first start") {
			t.Errorf("got %v", line)
		}
		if line["msg"] == "made a new signing key" && (line["algorithm"] != "ES256" || !strings.Contains(string(s.jwks("/token").body), line["kid"].(string))) {
			t.Errorf("got %v", line)
		}
	}
	s.reload("", basicSite)
	s.relogin("alice", "correct horse").want(t, 200, "")
	if after := made(); len(after) != 2 {
		t.Errorf("after a reload: %v", after)
	}
}

// A client's secret is read when a config is loaded, and Caddy loads an equal one only if
// it is forced to.
func TestANewSecretNeedsAForcedReload(t *testing.T) {
	s := newSite(t)
	path := s.write("web.secret", "web-secret")
	text := strings.Replace(globalOptions, "%OPTIONS%", "", 1) + strings.Replace(basicSite, "secret web-secret", "secret {file."+path+"}", 1)
	config, err := adapt(s.expand(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name, secret string
		forced       bool
		good         string
	}{
		{"at first", "web-secret", false, "web-secret"},
		{"a new secret and a plain reload", "another-secret", false, "web-secret"},
		{"a forced reload", "another-secret", true, "another-secret"},
	} {
		s.write("web.secret", step.secret)
		if err := caddy.Load(config, step.forced); err != nil {
			t.Fatal(err)
		}
		if a := s.relogin("alice", "correct horse", "client_secret", step.good); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", step.name, a.status, a.body)
		}
	}
}

// wantRefusal checks fields of the last line of a handler.
func (s *site) wantRefusal(t *testing.T, handler string, want map[string]any) {
	t.Helper()
	lines := s.logged(func(line map[string]any) bool { return line["logger"] == handler && line["reason"] != nil })
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
func (s *site) edgeLines() string {
	s.t.Helper()
	var text strings.Builder
	for line := range strings.Lines(s.rawLog()) {
		if strings.Contains(line, `"logger":"http.handlers.bearer_auth"`) {
			text.WriteString(line)
		}
	}
	return text.String()
}
