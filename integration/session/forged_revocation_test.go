package session

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// What an app that has a secret of HS256 makes up is not written to storage, as far as
// it can be told from what was issued.

func sid(day string, n int) string { return fmt.Sprintf("%s-%040x", day, n) }

func inYears(n int) string { return time.Now().AddDate(n, 0, 0).UTC().Format("20060102") }

// unknownReason is why the last revocation found nothing to end.
func unknownReason(s *harness.Site) any {
	s.T.Helper()
	lines := s.Logged(func(line map[string]any) bool { return line["msg"] == "no session to revoke" })
	if len(lines) == 0 {
		s.T.Fatal("no such line is logged")
	}
	return lines[len(lines)-1]["reason"]
}

func TestRevokeWritesNothingOfWhatAnAppMakesUp(t *testing.T) {
	s := harness.StartSessions(t, abuseSettings)
	web := s.Web()
	session := web.Login(t, "alice")
	made := func(changes ...func(*harness.Forgery)) string {
		return harness.Forge(t, session.Access, func(f *harness.Forgery) {
			for _, change := range changes {
				change(f)
			}
		})
	}
	quoted := func(text string) string { return `"` + text + `"` }
	tests := []struct{ name, token, reason string }{
		{"garbage", "garbage", "token_unknown"},
		{"a user who never was", made(harness.SetClaim("sub", `"mallory"`)), "user_unknown"},
		{"a user who never was, and another session", made(harness.SetClaim("sub", `"mallory"`), harness.SetClaim("sid", quoted(sid(inYears(1), 7)))), "user_unknown"},
		{"a user by name who has another subject", made(harness.SetClaim("sub", `"bob"`)), "user_unknown"},
		{"a session that ends in the year 9999", made(harness.SetClaim("sid", quoted(sid("99991231", 1)))), "session_impossible"},
		{"a session that ends in 11 years", made(harness.SetClaim("sid", quoted(sid(inYears(11), 1)))), "session_impossible"},
		{"the same without the server's name", made(harness.SetClaim("sid", quoted(sid(inYears(11), 1))), harness.WithoutClaims("srv")), "session_impossible"},
		{"a session that ends before its token", made(harness.SetClaim("sid", quoted(sid(inYears(-1), 1)))), "session_impossible"},
		{"a token that outlives its session", made(harness.SetClaim("exp", fmt.Sprint(time.Now().AddDate(5, 0, 0).Unix()))), "session_impossible"},
		{"a token until the year 9999", made(harness.SetClaim("exp", "253402300799"), harness.SetClaim("sid", quoted(sid("99991231", 2)))), "session_impossible"},
		{"a client that is not there, by its cid", made(harness.SetClaim("cid", `"nobody"`)), ""}, // J4: refused
	}
	for day := range 300 { // one more each time
		tests = append(tests, struct{ name, token, reason string }{
			fmt.Sprintf("day %d", day), made(harness.SetClaim("sid", quoted(sid(fmt.Sprint(9000+day)+"0101", day)))), "session_impossible"})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := web.Revoke(test.token)
			if test.reason == "" {
				a.Want(t, 400, "invalid_grant")
				return
			}
			a.Want(t, 200, "")
			if string(a.Body) != "{}\n" && string(a.Body) != "{}" {
				t.Errorf("the answer is %s", a.Body)
			}
			if got := unknownReason(s); got != test.reason {
				t.Errorf("the log says %v", got)
			}
		})
	}
	if got := filesOf(s); got != (files{}) {
		t.Errorf("the storage has %+v", got)
	}
	if lines := s.Logged(func(line map[string]any) bool { return line["msg"] == "session revoked" }); len(lines) != 0 {
		t.Errorf("the log has %v", lines[0])
	}
	web.WantGoing(t, session)
}

