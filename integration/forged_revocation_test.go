package integration

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// What an app that has a secret of HS256 makes up is not written to storage, as far as it can
// be told from what was issued.

func sid(day string, n int) string { return fmt.Sprintf("%s-%040x", day, n) }

func inYears(n int) string { return time.Now().AddDate(n, 0, 0).UTC().Format("20060102") }

// unknownReason is why the last revocation found nothing to end.
func (s *site) unknownReason() any {
	s.t.Helper()
	lines := s.logged(func(line map[string]any) bool { return line["msg"] == "no session to revoke" })
	if len(lines) == 0 {
		s.t.Fatal("no such line is logged")
	}
	return lines[len(lines)-1]["reason"]
}

func TestRevokeWritesNothingOfWhatAnAppMakesUp(t *testing.T) {
	s := startSessions(t, abuseSettings)
	web := s.web()
	session := web.login(t, "alice")
	made := func(changes ...func(*forgery)) string {
		return forge(t, session.access, func(f *forgery) {
			for _, change := range changes {
				change(f)
			}
		})
	}
	quoted := func(text string) string { return `"` + text + `"` }
	tests := []struct{ name, token, reason string }{
		{"garbage", "garbage", "token_unknown"},
		{"a user who never was", made(set("sub", `"mallory"`)), "user_unknown"},
		{"a user who never was, and another session", made(set("sub", `"mallory"`), set("sid", quoted(sid(inYears(1), 7)))), "user_unknown"},
		{"a user by name who has another subject", made(set("sub", `"bob"`)), "user_unknown"},
		{"a session that ends in the year 9999", made(set("sid", quoted(sid("99991231", 1)))), "session_impossible"},
		{"a session that ends in 11 years", made(set("sid", quoted(sid(inYears(11), 1)))), "session_impossible"},
		{"the same without the server's name", made(set("sid", quoted(sid(inYears(11), 1))), without("srv")), "session_impossible"},
		{"a session that ends before its token", made(set("sid", quoted(sid(inYears(-1), 1)))), "session_impossible"},
		{"a token that outlives its session", made(set("exp", fmt.Sprint(time.Now().AddDate(5, 0, 0).Unix()))), "session_impossible"},
		{"a token until the year 9999", made(set("exp", "253402300799"), set("sid", quoted(sid("99991231", 2)))), "session_impossible"},
		{"a client that is not there, by its cid", made(set("cid", `"nobody"`)), ""}, // J4: refused
	}
	for day := range 300 { // one more each time
		tests = append(tests, struct{ name, token, reason string }{
			fmt.Sprintf("day %d", day), made(set("sid", quoted(sid(fmt.Sprint(9000+day)+"0101", day)))), "session_impossible"})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := web.revoke(test.token)
			if test.reason == "" {
				a.want(t, 400, "invalid_grant")
				return
			}
			a.want(t, 200, "")
			if string(a.body) != "{}\n" && string(a.body) != "{}" {
				t.Errorf("the answer is %s", a.body)
			}
			if got := s.unknownReason(); got != test.reason {
				t.Errorf("the log says %v", got)
			}
		})
	}
	if got := s.files(); got != (files{}) {
		t.Errorf("the storage has %+v", got)
	}
	if lines := s.logged(func(line map[string]any) bool { return line["msg"] == "session revoked" }); len(lines) != 0 {
		t.Errorf("the log has %v", lines[0])
	}
	web.wantGoing(t, session)
}

// Logging out has to be good as long as there is a user.
func TestRevokeOfAUserWhoHasChanged(t *testing.T) {
	s, files := newSite(t), 0
	old, changed := cheapHash(t, "correct horse"), cheapHash(t, "another password")
	site := func(algorithm, hash, more string) string {
		users := fmt.Sprintf(`{"users":[{"username":"alice","password_hash":%q%s},{"username":"bob","password_hash":%q}]}`, hash, more, old)
		if hash == "" {
			users = fmt.Sprintf(`{"users":[{"username":"bob","password_hash":%q}]}`, old)
		}
		files++ // which a site follows
		name := fmt.Sprintf("users%d.json", files)
		s.writeOld(name, users)
		return strings.NewReplacer("%SETTINGS%", algorithm+"\nusers json %DIR%/"+name,
			"user alice "+hashBcrypt+" {\n\t\t\tclaim email alice@example.com\n\t\t}", "",
			"user bob "+hashBcrypt+" {\n\t\t\tid     u-2\n\t\t\tscopes read\n\t\t}", "").Replace(sessionSite)
	}
	for _, algorithm := range []string{"signing_key HS256 " + sharedSecret, "signing_key ES256"} {
		before, shared := site(algorithm, old, ""), strings.Contains(algorithm, sharedSecret)
		load := func(config string) {
			s.reload("", config)
			s.client.CloseIdleConnections()
			s.relogin("bob", "correct horse").want(t, 200, "")
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
					web := s.web()
					session := web.login(t, "alice")
					load(test.config)
					token, want := session.refresh, true
					if access {
						token, want = session.access, test.byAccess
					}
					web.revoke(token).want(t, 200, "")
					if marker := s.stateOf(t, session.access, ".revoked"); (readIfThere(t, marker) != "") != want {
						t.Errorf("revoked in storage: %t", !want)
					}
					load(before)
					if want {
						web.wantOver(t, session)
					} else {
						web.wantGoing(t, session)
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
		signing_key HS256 ` + sharedSecret + `
		client web {
			secret web-secret
			introspect https://api.example.com
		}
		user alice ` + hashBcrypt + `
	}
	token_endpoint /b {
		name b
		issuer %ISSUER%
		throttle off
		signing_key HS256 ` + sharedSecret + `
		client web {
			secret web-secret
			introspect https://api.example.com
		}
		user alice ` + hashBcrypt + `
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
			s := startCheap(t, strings.ReplaceAll(sharedSite, "%ISSUER%", issuer))
			edge := func(app, token string) int { return s.do(s.request("GET", app, "", bearer(token))).status }
			for _, test := range []struct{ own, other, app, otherApp string }{{"/a", "/b", "/app-a", "/app-b"}, {"/b", "/a", "/app-b", "/app-a"}} {
				own, other := s.web().at(test.own), s.web().at(test.other)
				session := own.login(t, "alice")
				first := session
				session = own.refreshed(t, session.refresh)
				t.Run("J4: revoking a token of "+test.own+" at "+test.other+" is refused, and ends nothing", func(t *testing.T) {
					before := s.files()
					for _, token := range []string{session.access, session.refresh, first.access, first.refresh} {
						for _, hint := range []string{"", "access_token", "refresh_token"} {
							a := other.revoke(token, "token_type_hint", hint)
							a.want(t, 400, "invalid_grant")
							wellFormedError(t, a)
							if got := s.reason(); got != "token_of_another_server" {
								t.Errorf("refused for %s", got)
							}
						}
					}
					if got := s.files(); got != before {
						t.Errorf("the storage has %+v, and had %+v", got, before)
					}
					session = own.refreshed(t, session.refresh)
				})
				t.Run("the edge and introspection of "+test.other+" refuse it, and the log says why", func(t *testing.T) {
					if got := edge(test.app, session.access); got != 200 {
						t.Fatalf("its own edge answers %d", got)
					}
					if got := edge(test.otherApp, session.access); got != 401 {
						t.Errorf("the edge answers %d", got)
					}
					if got := s.lastReason(); got != "it is of another server" {
						t.Errorf("the log says %q", got)
					}
					wantInactive(t, other.introspect(session.access))
					wantInactive(t, other.introspect(session.refresh))
				})
				t.Run("and it is revoked where it is from", func(t *testing.T) {
					own.revoke(session.access).want(t, 200, "")
					if got := edge(test.app, session.access); got != 401 {
						t.Errorf("the edge answers %d", got)
					}
				})
			}
		})
	}
}

