// Package session tests refresh tokens, revocation and introspection.
package session

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Section G of the conformance list: the refresh grant. What becomes of a session in
// time is in lifetime_test.go, who may not refresh it in abuse_test.go.

func TestRefreshGivesNewTokens(t *testing.T) {
	s := harness.StartSessions(t, "")
	for _, client := range []harness.OAuthClient{s.Web(), s.Public("cli")} {
		t.Run("the answer is that of a login, for the client "+client.ID, func(t *testing.T) {
			first := client.Login(t, "alice")
			a := client.Refresh(first.Refresh)
			next := harness.TokensOf(t, a)
			for name, want := range map[string]string{
				"Content-Type": "application/json; charset=UTF-8", "Cache-Control": "no-store", "Pragma": "no-cache",
			} {
				if got := a.Header[name]; !slices.Equal(got, []string{want}) {
					t.Errorf("D5: %s is %q", name, got)
				}
			}
			if len(a.JSON) != 5 || a.JSON["token_type"] != "Bearer" || a.JSON["scope"] != "read write" {
				t.Errorf("D2: the answer is %s", a.Body)
			}
			if got := numericClaim(t, next.Access, "exp") - numericClaim(t, next.Access, "iat"); a.JSON["expires_in"] != float64(got) {
				t.Errorf("D3: expires_in is %v, exp - iat is %d", a.JSON["expires_in"], got)
			}
			if next.Refresh == first.Refresh || next.Access == first.Access {
				t.Error("G8: a token is what it was before")
			}
			if got := s.Edge(next.Access); got != 200 {
				t.Errorf("the edge answers %d to the new access token", got)
			}
			if got := s.Edge(first.Access); got != 200 {
				t.Errorf("the edge answers %d to the access token from before, which has not expired", got)
			}
		})
	}
	t.Run("the client may authenticate by Basic", func(t *testing.T) {
		session := s.Web().Login(t, "alice")
		form := "grant_type=refresh_token&refresh_token=" + session.Refresh
		session = harness.TokensOf(t, s.Post("/token", form, harness.Basic("web", "web-secret")))
		harness.TokensOf(t, s.Post("/token", "grant_type=refresh_token&refresh_token="+session.Refresh, harness.Basic("web", "web-secret")))
	})
	t.Run("a session goes on through many refreshes", func(t *testing.T) {
		session := s.Web().Login(t, "alice")
		for range 20 {
			session = s.Web().Refreshed(t, session.Refresh)
		}
		s.Web().WantGoing(t, session)
	})
	t.Run("a login writes nothing to the storage, a refresh one record", func(t *testing.T) {
		session := s.Web().Login(t, "alice")
		if found := harness.ReadIfThere(t, stateOf(s, t, session.Access, "")); found != "" {
			t.Errorf("after the login there is %s", found)
		}
		s.Web().Refreshed(t, session.Refresh)
		if found := harness.ReadIfThere(t, stateOf(s, t, session.Access, "")); !strings.Contains(found, `"generation":1`) {
			t.Errorf("after the refresh there is %q", found)
		}
	})
}

// A refusal that is not for reuse leaves the token as good as it was. Some servers
// refreshed for anyone who had the token: without the client's secret (G4), or for
// another client (G3).
func TestRefreshRequestsThatConsumeNothing(t *testing.T) {
	s := harness.StartSessions(t, "")
	web := s.Web()
	for _, test := range []struct {
		name   string
		client harness.OAuthClient
		pairs  []string
		header string
		status int
		code   string
	}{
		{"G1: refresh_token absent", web, []string{"refresh_token", ""}, "", 400, "invalid_request"},
		{"G3: another client's token", s.As("other"), nil, "", 400, "invalid_grant"},
		{"G3: a public client that has got hold of it", s.Public("cli"), nil, "", 400, "invalid_grant"},
		{"G4: no secret", s.Public("web"), nil, "", 400, "invalid_client"},
		{"G4: a wrong secret", web, []string{"client_secret", "wrong"}, "", 400, "invalid_client"},
		{"G4: a wrong secret by Basic", s.Public(""), []string{"client_id", ""}, harness.Basic("web", "wrong"), 401, "invalid_client"},
		{"G4: no client at all", web, []string{"client_id", "", "client_secret", ""}, "", 401, "invalid_client"},
		{"G4: an unknown client", web, []string{"client_id", "nobody"}, "", 400, "invalid_client"},
		{"G4: two ways to authenticate", web, nil, harness.Basic("web", "web-secret"), 400, "invalid_request"},
		{"D6: a client that may not refresh", s.As("logins"), nil, "", 400, "unauthorized_client"},
		{"G5: a scope that the login did not have", web, []string{"scope", "read write"}, "", 400, "invalid_scope"},
		{"G5: only a scope that the login did not have", web, []string{"scope", "write"}, "", 400, "invalid_scope"},
		{"G5: a scope that no user has", web, []string{"scope", "admin"}, "", 400, "invalid_scope"},
		{"G5: a malformed scope", web, []string{"scope", `re"ad`}, "", 400, "invalid_scope"},
		{"another grant_type", web, []string{"grant_type", "Refresh_Token"}, "", 400, "unsupported_grant_type"},
	} {
		t.Run(test.name, func(t *testing.T) {
			session := web.Login(t, "alice", "scope", "read")
			var headers []string
			if test.header != "" {
				headers = []string{test.header}
			}
			a := s.Post("/token", test.client.RefreshForm(session.Refresh, test.pairs...), headers...)
			a.Want(t, test.status, test.code)
			harness.WellFormedError(t, a)
			if challenge := a.Header.Get("WWW-Authenticate"); (test.status == 401) != strings.HasPrefix(challenge, "Basic ") {
				t.Errorf("B6, B7: the challenge is %q", challenge)
			}
			web.WantGoing(t, session)
		})
	}
}

