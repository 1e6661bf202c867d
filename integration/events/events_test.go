package events

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/event"
)

// site has a confidential client, a public one and a login page.
const site = `http://127.0.0.1:%PORT% {
	token_endpoint {
		scopes        read write
		refresh_grace 0s
		client web {
			secret web-secret
		}
		client cli {
			public
		}
		user alice ` + harness.HashBcrypt + ` {
			id u-1
		}
		user bob ` + harness.HashBcrypt + `
		login_page
		%SETTINGS%
	}
	bearer_auth
	respond "the app"
}
`

func siteWith(settings string) string { return strings.Replace(site, "%SETTINGS%", settings, 1) }

func TestALoginAndARefreshAreIssued(t *testing.T) {
	s := start(t, on("notes", event.Issued), siteWith(""))
	first := s.Web().Login(t, "alice")
	s.Web().Refreshed(t, first.Refresh)
	events := got.wait(t, event.Issued, 2)
	claims := harness.Payload(t, first.Access)
	wantData(t, events[0], map[string]any{
		"server": "default", "endpoint": "token", "grant_type": "password", "client_id": "web", "user_id": "u-1", "client_ip": "127.0.0.1",
		"session_id": claims["sid"], "token_id": claims["jti"], "scope": "read write",
	})
	wantData(t, events[1], map[string]any{"grant_type": "refresh_token", "client_id": "web", "user_id": "u-1", "session_id": claims["sid"]})
	if events[0].data["token_id"] == events[1].data["token_id"] {
		t.Error("both have one token_id")
	}
}

func TestALoginOnThePageIsIssued(t *testing.T) {
	s := start(t, on("notes", event.Issued), siteWith(""))
	s.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s.Post("/token/login", "username=alice&password=correct+horse", "Origin: "+s.URL("")).Want(t, 303, "")
	h := got.wait(t, event.Issued, 1)[0]
	wantData(t, h, map[string]any{"endpoint": "login", "client_id": "login_page", "user_id": "u-1", "scope": "read write"})
	for _, name := range []string{event.TokenID, event.GrantType} {
		if value, there := h.data[name]; there {
			t.Errorf("it has the %s %v", name, value)
		}
	}
}

func TestEveryRefusalIsRefused(t *testing.T) {
	s := start(t, on("notes", event.Refused), siteWith("throttle off"))
	s.Login("alice", "wrong").Want(t, 400, "invalid_grant")
	s.Login("mallory", "wrong").Want(t, 400, "invalid_grant")
	s.Login("alice", "correct horse", "client_secret", "wrong").Want(t, 400, "invalid_client")
	s.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s.Post("/token/login", "username=alice&password=wrong", "Origin: "+s.URL("")).Want(t, 401, "")
	events := got.wait(t, event.Refused, 4)
	wantData(t, events[0], map[string]any{
		"endpoint": "token", "grant_type": "password", "client_id": "web", "user_id": "u-1",
		"status": 400, "oauth_error": "invalid_grant", "reason": "wrong_password",
	})
	wantData(t, events[1], map[string]any{"client_id": "web", "reason": "unknown_user"})
	wantData(t, events[2], map[string]any{"client_id": "web", "reason": "wrong_client_secret", "oauth_error": "invalid_client"})
	wantData(t, events[3], map[string]any{"endpoint": "login", "client_id": "login_page", "user_id": "u-1", "status": 401, "reason": "wrong_password"})
	for _, h := range events {
		if name, there := h.data[event.Username]; there {
			t.Errorf("it names %v", name)
		}
	}
	if user, there := events[1].data[event.UserID]; there {
		t.Errorf("an unknown user is %v", user)
	}
}

func TestAUsernameIsInTheDataOnlyWhereTheLogHasIt(t *testing.T) {
	s := start(t, on("notes", event.Refused), siteWith("log_usernames"))
	s.Login("mallory", "wrong").Want(t, 400, "invalid_grant")
	wantData(t, got.wait(t, event.Refused, 1)[0], map[string]any{"reason": "unknown_user", "username": "mallory"})
}

func TestASecondUseOfARefreshTokenIsDetected(t *testing.T) {
	s := start(t, on("notes", event.ReuseDetected, event.Revoked, event.Refused), siteWith(""))
	first := s.Public("cli").Login(t, "alice")
	s.Public("cli").Refreshed(t, first.Refresh)
	s.Public("cli").Refresh(first.Refresh).Want(t, 400, "invalid_grant")
	sid := harness.Payload(t, first.Access)["sid"]
	wantData(t, got.wait(t, event.ReuseDetected, 1)[0], map[string]any{
		"endpoint": "token", "grant_type": "refresh_token", "client_id": "cli", "user_id": "u-1", "session_id": sid,
		"client_ip": "127.0.0.1", "end_user_ip": "127.0.0.1",
	})
	wantData(t, got.wait(t, event.Revoked, 1)[0], map[string]any{
		"what": "session", "by": "server", "reason": "refresh_token_reused", "session_id": sid, "user_id": "u-1",
	})
	wantData(t, got.wait(t, event.Refused, 1)[0], map[string]any{"reason": "refresh_token_reused", "session_id": sid})
}

