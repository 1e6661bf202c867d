package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Section G of the conformance list: the refresh grant. What becomes of a session in time
// is in refresh_lifetime_test.go, who may not refresh it in refresh_abuse_test.go.

func TestRefreshGivesNewTokens(t *testing.T) {
	s := startSessions(t, "")
	for _, client := range []oauthClient{s.web(), s.public("cli")} {
		t.Run("the answer is that of a login, for the client "+client.id, func(t *testing.T) {
			first := client.login(t, "alice")
			a := client.refresh(first.refresh)
			next := tokensOf(t, a)
			for name, want := range map[string]string{
				"Content-Type": "application/json; charset=UTF-8", "Cache-Control": "no-store", "Pragma": "no-cache",
			} {
				if got := a.header[name]; !slices.Equal(got, []string{want}) {
					t.Errorf("D5: %s is %q", name, got)
				}
			}
			if len(a.json) != 5 || a.json["token_type"] != "Bearer" || a.json["scope"] != "read write" {
				t.Errorf("D2: the answer is %s", a.body)
			}
			if got := numericClaim(t, next.access, "exp") - numericClaim(t, next.access, "iat"); a.json["expires_in"] != float64(got) {
				t.Errorf("D3: expires_in is %v, exp - iat is %d", a.json["expires_in"], got)
			}
			if next.refresh == first.refresh || next.access == first.access {
				t.Error("G8: a token is what it was before")
			}
			if got := s.edge(next.access); got != 200 {
				t.Errorf("the edge answers %d to the new access token", got)
			}
			if got := s.edge(first.access); got != 200 {
				t.Errorf("the edge answers %d to the access token from before, which has not expired", got)
			}
		})
	}
	t.Run("the client may authenticate by Basic", func(t *testing.T) {
		session := s.web().login(t, "alice")
		form := "grant_type=refresh_token&refresh_token=" + session.refresh
		session = tokensOf(t, s.post("/token", form, basic("web", "web-secret")))
		tokensOf(t, s.post("/token", "grant_type=refresh_token&refresh_token="+session.refresh, basic("web", "web-secret")))
	})
	t.Run("a session goes on through many refreshes", func(t *testing.T) {
		session := s.web().login(t, "alice")
		for range 20 {
			session = s.web().refreshed(t, session.refresh)
		}
		s.web().wantGoing(t, session)
	})
	t.Run("a login writes nothing to the storage, a refresh one record", func(t *testing.T) {
		session := s.web().login(t, "alice")
		if found := readIfThere(t, s.stateOf(t, session.access, "")); found != "" {
			t.Errorf("after the login there is %s", found)
		}
		s.web().refreshed(t, session.refresh)
		if found := readIfThere(t, s.stateOf(t, session.access, "")); !strings.Contains(found, `"generation":1`) {
			t.Errorf("after the refresh there is %q", found)
		}
	})
}

// A refusal that is not for reuse leaves the token as good as it was. Some servers refreshed
// for anybody who had the token: without the client's secret (G4), or for another client (G3).
func TestRefreshRequestsThatConsumeNothing(t *testing.T) {
	s := startSessions(t, "")
	web := s.web()
	for _, test := range []struct {
		name   string
		client oauthClient
		pairs  []string
		header string
		status int
		code   string
	}{
		{"G1: refresh_token absent", web, []string{"refresh_token", ""}, "", 400, "invalid_request"},
		{"G3: another client's token", s.as("other"), nil, "", 400, "invalid_grant"},
		{"G3: a public client that has got hold of it", s.public("cli"), nil, "", 400, "invalid_grant"},
		{"G4: no secret", s.public("web"), nil, "", 400, "invalid_client"},
		{"G4: a wrong secret", web, []string{"client_secret", "wrong"}, "", 400, "invalid_client"},
		{"G4: a wrong secret by Basic", s.public(""), []string{"client_id", ""}, basic("web", "wrong"), 401, "invalid_client"},
		{"G4: no client at all", web, []string{"client_id", "", "client_secret", ""}, "", 401, "invalid_client"},
		{"G4: an unknown client", web, []string{"client_id", "nobody"}, "", 400, "invalid_client"},
		{"G4: two ways to authenticate", web, nil, basic("web", "web-secret"), 400, "invalid_request"},
		{"D6: a client that may not refresh", s.as("logins"), nil, "", 400, "unauthorized_client"},
		{"G5: a scope that the login did not have", web, []string{"scope", "read write"}, "", 400, "invalid_scope"},
		{"G5: only a scope that the login did not have", web, []string{"scope", "write"}, "", 400, "invalid_scope"},
		{"G5: a scope that nobody has", web, []string{"scope", "admin"}, "", 400, "invalid_scope"},
		{"G5: a malformed scope", web, []string{"scope", `re"ad`}, "", 400, "invalid_scope"},
		{"another grant_type", web, []string{"grant_type", "Refresh_Token"}, "", 400, "unsupported_grant_type"},
	} {
		t.Run(test.name, func(t *testing.T) {
			session := web.login(t, "alice", "scope", "read")
			var headers []string
			if test.header != "" {
				headers = []string{test.header}
			}
			a := s.post("/token", test.client.refreshForm(session.refresh, test.pairs...), headers...)
			a.want(t, test.status, test.code)
			wellFormedError(t, a)
			if challenge := a.header.Get("WWW-Authenticate"); (test.status == 401) != strings.HasPrefix(challenge, "Basic ") {
				t.Errorf("B6, B7: the challenge is %q", challenge)
			}
			web.wantGoing(t, session)
		})
	}
}

