package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Section J of the conformance list: revocation (RFC 7009), and row I22 in one process.

func TestRevoke(t *testing.T) {
	s := startSessions(t, "refresh_grace 1m")
	web := s.web()
	// which of the tokens of a session that was refreshed twice is sent
	given := []struct {
		name string
		of   func(chain []tokenPair) string
	}{
		{"the current refresh token", func(chain []tokenPair) string { return chain[2].refresh }},
		{"the refresh token before it, which is spent", func(chain []tokenPair) string { return chain[1].refresh }},
		{"the refresh token of the login", func(chain []tokenPair) string { return chain[0].refresh }},
		{"the newest access token", func(chain []tokenPair) string { return chain[2].access }},
		{"the access token of the login", func(chain []tokenPair) string { return chain[0].access }},
	}
	for _, test := range given {
		for _, hint := range []string{"", "access_token", "refresh_token", "id_token", "\"<>"} {
			t.Run(fmt.Sprintf("J2, J5, J6, J7, J8, I22: %s, hint %q, ends the session at once", test.name, hint), func(t *testing.T) {
				chain := []tokenPair{web.login(t, "alice")}
				for range 2 {
					chain = append(chain, web.refreshed(t, chain[len(chain)-1].refresh))
				}
				bystander := web.login(t, "alice")
				a := web.revoke(test.of(chain), "token_type_hint", hint)
				a.want(t, 200, "")
				if got := a.header.Get("Cache-Control"); got != "no-store" {
					t.Errorf("Cache-Control is %q", got)
				}
				for _, session := range chain {
					web.wantOver(t, session)
				}
				web.wantGoing(t, bystander)
			})
		}
	}
	t.Run("a session of which nothing was refreshed ends as well, by either token", func(t *testing.T) {
		for _, pick := range []func(tokenPair) string{func(p tokenPair) string { return p.access }, func(p tokenPair) string { return p.refresh }} {
			session := web.login(t, "alice")
			web.revoke(pick(session)).want(t, 200, "")
			web.wantOver(t, session)
		}
	})
	t.Run("I22: the edge says of a revoked token what it says of any bad one", func(t *testing.T) {
		session := web.login(t, "alice")
		web.revoke(session.refresh).want(t, 200, "")
		a := s.do(s.request("GET", "/app", "", bearer(session.access)))
		if got := s.lastReason(); got != "its session was revoked" {
			t.Errorf("the log says %q", got)
		}
		wantSameOutward(t, a, s.do(s.request("GET", "/app", "", bearer("garbage"))))
	})
}

// Whoever looks for the marker of a session has an access token in hand, or only its sid.
func TestRevokeLeavesAMarkerThatIsFoundFromEveryToken(t *testing.T) {
	s := startSessions(t, "")
	web := s.web()
	first := web.login(t, "alice")
	next := web.refreshed(t, first.refresh)
	web.revoke(first.access).want(t, 200, "")
	want := s.stateOf(t, first.access, ".revoked")
	for _, token := range []string{first.access, first.refresh, next.access, next.refresh} {
		if got := s.stateOf(t, token, ".revoked"); got != want {
			t.Errorf("from one token it is %s, from another %s", want, got)
		}
	}
	if content := readIfThere(t, want); !strings.Contains(content, "revoked") || strings.Contains(content, "alice") {
		t.Errorf("the marker is %q", content)
	}
	t.Run("J3: revoking again writes nothing", func(t *testing.T) {
		before, err := os.Stat(want)
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range []string{first.access, next.refresh} {
			web.revoke(token).want(t, 200, "")
		}
		after, err := os.Stat(want)
		if err != nil || after.ModTime() != before.ModTime() {
			t.Errorf("the marker is of %v, and was of %v: %v", after.ModTime(), before.ModTime(), err)
		}
	})
	t.Run("it holds for introspection too, which reads the storage", func(t *testing.T) {
		for _, token := range []string{first.access, first.refresh, next.access, next.refresh} {
			if a := web.introspect(token); a.json["active"] != false {
				t.Errorf("introspection says %s", a.body)
			}
		}
	})
}