// Logging out has to be good as long as there is a user.
func TestRevokeOfAUserWhoHasChanged(t *testing.T) {
	s, files := harness.NewSite(t), 0
	old, changed := harness.CheapHash(t, "correct horse"), harness.CheapHash(t, "another password")
	site := func(algorithm, hash, more string) string {
		users := fmt.Sprintf(`{"users":[{"username":"alice","password_hash":%q%s},{"username":"bob","password_hash":%q}]}`, hash, more, old)
		if hash == "" {
			users = fmt.Sprintf(`{"users":[{"username":"bob","password_hash":%q}]}`, old)
		}
		files++ // which a site follows
		name := fmt.Sprintf("users%d.json", files)
		s.WriteOld(name, users)
		return strings.NewReplacer("%SETTINGS%", algorithm+"\nusers json %DIR%/"+name,
			"user alice "+harness.HashBcrypt+" {\n\t\t\tclaim email alice@example.com\n\t\t}", "",
			"user bob "+harness.HashBcrypt+" {\n\t\t\tid     u-2\n\t\t\tscopes read\n\t\t}", "").Replace(harness.SessionSite)
	}
	for _, algorithm := range []string{"signing_key HS256 " + harness.SharedSecret, "signing_key ES256"} {
		before, shared := site(algorithm, old, ""), strings.Contains(algorithm, harness.SharedSecret)
		load := func(config string) {
			s.Reload("", config)
			s.Client.CloseIdleConnections()
			s.Relogin("bob", "correct horse").Want(t, 200, "")
		}
		for _, test := range []struct {
			name, config string
			byAccess     bool // whether the session is revoked
		}{
			{"a new password", site(algorithm, changed, ""), true},
			{"an id that is written out now", site(algorithm, old, `,"id":"alice"`), true},
			{"disabled", site(algorithm, old, `,"disabled":true`), true},
			{"removed", site(algorithm, "", ""), !shared}, // an app might have made it up
		} {
			for _, access := range []bool{true, false} {
				t.Run(fmt.Sprintf("J2: %s, by the access token %t, an app has the key %t", test.name, access, shared), func(t *testing.T) {
					load(before)
					web := s.Web()
					session := web.Login(t, "alice")
					load(test.config)
					token, want := session.Refresh, true
					if access {
						token, want = session.Access, test.byAccess
					}
					web.Revoke(token).Want(t, 200, "")
					if marker := stateOf(s, t, session.Access, ".revoked"); (harness.ReadIfThere(t, marker) != "") != want {
						t.Errorf("revoked in storage: %t", !want)
					}
					load(before)
					if want {
						web.WantOver(t, session)
					} else {
						web.WantGoing(t, session)
					}
				})
			}
		}
	}
}

// sharedSite has two servers with one signing key.
const sharedSite = `http://127.0.0.1:%PORT% {
	token_endpoint /a {
		name a
		issuer https://api.example.com
		throttle off
		signing_key HS256 ` + harness.SharedSecret + `
		client web {
			secret web-secret
			introspect https://api.example.com
		}
		user alice ` + harness.HashBcrypt + `
	}
	token_endpoint /b {
		name b
		issuer %ISSUER%
		throttle off
		signing_key HS256 ` + harness.SharedSecret + `
		client web {
			secret web-secret
			introspect https://api.example.com
		}
		user alice ` + harness.HashBcrypt + `
	}
	bearer_auth /app-a a {
		audience https://api.example.com %ISSUER%
	}
	bearer_auth /app-b b {
		audience https://api.example.com %ISSUER%
	}
	respond "in"
}
`

func TestRevokeAtTheWrongServer(t *testing.T) {
	for name, issuer := range map[string]string{"of one issuer": "https://api.example.com", "of two issuers": "https://other.example.com"} {
		t.Run(name, func(t *testing.T) {
			s := harness.StartCheap(t, strings.ReplaceAll(sharedSite, "%ISSUER%", issuer))
			edge := func(app, token string) int { return s.Do(s.Request("GET", app, "", harness.Bearer(token))).Status }
			for _, test := range []struct{ own, other, app, otherApp string }{{"/a", "/b", "/app-a", "/app-b"}, {"/b", "/a", "/app-b", "/app-a"}} {
				own, other := s.Web().At(test.own), s.Web().At(test.other)
				session := own.Login(t, "alice")
				first := session
				session = own.Refreshed(t, session.Refresh)
				t.Run("J4: revoking a token of "+test.own+" at "+test.other+" is refused, and ends nothing", func(t *testing.T) {
					before := filesOf(s)
					for _, token := range []string{session.Access, session.Refresh, first.Access, first.Refresh} {
						for _, hint := range []string{"", "access_token", "refresh_token"} {
							a := other.Revoke(token, "token_type_hint", hint)
							a.Want(t, 400, "invalid_grant")
							harness.WellFormedError(t, a)
							if got := s.Reason(); got != "token_of_another_server" {
								t.Errorf("refused for %s", got)
							}
						}
					}
					if got := filesOf(s); got != before {
						t.Errorf("the storage has %+v, and had %+v", got, before)
					}
					session = own.Refreshed(t, session.Refresh)
				})
				t.Run("the edge and introspection of "+test.other+" refuse it, and the log says why", func(t *testing.T) {
					if got := edge(test.app, session.Access); got != 200 {
						t.Fatalf("its own edge answers %d", got)
					}
					if got := edge(test.otherApp, session.Access); got != 401 {
						t.Errorf("the edge answers %d", got)
					}
					if got := s.LastReason(); got != "it belongs to another server" {
						t.Errorf("the log says %q", got)
					}
					wantInactive(t, other.Introspect(session.Access))
					wantInactive(t, other.Introspect(session.Refresh))
				})
				t.Run("and it is revoked where it is from", func(t *testing.T) {
					own.Revoke(session.Access).Want(t, 200, "")
					if got := edge(test.app, session.Access); got != 401 {
						t.Errorf("the edge answers %d", got)
					}
				})
			}
		})
	}
}

