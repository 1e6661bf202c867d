package integration

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Section K of the conformance list: introspection (RFC 7662).

// introspectSettings has clients that may see others' tokens, and an HS256 secret, so that
// tests can sign what a server could.
const introspectSettings = `
		signing_key HS256 ` + sharedSecret + `
		leeway      0s
		client gateway {
			secret     gateway-secret
			introspect https://api.example.com https://second.example.com
		}
		client second {
			secret     second-secret
			scopes     read
			audience   https://second.example.com https://third.example.com
			introspect https://elsewhere.example.com
		}
		client brief {
			secret            brief-secret
			scopes            read
			access_token_ttl  1s
			refresh_token_ttl 1s
		}
	}
	token_endpoint /elsewhere {
		name   elsewhere
		issuer https://api.example.com
		client web {
			secret web-secret
			scopes read write
		}
		user alice ` + hashBcrypt

// wantInactive holds K3 and K4: the answer says that and nothing else.
func wantInactive(t *testing.T, a answer) {
	t.Helper()
	if strings.TrimSpace(string(a.body)) != `{"active":false}` || a.status != 200 {
		t.Errorf("K4: got %d %s", a.status, a.body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json; charset=UTF-8", "Cache-Control": "no-store", "Pragma": "no-cache",
	} {
		if got := a.header[name]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s is %q", name, got)
		}
	}
}

func TestIntrospectShowsATokenToItsClient(t *testing.T) {
	s := startSessions(t, introspectSettings)
	web := s.web()
	session := web.login(t, "bob")
	for _, pair := range []tokenPair{session, web.refreshed(t, session.refresh)} {
		t.Run("K3, K7: an access token is what is in it, shaped as in it", func(t *testing.T) {
			a := web.introspect(pair.access)
			a.want(t, 200, "")
			want := payload(t, pair.access)
			delete(want, "cver")
			delete(want, "srv")
			want["active"], want["token_type"] = true, "Bearer"
			if !reflect.DeepEqual(a.json, want) {
				t.Errorf("got %s, want %v", a.body, want)
			}
			for _, member := range []string{"scope", "client_id", "username", "exp", "iat", "nbf", "sub", "aud", "iss", "jti", "sid"} {
				if a.json[member] == nil {
					t.Errorf("K7: there is no %s", member)
				}
			}
			if got := a.header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control is %q", got)
			}
		})
	}
	session = web.refreshed(t, web.login(t, "bob").refresh)
	t.Run("K8: a refresh token says what it is good for", func(t *testing.T) {
		a := web.introspect(session.refresh)
		a.want(t, 200, "")
		claims := payload(t, session.refresh)
		want := map[string]any{
			"active": true, "client_id": "web", "username": "bob", "sub": "u-2", "scope": "read",
			"iat": claims["iat"], "exp": claims["exp"], "jti": claims["refresh_token_id"], "sid": claims["sid"],
		}
		if !reflect.DeepEqual(a.json, want) {
			t.Errorf("got %s, want %v", a.body, want)
		}
		if a.json["token_type"] != nil {
			t.Errorf("token_type is %v, and it is no bearer token", a.json["token_type"])
		}
	})
	t.Run("K2: the hint does not matter", func(t *testing.T) {
		for _, hint := range []string{"access_token", "refresh_token", "nonsense", "\"<>"} {
			for _, token := range []string{session.access, session.refresh} {
				if a := web.introspect(token, "token_type_hint", hint); a.json["active"] != true {
					t.Errorf("hint %q: %s", hint, a.body)
				}
			}
		}
	})
	t.Run("K8: asking consumes nothing", func(t *testing.T) {
		web.introspect(session.refresh)
		web.wantGoing(t, session)
	})
	t.Run("K7: the user's own claims are there, with their types", func(t *testing.T) {
		a := web.introspect(web.login(t, "alice").access)
		if a.json["email"] != "alice@example.com" || a.json["username"] != "alice" {
			t.Errorf("got %s", a.body)
		}
	})
}

