package session

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Section K of the conformance list: introspection (RFC 7662).

// introspectSettings has clients that may see others' tokens, and an HS256 secret, so
// that tests can sign what a server could.
const introspectSettings = `
		signing_key HS256 ` + harness.SharedSecret + `
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
		user alice ` + harness.HashBcrypt

// wantInactive holds K3 and K4: the answer says that and nothing else.
func wantInactive(t *testing.T, a harness.Answer) {
	t.Helper()
	if strings.TrimSpace(string(a.Body)) != `{"active":false}` || a.Status != 200 {
		t.Errorf("K4: got %d %s", a.Status, a.Body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json; charset=UTF-8", "Cache-Control": "no-store", "Pragma": "no-cache",
	} {
		if got := a.Header[name]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s is %q", name, got)
		}
	}
}

func TestIntrospectShowsATokenToItsClient(t *testing.T) {
	s := harness.StartSessions(t, introspectSettings)
	web := s.Web()
	session := web.Login(t, "bob")
	for _, pair := range []harness.TokenPair{session, web.Refreshed(t, session.Refresh)} {
		t.Run("K3, K7: an access token is what is in it, shaped as in it", func(t *testing.T) {
			a := web.Introspect(pair.Access)
			a.Want(t, 200, "")
			want := harness.Payload(t, pair.Access)
			delete(want, "cver")
			delete(want, "srv")
			want["active"], want["token_type"] = true, "Bearer"
			if !reflect.DeepEqual(a.JSON, want) {
				t.Errorf("got %s, want %v", a.Body, want)
			}
			for _, member := range []string{"scope", "client_id", "username", "exp", "iat", "nbf", "sub", "aud", "iss", "jti", "sid"} {
				if a.JSON[member] == nil {
					t.Errorf("K7: there is no %s", member)
				}
			}
			if got := a.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control is %q", got)
			}
		})
	}
	session = web.Refreshed(t, web.Login(t, "bob").Refresh)
	t.Run("K8: a refresh token says what it is good for", func(t *testing.T) {
		a := web.Introspect(session.Refresh)
		a.Want(t, 200, "")
		claims := harness.Payload(t, session.Refresh)
		want := map[string]any{
			"active": true, "client_id": "web", "username": "bob", "sub": "u-2", "scope": "read",
			"iat": claims["iat"], "exp": claims["exp"], "jti": claims["refresh_token_id"], "sid": claims["sid"],
		}
		if !reflect.DeepEqual(a.JSON, want) {
			t.Errorf("got %s, want %v", a.Body, want)
		}
		if a.JSON["token_type"] != nil {
			t.Errorf("token_type is %v, and it is not a bearer token", a.JSON["token_type"])
		}
	})
	t.Run("K2: the hint does not matter", func(t *testing.T) {
		for _, hint := range []string{"access_token", "refresh_token", "nonsense", "\"<>"} {
			for _, token := range []string{session.Access, session.Refresh} {
				if a := web.Introspect(token, "token_type_hint", hint); a.JSON["active"] != true {
					t.Errorf("hint %q: %s", hint, a.Body)
				}
			}
		}
	})
	t.Run("K8: asking consumes nothing", func(t *testing.T) {
		web.Introspect(session.Refresh)
		web.WantGoing(t, session)
	})
	t.Run("K7: the user's own claims are there, with their types", func(t *testing.T) {
		a := web.Introspect(web.Login(t, "alice").Access)
		if a.JSON["email"] != "alice@example.com" || a.JSON["username"] != "alice" {
			t.Errorf("got %s", a.Body)
		}
	})
}

