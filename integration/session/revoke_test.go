package session

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Section J of the conformance list: revocation (RFC 7009), and row I22 in one process.

func TestRevoke(t *testing.T) {
	s := harness.StartSessions(t, "refresh_grace 1m")
	web := s.Web()
	// which of the tokens of a session that was refreshed twice is sent
	given := []struct {
		name string
		of   func(chain []harness.TokenPair) string
	}{
		{"the current refresh token", func(chain []harness.TokenPair) string { return chain[2].Refresh }},
		{"the refresh token before it, which is spent", func(chain []harness.TokenPair) string { return chain[1].Refresh }},
		{"the refresh token of the login", func(chain []harness.TokenPair) string { return chain[0].Refresh }},
		{"the newest access token", func(chain []harness.TokenPair) string { return chain[2].Access }},
		{"the access token of the login", func(chain []harness.TokenPair) string { return chain[0].Access }},
	}
	for _, test := range given {
		for _, hint := range []string{"", "access_token", "refresh_token", "id_token", "\"<>"} {
			t.Run(fmt.Sprintf("J2, J5, J6, J7, J8, I22: %s, hint %q, ends the session at once", test.name, hint), func(t *testing.T) {
				chain := []harness.TokenPair{web.Login(t, "alice")}
				for range 2 {
					chain = append(chain, web.Refreshed(t, chain[len(chain)-1].Refresh))
				}
				bystander := web.Login(t, "alice")
				a := web.Revoke(test.of(chain), "token_type_hint", hint)
				a.Want(t, 200, "")
				if got := a.Header.Get("Cache-Control"); got != "no-store" {
					t.Errorf("Cache-Control is %q", got)
				}
				for _, session := range chain {
					web.WantOver(t, session)
				}
				web.WantGoing(t, bystander)
			})
		}
	}
	t.Run("a session of which nothing was refreshed ends as well, by either token", func(t *testing.T) {
		for _, pick := range []func(harness.TokenPair) string{func(p harness.TokenPair) string { return p.Access }, func(p harness.TokenPair) string { return p.Refresh }} {
			session := web.Login(t, "alice")
			web.Revoke(pick(session)).Want(t, 200, "")
			web.WantOver(t, session)
		}
	})
	t.Run("I22: the edge says of a revoked token what it says of any bad one", func(t *testing.T) {
		session := web.Login(t, "alice")
		web.Revoke(session.Refresh).Want(t, 200, "")
		a := s.Do(s.Request("GET", "/app", "", harness.Bearer(session.Access)))
		if got := s.LastReason(); got != "its session was revoked" {
			t.Errorf("the log says %q", got)
		}
		harness.WantSameOutward(t, a, s.Do(s.Request("GET", "/app", "", harness.Bearer("garbage"))))
	})
}

// Whoever looks for the marker of a session has an access token in hand, or only its
// sid.
func TestRevokeLeavesAMarkerThatIsFoundFromEveryToken(t *testing.T) {
	s := harness.StartSessions(t, "")
	web := s.Web()
	first := web.Login(t, "alice")
	next := web.Refreshed(t, first.Refresh)
	web.Revoke(first.Access).Want(t, 200, "")
	want := stateOf(s, t, first.Access, ".revoked")
	for _, token := range []string{first.Access, first.Refresh, next.Access, next.Refresh} {
		if got := stateOf(s, t, token, ".revoked"); got != want {
			t.Errorf("from one token it is %s, from another %s", want, got)
		}
	}
	if content := harness.ReadIfThere(t, want); !strings.Contains(content, "revoked") || strings.Contains(content, "alice") {
		t.Errorf("the marker is %q", content)
	}
	t.Run("J3: revoking again writes nothing", func(t *testing.T) {
		before, err := os.Stat(want)
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range []string{first.Access, next.Refresh} {
			web.Revoke(token).Want(t, 200, "")
		}
		after, err := os.Stat(want)
		if err != nil || after.ModTime() != before.ModTime() {
			t.Errorf("the marker is of %v, and was of %v: %v", after.ModTime(), before.ModTime(), err)
		}
	})
	t.Run("it holds for introspection too, which reads the storage", func(t *testing.T) {
		for _, token := range []string{first.Access, first.Refresh, next.Access, next.Refresh} {
			if a := web.Introspect(token); a.JSON["active"] != false {
				t.Errorf("introspection says %s", a.Body)
			}
		}
	})
}