// Rows K1 and K2: who may ask, and how.
func TestIntrospectIsForClientsWithASecret(t *testing.T) {
	s := startSessions(t, introspectSettings)
	session := s.web().login(t, "alice")
	public := s.public("cli").login(t, "alice")
	for _, test := range []struct {
		name   string
		form   string
		header string
		status int
		code   string
	}{
		{"K1: nobody", "token=" + session.access, "", 401, "invalid_client"},
		{"K1: an unknown client", s.as("nobody").form("token", session.access), "", 400, "invalid_client"},
		{"K1: a wrong secret", oauthClient{s, "", "web", "wrong"}.form("token", session.access), "", 400, "invalid_client"},
		{"K1: no secret", s.public("web").form("token", session.access), "", 400, "invalid_client"},
		{"K1: a public client, as which anybody may pose", s.public("cli").form("token", public.access), "", 400, "invalid_client"},
		{"K1: a public client, of its refresh token", s.public("cli").form("token", public.refresh), "", 400, "invalid_client"},
		{"K1: a public client that sends nothing to ask for", s.public("cli").form(), "", 400, "invalid_client"},
		{"K1: the token itself does not authorise", "token=" + session.access, bearer(session.access), 401, "invalid_client"},
		{"K1: two ways to authenticate", s.web().form("token", session.access), basic("web", "web-secret"), 400, "invalid_request"},
		{"K2: token missing", s.web().form(), "", 400, "invalid_request"},
		{"K2: token empty", s.web().form() + "&token=", "", 400, "invalid_request"},
		{"K1: by Basic", "token=" + session.access, basic("web", "web-secret"), 200, ""},
		{"K1: by the form", s.web().form("token", session.access), "", 200, ""},
		{"K1: a client that may only log in", s.as("logins").form("token", session.access), "", 200, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var headers []string
			if test.header != "" {
				headers = append(headers, test.header)
			}
			a := s.post("/token/introspect", test.form, headers...)
			a.want(t, test.status, test.code)
			if test.status != 200 {
				wellFormedError(t, a)
			}
			if challenge := a.header.Get("WWW-Authenticate"); (test.status == 401) != strings.HasPrefix(challenge, "Basic ") {
				t.Errorf("the challenge is %q", challenge)
			}
		})
	}
}

// Row K6: a client sees its own tokens, and others only for the audiences it may introspect.
func TestIntrospectShowsOthersTokensByAudience(t *testing.T) {
	s := startSessions(t, introspectSettings)
	sessions := map[string]tokenPair{
		"web": s.web().login(t, "alice"), "cli": s.public("cli").login(t, "alice"), "second": s.as("second").login(t, "alice"),
	}
	for _, test := range []struct {
		asking, owner string
		sees          bool
	}{
		{"web", "web", true},
		{"second", "second", true},
		{"gateway", "web", true},
		{"gateway", "cli", true},
		{"gateway", "second", true}, // by one of its two audiences
		{"second", "web", false},    // has an audience, and may introspect yet another
		{"other", "web", false},
		{"web", "second", false},
		{"web", "cli", false},
		{"logins", "web", false},
	} {
		t.Run(fmt.Sprintf("K6: %s asks for an access token of %s: %t", test.asking, test.owner, test.sees), func(t *testing.T) {
			a := s.as(test.asking).introspect(sessions[test.owner].access)
			if !test.sees {
				wantInactive(t, a)
				return
			}
			if a.json["active"] != true || a.json["client_id"] != test.owner {
				t.Errorf("got %s", a.body)
			}
		})
	}
	t.Run("K8: a refresh token is for its client alone, whatever else that may introspect", func(t *testing.T) {
		for _, asking := range []string{"gateway", "other", "second", "logins"} {
			wantInactive(t, s.as(asking).introspect(sessions["web"].refresh))
		}
	})
}