// Rows K1 and K2: who may ask, and how.
func TestIntrospectIsForClientsWithASecret(t *testing.T) {
	s := harness.StartSessions(t, introspectSettings)
	session := s.Web().Login(t, "alice")
	public := s.Public("cli").Login(t, "alice")
	for _, test := range []struct {
		name   string
		form   string
		header string
		status int
		code   string
	}{
		{"K1: no client", "token=" + session.Access, "", 401, "invalid_client"},
		{"K1: an unknown client", s.As("nobody").Form("token", session.Access), "", 400, "invalid_client"},
		{"K1: a wrong secret", harness.OAuthClient{Site: s, ID: "web", Secret: "wrong"}.Form("token", session.Access), "", 400, "invalid_client"},
		{"K1: no secret", s.Public("web").Form("token", session.Access), "", 400, "invalid_client"},
		{"K1: a public client, as which anyone may pose", s.Public("cli").Form("token", public.Access), "", 400, "invalid_client"},
		{"K1: a public client, of its refresh token", s.Public("cli").Form("token", public.Refresh), "", 400, "invalid_client"},
		{"K1: a public client that sends nothing to ask for", s.Public("cli").Form(), "", 400, "invalid_client"},
		{"K1: the token itself does not authorise", "token=" + session.Access, harness.Bearer(session.Access), 401, "invalid_client"},
		{"K1: two ways to authenticate", s.Web().Form("token", session.Access), harness.Basic("web", "web-secret"), 400, "invalid_request"},
		{"K2: token missing", s.Web().Form(), "", 400, "invalid_request"},
		{"K2: token empty", s.Web().Form() + "&token=", "", 400, "invalid_request"},
		{"K1: by Basic", "token=" + session.Access, harness.Basic("web", "web-secret"), 200, ""},
		{"K1: by the form", s.Web().Form("token", session.Access), "", 200, ""},
		{"K1: a client that may only log in", s.As("logins").Form("token", session.Access), "", 200, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var headers []string
			if test.header != "" {
				headers = append(headers, test.header)
			}
			a := s.Post("/token/introspect", test.form, headers...)
			a.Want(t, test.status, test.code)
			if test.status != 200 {
				harness.WellFormedError(t, a)
			}
			if challenge := a.Header.Get("WWW-Authenticate"); (test.status == 401) != strings.HasPrefix(challenge, "Basic ") {
				t.Errorf("the challenge is %q", challenge)
			}
		})
	}
}

// Row K6: a client sees its own tokens, and others only for the audiences it may
// introspect.
func TestIntrospectShowsOthersTokensByAudience(t *testing.T) {
	s := harness.StartSessions(t, introspectSettings)
	sessions := map[string]harness.TokenPair{
		"web": s.Web().Login(t, "alice"), "cli": s.Public("cli").Login(t, "alice"), "second": s.As("second").Login(t, "alice"),
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
			a := s.As(test.asking).Introspect(sessions[test.owner].Access)
			if !test.sees {
				wantInactive(t, a)
				return
			}
			if a.JSON["active"] != true || a.JSON["client_id"] != test.owner {
				t.Errorf("got %s", a.Body)
			}
		})
	}
	t.Run("K8: a refresh token is for its client alone, whatever else that may introspect", func(t *testing.T) {
		for _, asking := range []string{"gateway", "other", "second", "logins"} {
			wantInactive(t, s.As(asking).Introspect(sessions["web"].Refresh))
		}
	})
}