func TestRevokeOfTokensThatAreNoGood(t *testing.T) {
	s := harness.StartSessions(t, abuseSettings)
	web := s.Web()
	session := web.Login(t, "alice")
	revoked := web.Login(t, "alice")
	web.Revoke(revoked.Access).Want(t, 200, "")
	for _, test := range []struct{ name, token string }{
		{"garbage", "garbage"},
		{"an unknown token of the right form", session.Access[:len(session.Access)-8] + "AAAAAAAA"},
		{"a refresh token with another signature", session.Refresh[:len(session.Refresh)-8] + "AAAAAAAA"},
		{"a token without a signature", session.Access[:strings.LastIndex(session.Access, ".")+1]},
		{"an access token of another issuer", harness.Forge(t, session.Access, harness.SetClaim("iss", `"https://evil.example"`))},
		{"an access token without a session", harness.Forge(t, session.Access, harness.WithoutClaims("sid"))},
		{"an access token whose session is a path", harness.Forge(t, session.Access, harness.SetClaim("sid", `"../../../../evil"`))},
		{"an access token whose session has a day that is none", harness.Forge(t, session.Access, harness.SetClaim("sid", `"20269999-`+strings.Repeat("a", 40)+`"`))},
		{"an access token that was revoked", revoked.Access},
		{"a refresh token that was revoked", revoked.Refresh},
		{"60 kB", strings.Repeat("x", 60<<10)},
	} {
		t.Run("J3: "+test.name+" is as good as revoked", func(t *testing.T) {
			web.Revoke(test.token).Want(t, 200, "")
			web.Revoke(test.token, "token_type_hint", "refresh_token").Want(t, 200, "")
		})
	}
	t.Run("J4: a token of another server is refused, and goes on there", func(t *testing.T) {
		elsewhere := web.At("/elsewhere").Login(t, "alice")
		for _, token := range []string{elsewhere.Access, elsewhere.Refresh} {
			web.Revoke(token).Want(t, 400, "invalid_grant")
			if got := s.Reason(); got != "token_of_another_server" {
				t.Errorf("refused for %q", got)
			}
		}
		web.At("/elsewhere").Refreshed(t, elsewhere.Refresh)
	})
	t.Run("J3: none of them revoked anything, or wrote anywhere else", func(t *testing.T) {
		web.WantGoing(t, session)
		if _, err := os.Stat(s.Path("evil")); err == nil {
			t.Error("a path in a token was followed")
		}
	})
}

// RFC 7009 §2.1: the token has to be the client's own.
func TestRevokeIsForTheClientThatOwnsTheToken(t *testing.T) {
	s := harness.StartSessions(t, "")
	for _, test := range []struct {
		name         string
		owner, other harness.OAuthClient
		status       int
		code         string
	}{
		{"J4: another confidential client", s.Web(), s.As("other"), 400, "invalid_grant"},
		{"J4: a public client, of a confidential one's token", s.Web(), s.Public("cli"), 400, "invalid_grant"},
		{"J4: a confidential client, of a public one's token", s.Public("cli"), s.Web(), 400, "invalid_grant"},
		{"J1: the client without its secret", s.Web(), s.Public("web"), 400, "invalid_client"},
		{"J1: the client with a wrong secret", s.Web(), harness.OAuthClient{Site: s, Path: "/token", ID: "web", Secret: "wrong"}, 400, "invalid_client"},
		{"J1: a public client with a secret", s.Public("cli"), harness.OAuthClient{Site: s, Path: "/token", ID: "cli", Secret: "secret"}, 400, "invalid_client"},
		{"J1: no client", s.Web(), s.Public(""), 401, "invalid_client"},
	} {
		t.Run(test.name, func(t *testing.T) {
			first := test.owner.Login(t, "alice")
			session := test.owner.Refreshed(t, first.Refresh)
			for _, token := range []string{session.Refresh, session.Access, first.Refresh, first.Access} {
				for _, hint := range []string{"", "access_token", "refresh_token"} {
					a := test.other.Revoke(token, "token_type_hint", hint)
					a.Want(t, test.status, test.code)
					harness.WellFormedError(t, a)
					if challenge := a.Header.Get("WWW-Authenticate"); (test.status == 401) != strings.HasPrefix(challenge, "Basic ") {
						t.Errorf("the challenge is %q", challenge)
					}
				}
			}
			test.owner.WantGoing(t, session)
		})
	}
	for _, test := range []struct {
		name   string
		client harness.OAuthClient
		header string
	}{
		{"J1: by Basic", s.Public(""), harness.Basic("web", "web-secret")},
		{"J1: by Basic and the same client_id in the form", s.Public("web"), harness.Basic("web", "web-secret")},
		{"J1: by the form", s.Web(), ""},
		{"J11: a public client by its client_id", s.Public("cli"), ""},
		{"D6: a client that may not refresh", s.As("logins"), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			id := "web"
			if test.header == "" {
				id = test.client.ID
			}
			owner := map[string]harness.OAuthClient{"web": s.Web(), "cli": s.Public("cli"), "logins": s.As("logins")}[id]
			login := s.Post("/token", owner.Form("grant_type", "password", "username", "alice", "password", "correct horse"))
			token := login.Text(t, "access_token")
			var headers []string
			if test.header != "" {
				headers = append(headers, test.header)
			}
			s.Post("/token/revoke", test.client.Form("token", token), headers...).Want(t, 200, "")
			if got := s.Edge(token); got != 401 {
				t.Errorf("the edge answers %d", got)
			}
		})
	}
}

