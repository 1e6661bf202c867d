package session

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// What other servers took for a refresh token, and from whom.

// abuseSettings make a server whose HS256 secret an app has as well, and add another
// server.
const abuseSettings = `
		signing_key HS256 ` + harness.SharedSecret + `
	}
	token_endpoint /elsewhere {
		name   elsewhere
		issuer https://api.example.com
		client web {
			secret web-secret
			scopes read write
		}
		user alice ` + harness.HashBcrypt

// A server that signs both kinds of tokens with one key, or does not look at what kind
// it got, takes one for the other.
func TestRefreshTokensAndAccessTokensAreNeverTakenForEachOther(t *testing.T) {
	s := harness.StartSessions(t, abuseSettings)
	web := s.Web()
	session := web.Login(t, "alice")

	t.Run("G16: a refresh token is refused as a bearer token", func(t *testing.T) {
		for name, token := range map[string]string{
			"of this server":             session.Refresh,
			"of another one":             web.At("/elsewhere").Login(t, "alice").Refresh,
			"with the claims of both":    signedAs(t, session, "refresh+jwt"),
			"of that kind, by its media": signedAs(t, session, "application/refresh+jwt"),
		} {
			if a := s.Do(s.Request("GET", "/app", "", harness.Bearer(token))); a.Status != 401 || !strings.Contains(a.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
				t.Errorf("%s: got %d %s", name, a.Status, a.Header.Get("WWW-Authenticate"))
			}
		}
	})
	t.Run("G16: an access token is refused as a refresh token", func(t *testing.T) {
		web.Refresh(session.Access).Want(t, 400, "invalid_grant")
	})
	t.Run("G16: an app that has the signing key can make no refresh token", func(t *testing.T) {
		for _, typ := range []string{"refresh+jwt", "JWT", "at+jwt"} {
			web.Refresh(signedAs(t, session, typ)).Want(t, 400, "invalid_grant")
		}
	})
	t.Run("the refresh token is as good as before", func(t *testing.T) { web.WantGoing(t, session) })
}

// signedAs is what an app signs that has the HS256 secret, a pair of tokens, and an
// idea of what is in refresh tokens: the claims of both, under a type of its choice.
func signedAs(t *testing.T, session harness.TokenPair, typ string) string {
	t.Helper()
	return harness.Forge(t, session.Access, func(f *harness.Forgery) {
		f.Header["typ"] = json.RawMessage(`"` + typ + `"`)
		decoded, err := base64.RawURLEncoding.DecodeString(strings.Split(session.Refresh, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(decoded, &f.Claims); err != nil { // beside those that are there
			t.Fatal(err)
		}
	})
}

// Several servers answered whatever was wrong with invalid_request, and clients retried
// for ever. An invalid token is invalid_grant, which means: log in again.
func TestRefreshTokensThatAreNoGood(t *testing.T) {
	s := harness.StartSessions(t, abuseSettings)
	web := s.Web()
	session := web.Login(t, "alice")
	parts := strings.Split(session.Refresh, ".")
	encode := base64.RawURLEncoding.EncodeToString
	spent := web.Login(t, "alice")
	web.Refreshed(t, spent.Refresh)
	web.Refresh(spent.Refresh).Want(t, 400, "invalid_grant")
	revoked := web.Login(t, "alice")
	web.Revoke(revoked.Refresh).Want(t, 200, "")

	var answers []harness.Answer
	for _, test := range []struct{ name, token, reason string }{
		{"garbage", "garbage", "refresh_token_malformed"},
		{"a space", " ", "refresh_token_malformed"},
		{"two dots", "..", "refresh_token_malformed"},
		{"two parts", parts[0] + "." + parts[1], "refresh_token_malformed"},
		{"no signature", parts[0] + "." + parts[1] + ".", "refresh_token_malformed"},
		{"alg none", encode([]byte(`{"alg":"none","typ":"refresh+jwt"}`)) + "." + parts[1] + ".", "refresh_token_malformed"},
		{"alg none and the old signature", encode([]byte(`{"alg":"none","typ":"refresh+jwt"}`)) + "." + parts[1] + "." + parts[2], "refresh_token_malformed"},
		{"other claims under the signature", parts[0] + "." + encode([]byte(`{"client_id":"web"}`)) + "." + parts[2], "refresh_token_malformed"},
		{"the signature of another token", parts[0] + "." + parts[1] + "." + strings.Split(spent.Refresh, ".")[2], "refresh_token_malformed"},
		{"blanks around it", " " + session.Refresh + " ", "refresh_token_malformed"},
		{"a line break in it", session.Refresh[:20] + "\n" + session.Refresh[20:], "refresh_token_malformed"},
		{"NUL is not let in, but what is beyond ASCII is", session.Refresh + "é", "refresh_token_malformed"},
		{"16 kB", strings.Repeat("x", 16<<10), "refresh_token_malformed"},
		{"60 kB of dots", strings.Repeat(".", 60<<10), "refresh_token_malformed"},
		{"five parts", session.Refresh + ".x.y", "refresh_token_malformed"},
		{"another server's, of the same issuer", web.At("/elsewhere").Login(t, "alice").Refresh, "refresh_token_malformed"},
		{"another client's", s.As("other").Login(t, "alice").Refresh, "refresh_token_of_another_client"},
		{"one of a session that ended by reuse", spent.Refresh, "session_revoked"},
		{"one of a session that was revoked", revoked.Refresh, "session_revoked"},
	} {
		t.Run("G2: "+test.name, func(t *testing.T) {
			a := web.Refresh(test.token)
			a.Want(t, 400, "invalid_grant")
			harness.WellFormedError(t, a)
			if got := s.Reason(); got != test.reason {
				t.Errorf("refused for %q, want %q", got, test.reason)
			}
			answers = append(answers, a)
		})
	}
	t.Run("G2: outward, all of them are one", func(t *testing.T) {
		for _, a := range answers {
			harness.WantSameOutward(t, a, answers[0])
		}
	})
	t.Run("a token that was only copied into them still works", func(t *testing.T) { web.WantGoing(t, session) })
}