func TestAnAttemptThatHasToWaitIsThrottled(t *testing.T) {
	s := start(t, on("notes", event.Throttled), siteWith("throttle {\n\t\t\tfailures 2\n\t\t}"))
	for _, password := range []string{"wrong", "wronger"} {
		s.Login("alice", password).Want(t, 400, "invalid_grant")
	}
	s.Login("alice", "correct horse").Want(t, 429, "temporarily_unavailable")
	h := got.wait(t, event.Throttled, 1)[0]
	wantData(t, h, map[string]any{"endpoint": "token", "grant_type": "password", "client_id": "web", "limit": "pair"})
	if wait, ok := h.data[event.RetryAfter].(int); !ok || wait < 1 || wait > 30 {
		t.Errorf("it may be tried again after %v seconds", h.data[event.RetryAfter])
	}
}

// The ceiling is reached once, by the token endpoint and the login page alike.
func TestAnAccountThatReachesItsCeilingIsLocked(t *testing.T) {
	s := start(t, on("notes", event.Locked), siteWith("throttle {\n\t\t\taccount_ceiling 3\n\t\t}"))
	wrong := func(username string) {
		for range 2 {
			s.Login(username, harness.WrongPassword()).Want(t, 400, "invalid_grant")
		}
	}
	wrong("alice")
	wrong("nobody")
	wrong("bob")
	if events := got.of(event.Locked); len(events) > 0 {
		t.Fatalf("below the ceiling: %v", events)
	}
	s.Login("alice", harness.WrongPassword()).Want(t, 400, "invalid_grant")
	s.Login("nobody", harness.WrongPassword()).Want(t, 400, "invalid_grant") // which is not an account
	s.Post("/token/login", "username=bob&password="+harness.WrongPassword(), "Origin: "+s.URL("")).Want(t, 401, "")
	for _, username := range []string{"alice", "nobody", "bob"} {
		s.Login(username, "correct horse").Want(t, 429, "temporarily_unavailable")
	}
	events := got.wait(t, event.Locked, 2)
	wantData(t, events[0], map[string]any{"endpoint": "token", "grant_type": "password", "client_id": "web", "user_id": "u-1"})
	wantData(t, events[1], map[string]any{"endpoint": "login", "client_id": "login_page", "user_id": "bob"})
}

func TestARevokedSessionIsRevoked(t *testing.T) {
	s := start(t, on("notes", event.Revoked), siteWith(""))
	tokens := s.Web().Login(t, "alice")
	s.Web().Revoke(tokens.Refresh).Want(t, 200, "")
	s.Web().Revoke("garbage").Want(t, 200, "") // which ends nothing
	wantData(t, got.wait(t, event.Revoked, 1)[0], map[string]any{
		"what": "session", "by": "client", "endpoint": "revoke", "client_id": "web", "session_id": harness.Payload(t, tokens.Access)["sid"],
	})
}

func TestALogoutAndALoginThatReplacesASessionRevoke(t *testing.T) {
	s := start(t, on("notes", event.Revoked, event.Issued), siteWith(""))
	s.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	login := func(username string, headers ...string) string {
		t.Helper()
		a := s.Post("/token/login", "username="+username+"&password=correct+horse", append(headers, "Origin: "+s.URL(""))...)
		a.Want(t, 303, "")
		cookie, _, _ := strings.Cut(a.Header.Get("Set-Cookie"), ";")
		return "Cookie: " + cookie
	}
	second := login("bob", login("alice"))
	s.Post("/token/login/logout", "", "Origin: "+s.URL(""), second).Want(t, 200, "")
	issued, revoked := got.wait(t, event.Issued, 2), got.wait(t, event.Revoked, 2)
	wantData(t, revoked[0], map[string]any{
		"what": "session", "by": "login", "endpoint": "login", "client_id": "login_page", "user_id": "u-1", "session_id": issued[0].data["session_id"],
	})
	wantData(t, revoked[1], map[string]any{
		"what": "session", "by": "user", "endpoint": "logout", "client_id": "login_page", "user_id": "bob", "session_id": issued[1].data["session_id"],
	})
}

// The hours between the stages pass by setting back the time at which the keys were made.
func TestAKeyThatBeginsToSignIsRotated(t *testing.T) {
	s := start(t, on("notes", event.KeyRotated), siteWith("rotate_every 2h"))
	header, _ := harness.Decoded(t, s.Token("alice"))
	age(t, harness.KeyObjects(t, s.Dir), 3*time.Hour)
	harness.Eventually(t, "there is another key", func() bool { return len(harness.KeyObjects(t, s.Dir)) == 2 })
	age(t, harness.KeyObjects(t, s.Dir), 20*time.Minute)
	h := got.wait(t, event.KeyRotated, 1)[0]
	after, _ := harness.Decoded(t, s.Token("alice"))
	if after["kid"] == header["kid"] {
		t.Error("the key signs that signed before")
	}
	wantData(t, h, map[string]any{"server": "default", "kid": after["kid"], "algorithm": "ES256"})
}