func TestRevokeOfTokensThatAreNoGood(t *testing.T) {
	s := startSessions(t, abuseSettings)
	web := s.web()
	session := web.login(t, "alice")
	revoked := web.login(t, "alice")
	web.revoke(revoked.access).want(t, 200, "")
	for _, test := range []struct{ name, token string }{
		{"garbage", "garbage"},
		{"an unknown token of the right form", session.access[:len(session.access)-8] + "AAAAAAAA"},
		{"a refresh token with another signature", session.refresh[:len(session.refresh)-8] + "AAAAAAAA"},
		{"a token without a signature", session.access[:strings.LastIndex(session.access, ".")+1]},
		{"an access token of another issuer", forge(t, session.access, set("iss", `"https://evil.example"`))},
		{"an access token without a session", forge(t, session.access, without("sid"))},
		{"an access token whose session is a path", forge(t, session.access, set("sid", `"../../../../evil"`))},
		{"an access token whose session has a day that is none", forge(t, session.access, set("sid", `"20269999-`+strings.Repeat("a", 40)+`"`))},
		{"an access token that was revoked", revoked.access},
		{"a refresh token that was revoked", revoked.refresh},
		{"60 kB", strings.Repeat("x", 60<<10)},
	} {
		t.Run("J3: "+test.name+" is as good as revoked", func(t *testing.T) {
			web.revoke(test.token).want(t, 200, "")
			web.revoke(test.token, "token_type_hint", "refresh_token").want(t, 200, "")
		})
	}
	t.Run("J4: a token of another server is refused, and goes on there", func(t *testing.T) {
		elsewhere := web.at("/elsewhere").login(t, "alice")
		for _, token := range []string{elsewhere.access, elsewhere.refresh} {
			web.revoke(token).want(t, 400, "invalid_grant")
			if got := s.reason(); got != "token_of_another_server" {
				t.Errorf("refused for %q", got)
			}
		}
		web.at("/elsewhere").refreshed(t, elsewhere.refresh)
	})
	t.Run("J3: none of them revoked anything, or wrote anywhere else", func(t *testing.T) {
		web.wantGoing(t, session)
		if _, err := os.Stat(s.path("evil")); err == nil {
			t.Error("a path in a token was followed")
		}
	})
}

// RFC 7009 §2.1: the token has to be the client's own.
func TestRevokeIsForTheClientThatOwnsTheToken(t *testing.T) {
	s := startSessions(t, "")
	for _, test := range []struct {
		name         string
		owner, other oauthClient
		status       int
		code         string
	}{
		{"J4: another confidential client", s.web(), s.as("other"), 400, "invalid_grant"},
		{"J4: a public client, of a confidential one's token", s.web(), s.public("cli"), 400, "invalid_grant"},
		{"J4: a confidential client, of a public one's token", s.public("cli"), s.web(), 400, "invalid_grant"},
		{"J1: the client without its secret", s.web(), s.public("web"), 400, "invalid_client"},
		{"J1: the client with a wrong secret", s.web(), oauthClient{s, "/token", "web", "wrong"}, 400, "invalid_client"},
		{"J1: a public client with a secret", s.public("cli"), oauthClient{s, "/token", "cli", "secret"}, 400, "invalid_client"},
		{"J1: nobody", s.web(), s.public(""), 401, "invalid_client"},
	} {
		t.Run(test.name, func(t *testing.T) {
			first := test.owner.login(t, "alice")
			session := test.owner.refreshed(t, first.refresh)
			for _, token := range []string{session.refresh, session.access, first.refresh, first.access} {
				for _, hint := range []string{"", "access_token", "refresh_token"} {
					a := test.other.revoke(token, "token_type_hint", hint)
					a.want(t, test.status, test.code)
					wellFormedError(t, a)
					if challenge := a.header.Get("WWW-Authenticate"); (test.status == 401) != strings.HasPrefix(challenge, "Basic ") {
						t.Errorf("the challenge is %q", challenge)
					}
				}
			}
			test.owner.wantGoing(t, session)
		})
	}
	for _, test := range []struct {
		name   string
		client oauthClient
		header string
	}{
		{"J1: by Basic", s.public(""), basic("web", "web-secret")},
		{"J1: by Basic and the same client_id in the form", s.public("web"), basic("web", "web-secret")},
		{"J1: by the form", s.web(), ""},
		{"J11: a public client by its client_id", s.public("cli"), ""},
		{"D6: a client that may not refresh", s.as("logins"), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			id := "web"
			if test.header == "" {
				id = test.client.id
			}
			owner := map[string]oauthClient{"web": s.web(), "cli": s.public("cli"), "logins": s.as("logins")}[id]
			login := s.post("/token", owner.form("grant_type", "password", "username", "alice", "password", "correct horse"))
			token := login.text(t, "access_token")
			var headers []string
			if test.header != "" {
				headers = append(headers, test.header)
			}
			s.post("/token/revoke", test.client.form("token", token), headers...).want(t, 200, "")
			if got := s.edge(token); got != 401 {
				t.Errorf("the edge answers %d", got)
			}
		})
	}
}