func TestRefreshAndScopes(t *testing.T) {
	s := harness.StartSessions(t, "")
	web := s.Web()
	refreshed := func(t *testing.T, session harness.TokenPair, asked, granted string) harness.TokenPair {
		t.Helper()
		a := web.Refresh(session.Refresh, "scope", asked)
		next := harness.TokensOf(t, a)
		if a.JSON["scope"] != granted || harness.TextClaim(t, next.Access, "scope") != granted {
			t.Errorf("asked for %q, the answer says %q and the token %q, want %q", asked, a.JSON["scope"], harness.TextClaim(t, next.Access, "scope"), granted)
		}
		return next
	}
	t.Run("G6: without a scope, those of the login are granted", func(t *testing.T) {
		refreshed(t, web.Login(t, "alice"), "", "read write")
		refreshed(t, web.Login(t, "alice", "scope", "write"), "", "write")
		refreshed(t, web.Login(t, "bob"), "", "read") // narrowed to the user's at login
	})
	t.Run("G7: a narrower scope narrows the access token, and the next refresh gets all of them again", func(t *testing.T) {
		session := refreshed(t, web.Login(t, "alice"), "write", "write")
		if got := harness.TextClaim(t, session.Refresh, "scope"); got != "read write" {
			t.Errorf("the refresh token has the scope %q", got)
		}
		session = refreshed(t, session, "read", "read")
		session = refreshed(t, session, "", "read write")
		refreshed(t, session, "write read", "write read") // F1: the order has no meaning
	})
	t.Run("G5: what the user did not have at login is refused, as wider", func(t *testing.T) {
		session := web.Login(t, "bob", "scope", "read write")
		web.Refresh(session.Refresh, "scope", "write").Want(t, 400, "invalid_scope")
		refreshed(t, session, "read", "read")
	})
	t.Run("G5: after a narrower refresh, wider than the login is as wide as before", func(t *testing.T) {
		session := refreshed(t, web.Login(t, "alice", "scope", "read"), "read", "read")
		web.Refresh(session.Refresh, "scope", "read write").Want(t, 400, "invalid_scope")
		web.WantGoing(t, session)
	})
	t.Run("G5: the state is judged before the scope: a spent token is reuse, whatever it asks for", func(t *testing.T) {
		first := web.Login(t, "alice", "scope", "read")
		next := web.Refreshed(t, first.Refresh)
		web.Refresh(first.Refresh, "scope", "write").Want(t, 400, "invalid_grant")
		web.WantOver(t, next)
	})
}

// RFC 9700 §4.14.2: when a token comes twice, one of the two who have it is a thief.
func TestRefreshReuseEndsTheSession(t *testing.T) {
	s := harness.StartSessions(t, "")
	for _, client := range []harness.OAuthClient{s.Web(), s.Public("cli")} {
		for _, test := range []struct {
			name           string
			rotations, use int // which of the tokens comes again
		}{
			{"the token before the current one", 1, 0},
			{"the token of the login, after many", 5, 0},
			{"the token before the current one, after many", 5, 4},
			{"a token in between", 5, 2},
		} {
			t.Run(fmt.Sprintf("G8, G9, G10: %s, of the client %s", test.name, client.ID), func(t *testing.T) {
				chain := []harness.TokenPair{client.Login(t, "alice")}
				for range test.rotations {
					chain = append(chain, client.Refreshed(t, chain[len(chain)-1].Refresh))
				}
				bystander := client.Login(t, "alice")
				client.Refresh(chain[test.use].Refresh).Want(t, 400, "invalid_grant")
				for _, session := range chain {
					client.WantOver(t, session) // the live successor, and every access token
				}
				client.WantGoing(t, bystander) // another session of the same user
			})
		}
	}
	t.Run("G3: another client that sends a spent token ends nothing", func(t *testing.T) {
		first := s.Web().Login(t, "alice")
		next := s.Web().Refreshed(t, first.Refresh)
		s.As("other").Refresh(first.Refresh).Want(t, 400, "invalid_grant")
		s.Web().WantGoing(t, next)
	})
	t.Run("G4: nor does a client without the secret", func(t *testing.T) {
		first := s.Web().Login(t, "alice")
		next := s.Web().Refreshed(t, first.Refresh)
		s.Public("web").Refresh(first.Refresh).Want(t, 400, "invalid_client")
		s.Web().WantGoing(t, next)
	})
}

// Keycloak #50999: it compared times of whole seconds, so a token that was replaced
// within the same second was taken once more. Generations have an order within a
// second.
func TestRefreshReplayWithinTheSameSecond(t *testing.T) {
	s := harness.StartSessions(t, "")
	web := s.Web()
	for use := range 4 {
		t.Run(fmt.Sprintf("G13: the token of generation %d, after four rotations in one second", use), func(t *testing.T) {
			for try := 0; ; try++ {
				chain := []harness.TokenPair{web.Login(t, "alice")}
				for range 4 {
					chain = append(chain, web.Refreshed(t, chain[len(chain)-1].Refresh))
				}
				for generation, session := range chain {
					if got := numericClaim(t, session.Refresh, "gen"); got != int64(generation) {
						t.Fatalf("rotation %d gives generation %d", generation, got)
					}
				}
				if numericClaim(t, chain[0].Refresh, "iat") != numericClaim(t, chain[4].Refresh, "iat") && try < 20 {
					continue // the second was over
				}
				web.Refresh(chain[use].Refresh).Want(t, 400, "invalid_grant")
				web.WantOver(t, chain[4])
				return
			}
		})
	}
}