func TestAccessTokensSayOfWhichServerTheyAre(t *testing.T) {
	s := startSessions(t, abuseSettings)
	web := s.web()
	session := web.login(t, "alice")
	server := textClaim(t, session.access, "srv")
	if len(server) != 8 {
		t.Errorf("srv is %q", server)
	}
	t.Run("all of them the same, whoever they are for", func(t *testing.T) {
		for _, token := range []string{web.refreshed(t, session.refresh).access, web.login(t, "bob").access, s.public("cli").login(t, "alice").access, s.as("logins").post(t)} {
			if got := textClaim(t, token, "srv"); got != server {
				t.Errorf("srv is %q, and was %q", got, server)
			}
		}
		if got := textClaim(t, web.at("/elsewhere").login(t, "alice").access, "srv"); got == server {
			t.Errorf("another server has the same srv %q", got)
		}
	})
	t.Run("one of before, without it, is judged as it was then", func(t *testing.T) {
		for _, token := range []string{forge(t, session.access, without("srv")), forge(t, session.access, set("srv", `""`))} {
			if got := s.edge(token); got != 200 {
				t.Errorf("the edge answers %d, for %q", got, s.lastReason())
			}
			if a := web.introspect(token); a.json["active"] != true || a.json["srv"] != nil {
				t.Errorf("introspection says %s", a.body)
			}
		}
		other := web.login(t, "alice")
		web.revoke(forge(t, other.access, without("srv"))).want(t, 200, "")
		web.wantOver(t, other)
	})
	t.Run("one that another storage's server signed with this key is refused before its user is looked at", func(t *testing.T) {
		for _, token := range []string{
			forge(t, session.access, set("srv", `"AAAAAAAA"`)),
			forge(t, session.access, func(f *forgery) {
				f.claims["srv"], f.claims["sub"] = json.RawMessage(`"AAAAAAAA"`), json.RawMessage(`"nobody"`)
			}),
		} {
			if got := s.edge(token); got != 401 || s.lastReason() != "it is of another server" {
				t.Errorf("the edge answers %d, for %q", got, s.lastReason())
			}
			wantInactive(t, web.introspect(token))
			web.revoke(token).want(t, 400, "invalid_grant")
		}
	})
	t.Run("one that is no text is malformed", func(t *testing.T) {
		for _, value := range []string{"1", "null", "true", "[]", `{"a":"b"}`, `["` + server + `"]`} {
			if got := s.edge(forge(t, session.access, set("srv", value))); got != 401 || s.lastReason() != "srv is malformed" {
				t.Errorf("srv %s: the edge answers %d, for %q", value, got, s.lastReason())
			}
		}
	})
	t.Run("introspection leaves it out", func(t *testing.T) {
		if a := web.introspect(web.login(t, "alice").access); a.json["active"] != true || a.json["srv"] != nil {
			t.Errorf("introspection says %s", a.body)
		}
	})
	t.Run("a user cannot have a claim of that name", func(t *testing.T) {
		err := s.tryReload("", strings.Replace(sessionSite, "claim email alice@example.com", "claim srv x", 1))
		wantLoadError(t, err, `"srv"`)
	})
}

// post gets an access token of a client that may not refresh.
func (c oauthClient) post(t *testing.T) string {
	t.Helper()
	a := c.s.post(c.path, c.form("grant_type", "password", "username", "alice", "password", "correct horse"))
	a.want(t, 200, "")
	return a.text(t, "access_token")
}
