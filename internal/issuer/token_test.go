package issuer

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	strictjson "github.com/go-jose/go-jose/v4/json"

	"github.com/caddygrant/caddy-grant/internal/token"
)

// check signs claims and checks the token.
func check(t *testing.T, c any, header m, change func(*Settings)) (*Token, error) {
	t.Helper()
	return newIssuer(t, keysOf(t, es256("k")), change).Check(t.Context(), es256("k").token(c, header))
}

func TestClaimsThatDoNotPass(t *testing.T) {
	atClock(t, now)
	raw := func(from, to string) []byte {
		return []byte(strings.Replace(string(encodeJSON(claims(nil))), from, to, 1))
	}
	for _, test := range []struct {
		name   string
		claims any
		want   string
	}{
		{"iss missing", claims(m{"iss": nil}), "iss is not"},
		{"iss with a slash after it", claims(m{"iss": staff + "/"}), "iss is not"},
		{"iss in a list", claims(m{"iss": []string{staff}}), "iss is not"},
		{"sub missing", claims(m{"sub": nil}), "sub is missing"},
		{"sub empty", claims(m{"sub": ""}), "sub is missing"},
		{"sub a number", claims(m{"sub": 17}), "sub is missing"},
		{"sub with a line break", claims(m{"sub": "a\nb"}), "sub is missing"},
		{"sub with a NUL", claims(m{"sub": "a\x00"}), "sub is missing"},
		{"sub with half a surrogate pair", raw(`"7f3a"`, `"a\ud800"`), "sub is missing"},
		{"exp missing", claims(m{"exp": nil}), "exp is missing"},
		{"exp null", raw(`"exp":`, `"exp":null,"e":`), "exp is missing"},
		{"exp zero", claims(m{"exp": 0}), "exp is missing"},
		{"exp negative", claims(m{"exp": -1}), "exp is missing"},
		{"exp a string", claims(m{"exp": "1800000000"}), "exp is missing"},
		{"exp beyond all dates", raw(`"exp":`, `"exp":1e300,"e":`), "exp is missing"},
		{"exp beyond all numbers", raw(`"exp":`, `"exp":1e999,"e":`), "exp is missing"},
		{"exp after the year 9999", claims(m{"exp": token.MaxNumericDate + 1}), "exp is missing"},
		{"expired", claims(m{"exp": now.Add(-30 * time.Second).Unix()}), "expired"},
		{"exp in milliseconds", claims(m{"exp": now.Add(time.Hour).UnixMilli()}), "exp is missing|max_lifetime"},
		{"exp far away", claims(m{"exp": now.Add(24 * time.Hour).Unix()}), "max_lifetime"},
		{"exp far away without iat", claims(m{"exp": now.Add(24*time.Hour + time.Second).Unix(), "iat": nil}), "max_lifetime"},
		{"exp far away with iat 0", claims(m{"iat": 0}), "max_lifetime"},
		{"iat long ago", claims(m{"iat": now.Add(-24 * time.Hour).Unix()}), "max_lifetime"},
		{"iat in the future", claims(m{"iat": now.Add(31 * time.Second).Unix()}), "issued in the future"},
		{"iat malformed", claims(m{"iat": "now"}), "iat is missing"},
		{"nbf in the future", claims(m{"nbf": now.Add(31 * time.Second).Unix()}), "not yet valid"},
		{"nbf malformed", claims(m{"nbf": true}), "nbf is missing"},
		{"aud missing", claims(m{"aud": nil}), "audience is missing"},
		{"aud empty", claims(m{"aud": []string{}}), "audience is missing"},
		{"aud a number", claims(m{"aud": 1}), "audience is missing"},
		{"aud with a number in it", claims(m{"aud": []any{"https://app.example.com", 1}}), "audience is missing"},
		{"aud an object", claims(m{"aud": m{"https://app.example.com": true}}), "audience is missing"},
		{"aud of another app", claims(m{"aud": "https://other.example.com"}), "another audience"},
		{"aud of other apps", claims(m{"aud": []string{"a", "b"}}), "another audience"},
		{"aud that begins with ours", claims(m{"aud": "https://app.example.com.evil.example"}), "another audience"},
		{"aud with a slash after it", claims(m{"aud": "https://app.example.com/"}), "another audience"},
		{"aud with several in one string", claims(m{"aud": "a https://app.example.com"}), "another audience"},
		{"scope a number", claims(m{"scope": 1}), "scope is malformed"},
		{"scope an object", claims(m{"scope": m{"contacts.read": true}}), "scope is malformed"},
		{"scope with a number in it", claims(m{"scope": []any{"a", 1}}), "scope is malformed"},
		{"a client that is a number", claims(m{"azp": 1}), "azp is malformed"},
		{"a client that is empty", claims(m{"client_id": ""}), "client_id is malformed"},

		{"bound to a key by DPoP", claims(m{"cnf": m{"jkt": "x"}}), "bound to a key"},
		{"bound to a certificate", claims(m{"cnf": m{"x5t#S256": "x"}}), "bound to a key"},
		{"bound to nothing", claims(m{"cnf": m{}}), "bound to a key"},
		{"a logout token", claims(m{"events": m{"http://schemas.openid.net/event/backchannel-logout": m{}}}), "logout token"},
		{"Keycloak's refresh token", claims(m{"typ": "Refresh"}), "refresh token"},
		{"Keycloak's offline token", claims(m{"typ": "Offline"}), "refresh token"},
		{"Keycloak's logout token", claims(m{"typ": "Logout"}), "logout token"},
		{"typ a number", claims(m{"typ": 1}), "typ is malformed"},
		{"another token_use", claims(m{"token_use": "refresh"}), "token_use"},
		{"token_use in another case", claims(m{"token_use": "ACCESS"}), "token_use"},

		{"a duplicate sub", raw(`"sub":`, `"sub":"admin","sub":`), "duplicated"},
		{"a duplicate sub that is escaped", raw(`"sub":`, `"s\u0075b":"admin","sub":`), "duplicated"},
		{"a duplicate in depth", raw(`"sub":`, `"a":{"b":1,"b":2},"sub":`), "duplicated"},
		{"claims that are null", []byte(`null`), "JSON object"},
		{"claims that are a list", []byte(`[]`), "JSON object"},
		{"claims and more", append(encodeJSON(claims(nil)), "{}"...), "JSON object"},
		{"claims that are not UTF-8", raw(`"7f3a"`, "\"a\xff\""), "JSON object"},
		{"sub in another case", raw(`"sub":`, `"SUB":`), "sub is missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, typ := range []any{"JWT", nil} {
				got, err := check(t, test.claims, m{"typ": typ}, nil)
				if err == nil || !slices.ContainsFunc(strings.Split(test.want, "|"), func(want string) bool { return strings.Contains(err.Error(), want) }) {
					t.Errorf("typ %v: %v, want %q", typ, err, test.want)
				}
				if got != nil && got.claims == nil {
					t.Error("what is returned was not read")
				}
			}
		})
	}
}