// Row K5: whatever is wrong with a token, the answer is that it is inactive.
func TestIntrospectOfTokensThatAreNoGood(t *testing.T) {
	s := startSessions(t, introspectSettings)
	web := s.web()
	live := web.login(t, "alice")
	brief := s.as("brief").login(t, "alice")
	revoked := web.login(t, "alice")
	web.revoke(revoked.refresh).want(t, 200, "")
	first := web.login(t, "alice")
	spentNext := web.refreshed(t, first.refresh)
	reused := web.login(t, "alice")
	reusedNext := web.refreshed(t, reused.refresh)
	web.refresh(reused.refresh).want(t, 400, "invalid_grant")
	elsewhere := web.at("/elsewhere").login(t, "alice")
	sleepUntil(max(numericClaim(t, brief.access, "exp"), numericClaim(t, brief.refresh, "exp")))
	parts := strings.Split(live.access, ".")

	for _, test := range []struct {
		name   string
		client oauthClient
		token  string
	}{
		{"an access token that has expired", s.as("brief"), brief.access},
		{"a refresh token that has expired", s.as("brief"), brief.refresh},
		{"an access token that is not yet valid", web, forge(t, live.access, set("nbf", fromNow(1e9*60)))},
		{"an access token of a revoked session", web, revoked.access},
		{"a refresh token of a revoked session", web, revoked.refresh},
		{"an access token of a session that ended by reuse", web, reusedNext.access},
		{"a refresh token of a session that ended by reuse", web, reusedNext.refresh},
		{"a refresh token that is spent, while its successor lives", web, first.refresh},
		{"an access token with another signature", web, live.access[:len(live.access)-8] + "AAAAAAAA"},
		{"a refresh token with another signature", web, live.refresh[:len(live.refresh)-8] + "AAAAAAAA"},
		{"a token without a signature", web, parts[0] + "." + parts[1] + "."},
		{"an access token of another issuer", web, forge(t, live.access, set("iss", `"https://evil.example"`))},
		{"an access token without an issuer", web, forge(t, live.access, without("iss"))},
		{"an access token of another server of the same issuer", web, elsewhere.access},
		{"a refresh token of another server of the same issuer", web, elsewhere.refresh},
		{"an access token of a user that there is not", web, forge(t, live.access, set("sub", `"nobody"`))},
		{"an access token of another user's credential version", web, forge(t, live.access, set("sub", `"u-2"`))},
		{"an access token of a client that there is not", s.as("gateway"), forge(t, live.access, func(f *forgery) {
			f.claims["cid"], f.claims["client_id"] = json.RawMessage(`"nobody"`), json.RawMessage(`"nobody"`)
		})},
		{"an access token without a session", web, forge(t, live.access, without("sid"))},
		{"an access token of an unknown kind", web, forge(t, live.access, func(f *forgery) { f.header["typ"] = json.RawMessage(`"logout+jwt"`) })},
		{"a refresh token that an app signed", web, signedAs(t, live, "refresh+jwt")},
		{"garbage", web, "garbage"},
		{"60 kB", web, strings.Repeat("x", 60<<10)},
	} {
		t.Run("K4, K5: "+test.name, func(t *testing.T) { wantInactive(t, test.client.introspect(test.token)) })
	}
	t.Run("K5: a spent refresh token is inactive, and asking for it is no reuse", func(t *testing.T) {
		for _, token := range []string{spentNext.access, spentNext.refresh, first.access} {
			if a := web.introspect(token); a.json["active"] != true {
				t.Errorf("got %s", a.body)
			}
		}
		web.wantGoing(t, spentNext)
	})
	t.Run("K7: client_id is that of the token's client, whatever else a token says that an app signed", func(t *testing.T) {
		a := web.introspect(forge(t, live.access, func(f *forgery) {
			f.claims["active"], f.claims["token_type"] = json.RawMessage(`false`), json.RawMessage(`"none"`)
			f.claims["client_id"] = json.RawMessage(`"other"`)
		}))
		if a.json["active"] != true || a.json["client_id"] != "web" || a.json["token_type"] != "Bearer" {
			t.Errorf("got %s", a.body)
		}
	})
	t.Run("K4: no refusal is logged, since none happened", func(t *testing.T) {
		for _, line := range s.refusals() {
			if line["reason"] != "refresh_token_reused" {
				t.Errorf("logged: %v", slices.Sorted(maps.Keys(line)))
			}
		}
	})
}

// With a grace, what introspection says of the token before the current one is what a
// refresh would say.
func TestIntrospectWithinTheGrace(t *testing.T) {
	s := startSessions(t, "refresh_grace 1m")
	web := s.web()
	chain := []tokenPair{web.login(t, "alice")}
	for range 2 {
		chain = append(chain, web.refreshed(t, chain[len(chain)-1].refresh))
	}
	for generation, active := range []bool{false, true, true} {
		if a := web.introspect(chain[generation].refresh); a.json["active"] != active {
			t.Errorf("K8: of generation %d it says %s", generation, a.body)
		}
	}
	web.wantGoing(t, chain[2])
}