// Whoever can log in could have as much written to the storage as they like.
func TestRevokeTooOften(t *testing.T) {
	s := harness.StartCheap(t, strings.NewReplacer("throttle        off", "", "%SETTINGS%", "").Replace(harness.SessionSite))
	web := s.Web()
	var revoked []harness.TokenPair
	refused := web.Login(t, "alice")
	a := web.Revoke(refused.Access)
	for ; a.Status == 200 && len(revoked) < 100; a = web.Revoke(refused.Access) {
		revoked = append(revoked, refused)
		refused = web.Login(t, "alice")
	}
	if a.Want(t, 429, "temporarily_unavailable"); a.Header.Get("Retry-After") == "" || len(revoked) < 20 {
		t.Errorf("refused after %d, with the headers %v", len(revoked), a.Header)
	}
	harness.WellFormedError(t, a)
	for _, session := range revoked {
		web.Revoke(session.Access).Want(t, 200, "") // J3: what is revoked already costs nothing
	}
	other := web.Login(t, "bob")
	web.Revoke(other.Refresh).Want(t, 200, "")
	web.WantOver(t, other)
	next := web.WantGoing(t, refused) // the refusal had no effect
	web.Refresh(refused.Refresh).Want(t, 400, "invalid_grant")
	web.WantOver(t, next) // G9: whether a session ends by reuse does not depend on how often
}

// Logging out late is logging out: a token that has expired ends the rest of its
// session.
func TestRevokeByAnExpiredToken(t *testing.T) {
	t.Parallel()
	s := harness.Apart(t, harness.SessionConfig(t, `
		leeway 0s
		client brief-access {
			secret            brief-access-secret
			access_token_ttl  1s
		}
		client brief-refresh {
			secret            brief-refresh-secret
			refresh_token_ttl 1s
		}`))
	access, refresh := s.As("brief-access"), s.As("brief-refresh")
	byAccess, byRefresh := access.Login(t, "alice"), refresh.Login(t, "alice")
	untouched := access.Login(t, "alice")
	sleepUntil(max(numericClaim(t, byAccess.Access, "exp"), numericClaim(t, byRefresh.Refresh, "exp")))

	t.Run("J3, J7: an expired access token", func(t *testing.T) {
		if got := s.Edge(byAccess.Access); got != 401 {
			t.Fatalf("the edge answers %d: it has not expired", got)
		}
		access.Revoke(byAccess.Access).Want(t, 200, "")
		access.Refresh(byAccess.Refresh).Want(t, 400, "invalid_grant")
		if got := s.Reason(); got != "session_revoked" {
			t.Errorf("refused for %q", got)
		}
	})
	t.Run("J3, J6: an expired refresh token", func(t *testing.T) {
		refresh.Refresh(byRefresh.Refresh).Want(t, 400, "invalid_grant")
		if got := s.Edge(byRefresh.Access); got != 200 {
			t.Fatalf("the edge answers %d to an access token that has not expired", got)
		}
		refresh.Revoke(byRefresh.Refresh).Want(t, 200, "")
		if got := s.Edge(byRefresh.Access); got != 401 {
			t.Errorf("the edge answers %d", got)
		}
	})
	t.Run("J4: an expired token of another client ends nothing", func(t *testing.T) {
		s.Web().Revoke(untouched.Access).Want(t, 400, "invalid_grant")
		access.Refreshed(t, untouched.Refresh)
	})
}