func TestClaimsThatPass(t *testing.T) {
	atClock(t, now)
	for _, test := range []struct {
		name   string
		claims any
	}{
		{"as they are", claims(nil)},
		{"without what is not required", claims(m{"iat": nil, "jti": nil, "azp": nil, "scope": nil})},
		{"aud in a list", claims(m{"aud": []string{"other", "https://app.example.com"}})},
		{"expired within the leeway", claims(m{"exp": now.Add(-29 * time.Second).Unix()})},
		{"iat in the future within the leeway", claims(m{"iat": now.Add(30 * time.Second).Unix()})},
		{"nbf in the future within the leeway", claims(m{"nbf": now.Add(30 * time.Second).Unix()})},
		{"dates with a fraction", claims(m{"exp": float64(now.Add(time.Hour).Unix()) + 0.75, "iat": float64(now.Unix()) - 0.5})},
		{"the longest lifetime", claims(m{"iat": now.Unix(), "exp": now.Add(24 * time.Hour).Unix()})},
		{"Keycloak's access token", claims(m{"typ": "Bearer", "preferred_username": "alice"})},
		{"Cognito's access token", claims(m{"token_use": "access"})},
	} {
		for _, typ := range []any{nil, "", "JWT", "jwt"} {
			if _, err := check(t, test.claims, m{"typ": typ}, nil); err != nil {
				t.Errorf("%s, typ %v: %v", test.name, typ, err)
			}
		}
	}
}