// Row K5: whatever is wrong with a token, the answer is that it is inactive.
func TestIntrospectOfTokensThatAreNoGood(t *testing.T) {
	s := harness.StartSessions(t, introspectSettings)
	web := s.Web()
	live := web.Login(t, "alice")
	brief := s.As("brief").Login(t, "alice")
	revoked := web.Login(t, "alice")
	web.Revoke(revoked.Refresh).Want(t, 200, "")
	first := web.Login(t, "alice")
	spentNext := web.Refreshed(t, first.Refresh)
	reused := web.Login(t, "alice")
	reusedNext := web.Refreshed(t, reused.Refresh)
	web.Refresh(reused.Refresh).Want(t, 400, "invalid_grant")
	elsewhere := web.At("/elsewhere").Login(t, "alice")
	sleepUntil(max(numericClaim(t, brief.Access, "exp"), numericClaim(t, brief.Refresh, "exp")))
	parts := strings.Split(live.Access, ".")

	for _, test := range []struct {
		name   string
		client harness.OAuthClient
		token  string
	}{
		{"an access token that has expired", s.As("brief"), brief.Access},
		{"a refresh token that has expired", s.As("brief"), brief.Refresh},
		{"an access token that is not yet valid", web, harness.Forge(t, live.Access, harness.SetClaim("nbf", harness.FromNow(1e9*60)))},
		{"an access token of a revoked session", web, revoked.Access},
		{"a refresh token of a revoked session", web, revoked.Refresh},
		{"an access token of a session that ended by reuse", web, reusedNext.Access},
		{"a refresh token of a session that ended by reuse", web, reusedNext.Refresh},
		{"a refresh token that is spent, while its successor lives", web, first.Refresh},
		{"an access token with another signature", web, live.Access[:len(live.Access)-8] + "AAAAAAAA"},
		{"a refresh token with another signature", web, live.Refresh[:len(live.Refresh)-8] + "AAAAAAAA"},
		{"a token without a signature", web, parts[0] + "." + parts[1] + "."},
		{"an access token of another issuer", web, harness.Forge(t, live.Access, harness.SetClaim("iss", `"https://evil.example"`))},
		{"an access token without an issuer", web, harness.Forge(t, live.Access, harness.WithoutClaims("iss"))},
		{"an access token of another server of the same issuer", web, elsewhere.Access},
		{"a refresh token of another server of the same issuer", web, elsewhere.Refresh},
		{"an access token of a user that there is not", web, harness.Forge(t, live.Access, harness.SetClaim("sub", `"nobody"`))},
		{"an access token of another user's credential version", web, harness.Forge(t, live.Access, harness.SetClaim("sub", `"u-2"`))},
		{"an access token of a client that there is not", s.As("gateway"), harness.Forge(t, live.Access, func(f *harness.Forgery) {
			f.Claims["cid"], f.Claims["client_id"] = json.RawMessage(`"nobody"`), json.RawMessage(`"nobody"`)
		})},
		{"an access token without a session", web, harness.Forge(t, live.Access, harness.WithoutClaims("sid"))},
		{"an access token of an unknown kind", web, harness.Forge(t, live.Access, func(f *harness.Forgery) { f.Header["typ"] = json.RawMessage(`"logout+jwt"`) })},
		{"a refresh token that an app signed", web, signedAs(t, live, "refresh+jwt")},
		{"garbage", web, "garbage"},
		{"60 kB", web, strings.Repeat("x", 60<<10)},
	} {
		t.Run("K4, K5: "+test.name, func(t *testing.T) { wantInactive(t, test.client.Introspect(test.token)) })
	}
	t.Run("K5: a spent refresh token is inactive, and asking for it is no reuse", func(t *testing.T) {
		for _, token := range []string{spentNext.Access, spentNext.Refresh, first.Access} {
			if a := web.Introspect(token); a.JSON["active"] != true {
				t.Errorf("got %s", a.Body)
			}
		}
		web.WantGoing(t, spentNext)
	})
	t.Run("K7: client_id is that of the token's client, whatever else a token says that an app signed", func(t *testing.T) {
		a := web.Introspect(harness.Forge(t, live.Access, func(f *harness.Forgery) {
			f.Claims["active"], f.Claims["token_type"] = json.RawMessage(`false`), json.RawMessage(`"none"`)
			f.Claims["client_id"] = json.RawMessage(`"other"`)
		}))
		if a.JSON["active"] != true || a.JSON["client_id"] != "web" || a.JSON["token_type"] != "Bearer" {
			t.Errorf("got %s", a.Body)
		}
	})
	t.Run("K4: no refusal is logged, since none happened", func(t *testing.T) {
		for _, line := range s.Refusals() {
			if line["reason"] != "refresh_token_reused" {
				t.Errorf("logged: %v", slices.Sorted(maps.Keys(line)))
			}
		}
	})
}

// With a grace, what introspection says of the token before the current one is what a
// refresh would say.
func TestIntrospectWithinTheGrace(t *testing.T) {
	s := harness.StartSessions(t, "refresh_grace 1m")
	web := s.Web()
	chain := []harness.TokenPair{web.Login(t, "alice")}
	for range 2 {
		chain = append(chain, web.Refreshed(t, chain[len(chain)-1].Refresh))
	}
	for generation, active := range []bool{false, true, true} {
		if a := web.Introspect(chain[generation].Refresh); a.JSON["active"] != active {
			t.Errorf("K8: of generation %d it says %s", generation, a.Body)
		}
	}
	web.WantGoing(t, chain[2])
}