// age sets back the keys that are younger.
func age(t *testing.T, paths []string, by time.Duration) {
	t.Helper()
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		object := make(map[string]any)
		if err := json.Unmarshal(content, &object); err != nil {
			t.Fatal(err)
		}
		created := time.Now().Add(-by).Unix()
		if object["created"].(float64) <= float64(created) {
			continue
		}
		object["created"] = created
		if content, err = json.Marshal(object); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+".tmp", content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".tmp", path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAFileThatBreaksFailsToReload(t *testing.T) {
	got.clear()
	s := harness.NewSite(t)
	path := s.WriteOld("users", "carol:"+harness.CheapHash(t, "x")+"\n")
	s.Reload(on("notes", event.ReloadFailed), harness.WithCheapHashes(t, siteWith("users htpasswd "+path)))
	s.Write("users", "carol\n")
	h := got.wait(t, event.ReloadFailed, 1)[0]
	wantData(t, h, map[string]any{"path": path, "reads": "users"})
	if text := fmt.Sprint(h.data[event.Error]); !strings.Contains(text, "line 1") {
		t.Errorf("the error is %s", text)
	}
}

// What is emitted is also in Caddy's debug log, which every test of this has on.
func TestNoEventHasASecret(t *testing.T) {
	const canary = "C4nary"
	hash := harness.CheapHash(t, canary+"-password")
	got.clear()
	s := harness.NewSite(t)
	path := s.WriteOld("users", "carol:"+hash+"\n")
	s.Reload("events {\non * test notes\n}", harness.WithCheapHashes(t, strings.Replace(siteWith("users htpasswd "+path), "web-secret", canary+"-secret", 1)))
	s.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	var secrets []string
	login := func(pairs ...string) harness.Answer {
		return s.Login("carol", canary+"-password", append([]string{"client_secret", canary + "-secret"}, pairs...)...)
	}
	first := login()
	first.Want(t, 200, "")
	access, refresh := first.Text(t, "access_token"), first.Text(t, "refresh_token")
	secrets = append(secrets, access, refresh)
	for range 2 { // a refresh, and a reuse
		a := s.Post("/token", "grant_type=refresh_token&client_id=web&client_secret="+canary+"-secret&refresh_token="+refresh)
		if a.Status == 200 {
			secrets = append(secrets, a.Text(t, "access_token"), a.Text(t, "refresh_token"))
		}
	}
	login("password", canary+"-wrong").Want(t, 400, "invalid_grant")
	login("username", canary+"-name").Want(t, 400, "invalid_grant")
	login("scope", canary+"-scope").Want(t, 400, "invalid_scope")
	login("grant_type", canary+"-grant").Want(t, 400, "unsupported_grant_type")
	login("client_id", canary+"-client").Want(t, 400, "invalid_client")
	for range 6 {
		login("client_secret", harness.WrongPassword()+canary)
	}
	s.Post("/token/revoke", "client_id=web&client_secret="+canary+"-secret&token="+access)
	s.Post("/token?password="+canary, "")
	for _, password := range []string{canary + "-wrong", canary + "-password"} {
		a := s.Post("/token/login", "username=carol&password="+password, "Origin: "+s.URL(""))
		if cookie, _, _ := strings.Cut(a.Header.Get("Set-Cookie"), ";"); cookie != "" {
			secrets = append(secrets, cookie)
			s.Post("/token/login/logout", "", "Origin: "+s.URL(""), "Cookie: "+cookie)
		}
	}
	s.Write("users", "carol:"+hash+":"+canary+"\n"+canary+"\n")
	got.wait(t, event.ReloadFailed, 1)

	seen := make(map[string]bool)
	for _, name := range all() {
		for _, h := range got.of(name) {
			seen[name] = true
			text := fmt.Sprint(h.data)
			for _, secret := range append(secrets, canary, hash) {
				if strings.Contains(text, secret) {
					t.Errorf("%s has %q: %s", name, secret, text)
				}
			}
		}
	}
	for _, name := range []string{event.Issued, event.Refused, event.ReuseDetected, event.Throttled, event.Revoked, event.ReloadFailed} {
		if !seen[name] {
			t.Errorf("there was no %s", name)
		}
	}
}

// A client that gets a token for itself has no user.
func TestATokenOfAClientIsIssuedWithoutAUser(t *testing.T) {
	s := start(t, on("notes", event.Issued), siteWith("client backup {\nsecret backup-secret\ngrants client_credentials\n}"))
	a := s.Post("/token", s.As("backup").Form("grant_type", "client_credentials"))
	a.Want(t, 200, "")
	h := got.wait(t, event.Issued, 1)[0]
	claims := harness.Payload(t, a.Text(t, "access_token"))
	wantData(t, h, map[string]any{
		"endpoint": "token", "grant_type": "client_credentials", "client_id": "backup",
		"session_id": claims["sid"], "token_id": claims["jti"], "scope": "read write",
	})
	if value, there := h.data[event.UserID]; there {
		t.Errorf("it has the user %v", value)
	}
}