func TestRefreshAndScopes(t *testing.T) {
	s := startSessions(t, "")
	web := s.web()
	refreshed := func(t *testing.T, session tokenPair, asked, granted string) tokenPair {
		t.Helper()
		a := web.refresh(session.refresh, "scope", asked)
		next := tokensOf(t, a)
		if a.json["scope"] != granted || textClaim(t, next.access, "scope") != granted {
			t.Errorf("asked for %q, the answer says %q and the token %q, want %q", asked, a.json["scope"], textClaim(t, next.access, "scope"), granted)
		}
		return next
	}
	t.Run("G6: without a scope, those of the login are granted", func(t *testing.T) {
		refreshed(t, web.login(t, "alice"), "", "read write")
		refreshed(t, web.login(t, "alice", "scope", "write"), "", "write")
		refreshed(t, web.login(t, "bob"), "", "read") // narrowed to the user's at login
	})
	t.Run("G7: a narrower scope narrows the access token, and the next refresh gets all of them again", func(t *testing.T) {
		session := refreshed(t, web.login(t, "alice"), "write", "write")
		if got := textClaim(t, session.refresh, "scope"); got != "read write" {
			t.Errorf("the refresh token has the scope %q", got)
		}
		session = refreshed(t, session, "read", "read")
		session = refreshed(t, session, "", "read write")
		refreshed(t, session, "write read", "write read") // F1: the order has no meaning
	})
	t.Run("G5: what the user did not have at login is refused, as wider", func(t *testing.T) {
		session := web.login(t, "bob", "scope", "read write")
		web.refresh(session.refresh, "scope", "write").want(t, 400, "invalid_scope")
		refreshed(t, session, "read", "read")
	})
	t.Run("G5: after a narrower refresh, wider than the login is as wide as before", func(t *testing.T) {
		session := refreshed(t, web.login(t, "alice", "scope", "read"), "read", "read")
		web.refresh(session.refresh, "scope", "read write").want(t, 400, "invalid_scope")
		web.wantGoing(t, session)
	})
	t.Run("G5: the state is judged before the scope: a spent token is reuse, whatever it asks for", func(t *testing.T) {
		first := web.login(t, "alice", "scope", "read")
		next := web.refreshed(t, first.refresh)
		web.refresh(first.refresh, "scope", "write").want(t, 400, "invalid_grant")
		web.wantOver(t, next)
	})
}

// RFC 9700 §4.14.2: when a token comes twice, one of the two who have it is a thief.
func TestRefreshReuseEndsTheSession(t *testing.T) {
	s := startSessions(t, "")
	for _, client := range []oauthClient{s.web(), s.public("cli")} {
		for _, test := range []struct {
			name           string
			rotations, use int // which of the tokens comes again
		}{
			{"the token before the current one", 1, 0},
			{"the token of the login, after many", 5, 0},
			{"the token before the current one, after many", 5, 4},
			{"a token in between", 5, 2},
		} {
			t.Run(fmt.Sprintf("G8, G9, G10: %s, of the client %s", test.name, client.id), func(t *testing.T) {
				chain := []tokenPair{client.login(t, "alice")}
				for range test.rotations {
					chain = append(chain, client.refreshed(t, chain[len(chain)-1].refresh))
				}
				bystander := client.login(t, "alice")
				client.refresh(chain[test.use].refresh).want(t, 400, "invalid_grant")
				for _, session := range chain {
					client.wantOver(t, session) // the live successor, and every access token
				}
				client.wantGoing(t, bystander) // another session of the same user
			})
		}
	}
	t.Run("G3: another client that sends a spent token ends nothing", func(t *testing.T) {
		first := s.web().login(t, "alice")
		next := s.web().refreshed(t, first.refresh)
		s.as("other").refresh(first.refresh).want(t, 400, "invalid_grant")
		s.web().wantGoing(t, next)
	})
	t.Run("G4: nor does somebody without the secret", func(t *testing.T) {
		first := s.web().login(t, "alice")
		next := s.web().refreshed(t, first.refresh)
		s.public("web").refresh(first.refresh).want(t, 400, "invalid_client")
		s.web().wantGoing(t, next)
	})
}

// Keycloak #50999: it compared times of whole seconds, so a token that was replaced within
// the same second was taken once more. Generations have an order within a second.
func TestRefreshReplayWithinTheSameSecond(t *testing.T) {
	s := startSessions(t, "")
	web := s.web()
	for use := range 4 {
		t.Run(fmt.Sprintf("G13: the token of generation %d, after four rotations in one second", use), func(t *testing.T) {
			for try := 0; ; try++ {
				chain := []tokenPair{web.login(t, "alice")}
				for range 4 {
					chain = append(chain, web.refreshed(t, chain[len(chain)-1].refresh))
				}
				for generation, session := range chain {
					if got := numericClaim(t, session.refresh, "gen"); got != int64(generation) {
						t.Fatalf("rotation %d gives generation %d", generation, got)
					}
				}
				if numericClaim(t, chain[0].refresh, "iat") != numericClaim(t, chain[4].refresh, "iat") && try < 20 {
					continue // the second was over
				}
				web.refresh(chain[use].refresh).want(t, 400, "invalid_grant")
				web.wantOver(t, chain[4])
				return
			}
		})
	}
}