func TestScopesAreReadFromAStringOrAList(t *testing.T) {
	atClock(t, now)
	for _, test := range []struct {
		name   string
		claims m
		claim  string
		want   []string
	}{
		{"a string", m{"scope": "a b"}, "", []string{"a", "b"}},
		{"a string with spaces and repetitions", m{"scope": "  a  b a "}, "", []string{"a", "b"}},
		{"a list", m{"scope": []string{"a", "b"}}, "", []string{"a", "b"}},
		{"scp in a string", m{"scope": nil, "scp": "a b"}, "", []string{"a", "b"}},
		{"scp in a list", m{"scope": nil, "scp": []string{"a"}}, "", []string{"a"}},
		{"scope and scp", m{"scope": "a", "scp": "b"}, "", []string{"a"}},
		{"none", m{"scope": nil}, "", nil},
		{"null", m{"scope": json.RawMessage("null")}, "", nil},
		{"empty", m{"scope": ""}, "", nil},
		{"a claim of the settings", m{"permissions": []string{"x"}}, "permissions", []string{"x"}},
		{"a claim of the settings that is missing", nil, "permissions", nil},
		{"a nested claim", m{"realm_access": m{"roles": []string{"x", "y"}}}, "realm_access.roles", []string{"x", "y"}},
		{"a claim with the name of a URL", m{"https://example.com/roles": []string{"x"}}, "https://example.com/roles", []string{"x"}},
		{"groups with spaces, of which no scope can have the name", m{"groups": []string{"Domain Users", "staff", "", "a\nb", "\"", "é"}}, "groups", []string{"staff"}},
		{"a string with a tab", m{"scope": "a\tb c"}, "", []string{"c"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := check(t, claims(test.claims), nil, func(s *Settings) { s.ScopeClaim = test.claim })
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.scopes, test.want) || got.Claim("scope") != strings.Join(test.want, " ") {
				t.Errorf("%q, want %q", got.scopes, test.want)
			}
			for _, scope := range test.want {
				if !got.HasScope(scope) {
					t.Errorf("it has no %s", scope)
				}
			}
			for _, scope := range []string{"", " ", "Domain", "A", strings.Join(test.want, " ") + " z"} {
				if got.HasScope(scope) {
					t.Errorf("it has %q", scope)
				}
			}
		})
	}
}