// Whoever can log in could have as much written to the storage as they like.
func TestRevokeTooOften(t *testing.T) {
	s := startCheap(t, strings.NewReplacer("throttle        off", "", "%SETTINGS%", "").Replace(sessionSite))
	web := s.web()
	var revoked []tokenPair
	refused := web.login(t, "alice")
	a := web.revoke(refused.access)
	for ; a.status == 200 && len(revoked) < 100; a = web.revoke(refused.access) {
		revoked = append(revoked, refused)
		refused = web.login(t, "alice")
	}
	if a.want(t, 429, "temporarily_unavailable"); a.header.Get("Retry-After") == "" || len(revoked) < 20 {
		t.Errorf("refused after %d, with the headers %v", len(revoked), a.header)
	}
	wellFormedError(t, a)
	for _, session := range revoked {
		web.revoke(session.access).want(t, 200, "") // J3: what is revoked already costs nothing
	}
	other := web.login(t, "bob")
	web.revoke(other.refresh).want(t, 200, "")
	web.wantOver(t, other)
	next := web.wantGoing(t, refused) // the refusal had no effect
	web.refresh(refused.refresh).want(t, 400, "invalid_grant")
	web.wantOver(t, next) // G9: that a session ends by reuse is no matter of how often
}

// Logging out late is logging out: a token that has expired ends the rest of its session.
func TestRevokeByAnExpiredToken(t *testing.T) {
	s := startSessions(t, `
		leeway 0s
		client brief-access {
			secret            brief-access-secret
			access_token_ttl  1s
		}
		client brief-refresh {
			secret            brief-refresh-secret
			refresh_token_ttl 1s
		}`)
	access, refresh := s.as("brief-access"), s.as("brief-refresh")
	byAccess, byRefresh := access.login(t, "alice"), refresh.login(t, "alice")
	untouched := access.login(t, "alice")
	sleepUntil(max(numericClaim(t, byAccess.access, "exp"), numericClaim(t, byRefresh.refresh, "exp")))

	t.Run("J3, J7: an expired access token", func(t *testing.T) {
		if got := s.edge(byAccess.access); got != 401 {
			t.Fatalf("the edge answers %d: it has not expired", got)
		}
		access.revoke(byAccess.access).want(t, 200, "")
		access.refresh(byAccess.refresh).want(t, 400, "invalid_grant")
		if got := s.reason(); got != "session_revoked" {
			t.Errorf("refused for %q", got)
		}
	})
	t.Run("J3, J6: an expired refresh token", func(t *testing.T) {
		refresh.refresh(byRefresh.refresh).want(t, 400, "invalid_grant")
		if got := s.edge(byRefresh.access); got != 200 {
			t.Fatalf("the edge answers %d to an access token that has not expired", got)
		}
		refresh.revoke(byRefresh.refresh).want(t, 200, "")
		if got := s.edge(byRefresh.access); got != 401 {
			t.Errorf("the edge answers %d", got)
		}
	})
	t.Run("J4: an expired token of another client ends nothing", func(t *testing.T) {
		s.web().revoke(untouched.access).want(t, 400, "invalid_grant")
		access.refreshed(t, untouched.refresh)
	})
}