func TestAccessTokensSayOfWhichServerTheyAre(t *testing.T) {
	s := harness.StartSessions(t, abuseSettings)
	web := s.Web()
	session := web.Login(t, "alice")
	server := harness.TextClaim(t, session.Access, "srv")
	if len(server) != 8 {
		t.Errorf("srv is %q", server)
	}
	t.Run("all of them the same, whatever user they are for", func(t *testing.T) {
		for _, token := range []string{web.Refreshed(t, session.Refresh).Access, web.Login(t, "bob").Access, s.Public("cli").Login(t, "alice").Access, post(s.As("logins"), t)} {
			if got := harness.TextClaim(t, token, "srv"); got != server {
				t.Errorf("srv is %q, and was %q", got, server)
			}
		}
		if got := harness.TextClaim(t, web.At("/elsewhere").Login(t, "alice").Access, "srv"); got == server {
			t.Errorf("another server has the same srv %q", got)
		}
	})
	t.Run("one of before, without it, is judged as it was then", func(t *testing.T) {
		for _, token := range []string{harness.Forge(t, session.Access, harness.WithoutClaims("srv")), harness.Forge(t, session.Access, harness.SetClaim("srv", `""`))} {
			if got := s.Edge(token); got != 200 {
				t.Errorf("the edge answers %d, for %q", got, s.LastReason())
			}
			if a := web.Introspect(token); a.JSON["active"] != true || a.JSON["srv"] != nil {
				t.Errorf("introspection says %s", a.Body)
			}
		}
		other := web.Login(t, "alice")
		web.Revoke(harness.Forge(t, other.Access, harness.WithoutClaims("srv"))).Want(t, 200, "")
		web.WantOver(t, other)
	})
	t.Run("one that another storage's server signed with this key is refused before its user is looked at", func(t *testing.T) {
		for _, token := range []string{
			harness.Forge(t, session.Access, harness.SetClaim("srv", `"AAAAAAAA"`)),
			harness.Forge(t, session.Access, func(f *harness.Forgery) {
				f.Claims["srv"], f.Claims["sub"] = json.RawMessage(`"AAAAAAAA"`), json.RawMessage(`"nobody"`)
			}),
		} {
			if got := s.Edge(token); got != 401 || s.LastReason() != "it belongs to another server" {
				t.Errorf("the edge answers %d, for %q", got, s.LastReason())
			}
			wantInactive(t, web.Introspect(token))
			web.Revoke(token).Want(t, 400, "invalid_grant")
		}
	})
	t.Run("one that is no text is malformed", func(t *testing.T) {
		for _, value := range []string{"1", "null", "true", "[]", `{"a":"b"}`, `["` + server + `"]`} {
			if got := s.Edge(harness.Forge(t, session.Access, harness.SetClaim("srv", value))); got != 401 || s.LastReason() != "srv is malformed" {
				t.Errorf("srv %s: the edge answers %d, for %q", value, got, s.LastReason())
			}
		}
	})
	t.Run("introspection leaves it out", func(t *testing.T) {
		if a := web.Introspect(web.Login(t, "alice").Access); a.JSON["active"] != true || a.JSON["srv"] != nil {
			t.Errorf("introspection says %s", a.Body)
		}
	})
	t.Run("a user cannot have a claim of that name", func(t *testing.T) {
		err := s.TryReload("", strings.Replace(harness.SessionSite, "claim email alice@example.com", "claim srv x", 1))
		harness.WantLoadError(t, err, `"srv"`)
	})
}

// post gets an access token of a client that may not refresh.
func post(c harness.OAuthClient, t *testing.T) string {
	t.Helper()
	a := c.Site.Post(c.Path, c.Form("grant_type", "password", "username", "alice", "password", "correct horse"))
	a.Want(t, 200, "")
	return a.Text(t, "access_token")
}