func TestTheUserIsNamedByTheClaimOfTheSettings(t *testing.T) {
	atClock(t, now)
	for _, test := range []struct {
		name     string
		claims   m
		claim    string
		username string // empty: refused
	}{
		{"sub by default", m{"preferred_username": "admin", "username": "admin", "email": "admin@example.com"}, "", "7f3a"},
		{"preferred_username where it is mapped", m{"preferred_username": "alice"}, "preferred_username", "alice"},
		{"a nested one", m{"user": m{"login": "alice"}}, "user.login", "alice"},
		{"the exact name before nesting", m{"user.login": "alice", "user": m{"login": "mallory"}}, "user.login", "alice"},
		{"missing", nil, "preferred_username", ""},
		{"empty", m{"preferred_username": ""}, "preferred_username", ""},
		{"a list", m{"preferred_username": []string{"alice"}}, "preferred_username", ""},
		{"a number", m{"preferred_username": 1}, "preferred_username", ""},
		{"with a line break", m{"preferred_username": "alice\r\nX-User: admin"}, "preferred_username", ""},
		{"with U+2028", m{"preferred_username": "alice\u2028"}, "preferred_username", ""},
		{"an e-mail address", m{"email": "alice@example.com"}, "email", "alice@example.com"},
		{"a verified one", m{"email": "alice@example.com", "email_verified": true}, "email", "alice@example.com"},
		{"one that is not verified", m{"email": "alice@example.com", "email_verified": false}, "email", ""},
		{"one that is not verified in words", m{"email": "alice@example.com", "email_verified": "false"}, "email", ""},
		{"one that is verified in words", m{"email": "alice@example.com", "email_verified": "true"}, "email", "alice@example.com"},
		{"one that is verified in other words", m{"email": "alice@example.com", "email_verified": "True"}, "email", ""},
		{"one that is verified by a number", m{"email": "alice@example.com", "email_verified": 1}, "email", ""},
		{"one with null for verified", m{"email": "alice@example.com", "email_verified": json.RawMessage("null")}, "email", ""},
		{"one that is not verified, which does not identify", m{"email_verified": false}, "", "7f3a"},
	} {
		for _, prefix := range []string{DefaultPrefix(staff), "", "staff:"} {
			got, err := check(t, claims(test.claims), nil, func(s *Settings) { s.UsernameClaim, s.UsernamePrefix = test.claim, prefix })
			if test.username == "" {
				if err == nil || got != nil && got.Claim("username") == "admin" {
					t.Errorf("%s: it passes: %v", test.name, got.Claim("username"))
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
				continue
			}
			if got.Claim("username") != prefix+test.username || got.Claim("sub") != prefix+"7f3a" || got.Claim("client_id") != prefix+"web" || got.IsClient() {
				t.Errorf("%s: username %v, sub %v, client %v", test.name, got.Claim("username"), got.Claim("sub"), got.Claim("client_id"))
			}
		}
	}
}

// Cognito's access tokens have no aud.
func TestTheAudienceMayBeThatOfAnotherClaim(t *testing.T) {
	atClock(t, now)
	byClient := func(s *Settings) { s.AudienceClaim, s.Audience = "client_id", []string{"app1", "app2"} }
	cognito := m{"aud": nil, "azp": nil, "token_use": "access", "client_id": "app1"}
	got, err := check(t, claims(cognito), nil, byClient)
	if err != nil || !got.IsFor([]string{"x", "app1"}) || got.IsFor([]string{"app2"}) || got.IsFor(nil) || !reflect.DeepEqual(got.Claim("aud"), []string{"app1"}) {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = check(t, claims(with(cognito, m{"client_id": "app3"})), nil, byClient)
	wantRefused(t, got, err, "another audience")
	got, err = check(t, claims(m{"aud": "app1"}), nil, byClient)
	wantRefused(t, got, err, "audience is missing")
}

func TestClaimsAreReadByTheirNames(t *testing.T) {
	atClock(t, now)
	got, err := check(t, claims(m{
		"nbf": now.Unix(), "sid": "s1", "email": "a@example.com", "groups": []string{"a"}, "level": 3, "srv": "x", "key_ops": true,
	}), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"iss": staff, "sub": staff + "#7f3a", "username": staff + "#7f3a", "client_id": staff + "#web", "jti": "j1", "sid": "s1",
		"exp": now.Add(time.Hour).Unix(), "nbf": now.Unix(), "iat": now.Add(-time.Minute).Unix(), "email": "a@example.com",
		"groups": []any{"a"}, "level": strictjson.Number("3"), "aud": []string{"https://app.example.com"},
		"scope": "contacts.read contacts.write", "none": nil,
	} {
		if claim := got.Claim(name); !reflect.DeepEqual(claim, want) {
			t.Errorf("%s is %#v, want %#v", name, claim, want)
		}
	}
	for _, name := range []string{"iss", "sub", "aud", "exp", "jti", "client_id", "scope", "username", "sid", "srv", "none"} {
		if claim, there := got.OwnClaim(name); there {
			t.Errorf("%s is an own claim: %v", name, claim)
		}
	}
	if claim, _ := got.OwnClaim("email"); claim != "a@example.com" {
		t.Error(claim)
	}
	got, err = check(t, claims(m{"jti": 1, "sid": m{}}), nil, nil)
	if err != nil || got.Claim("jti") != "" || got.Claim("sid") != "" {
		t.Errorf("malformed ones: %v %v, %v", got.Claim("jti"), got.Claim("sid"), err)
	}
}
