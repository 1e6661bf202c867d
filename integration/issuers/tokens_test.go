package issuers

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/outside"
)

func TestATokenOfAnOutsideIssuerPasses(t *testing.T) {
	issuer := outside.New(t, outside.Options{Path: "/realms/staff"})
	e := start(t, trusting(issuer))
	e.knows(issuer)
	e.get("/contacts", issuer.Token()).Want(t, 200, "")
	received := e.app.One(t)
	received.WantIdentity(t, "X-User", issuer.URL+"#alice")
	received.WantIdentity(t, "X-Name", issuer.URL+"#alice")
	received.WantIdentity(t, "X-Issuer", issuer.URL)
	received.WantIdentity(t, "Authorization", "")
	e.says(t, issuer.Token(), "user|"+issuer.URL+"|"+issuer.URL+"#alice|"+issuer.URL+"#alice|"+issuer.URL+"#phone|contacts.read")
}

// ES256, RS256, PS256 and EdDSA by default, the others where they are named.
func TestTheAlgorithmsAreThoseOfTheConfig(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	keys := make(map[string]*outside.Key)
	for _, algorithm := range outside.Algorithms {
		keys[algorithm] = outside.NewKey(t, algorithm)
		issuer.Publish(keys[algorithm])
	}
	byDefault := map[string]bool{"ES256": true, "RS256": true, "PS256": true, "EdDSA": true}
	e := start(t, trusting(issuer))
	e.knows(issuer)
	for _, algorithm := range outside.Algorithms {
		t.Run("by default "+algorithm, func(t *testing.T) {
			e.want(t, issuer.Token(outside.By(keys[algorithm])), map[bool]int{true: 200, false: 401}[byDefault[algorithm]])
		})
	}
	e.serve(bearer("", trusting(issuer, "algorithms "+strings.Join(outside.Algorithms, " "))))
	for _, algorithm := range outside.Algorithms {
		t.Run("named "+algorithm, func(t *testing.T) {
			e.eventually(issuer.Token(outside.By(keys[algorithm])), 200)
		})
	}
	e.serve(bearer("", trusting(issuer, "algorithms RS512")))
	for _, algorithm := range outside.Algorithms {
		t.Run("RS512 alone "+algorithm, func(t *testing.T) {
			e.want(t, issuer.Token(outside.By(keys[algorithm])), map[bool]int{true: 200, false: 401}[algorithm == "RS512"])
		})
	}
}

// RFC 9864 §2.2: Ed25519 is EdDSA with the curve that EdDSA has here.
func TestTheAlgorithmEd25519IsEdDSA(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	key := outside.NewKey(t, "EdDSA").With(map[string]any{"alg": "Ed25519"})
	issuer.Publish(key)
	token := issuer.Token(outside.By(key), outside.Header("alg", "Ed25519"))
	e := start(t, trusting(issuer))
	e.knows(issuer)
	e.want(t, token, 200)
	e.serve(bearer("", trusting(issuer, "algorithms ES256 Ed25519")))
	e.want(t, token, 200)
	e.serve(bearer("", trusting(issuer, "algorithms ES256")))
	e.want(t, token, 401)
}

func TestUnusualOutsideTokensThatAreGood(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	bare := outside.NewKey(t, "ES384").With(map[string]any{"kid": nil, "alg": nil, "use": nil})
	issuer.Publish(bare)
	e := start(t, trusting(issuer, "algorithms ES256 ES384"))
	e.knows(issuer)
	for name, changes := range map[string][]outside.Change{
		"RFC 9068 §2.1: typ at+jwt in another case":            {outside.Header("typ", "AT+JWT")},
		"RFC 9068 §4: typ application/at+jwt":                  {outside.Header("typ", "application/at+jwt")},
		"RFC 7519 §5.1: typ JWT":                               {outside.Header("typ", "JWT")},
		"RFC 7515 §4.1.9: typ application/JWT":                 {outside.Header("typ", "application/JWT")},
		"RFC 7519 §5.1: no typ":                                {outside.Header("typ", nil)},
		"typ JWT, without what RFC 9068 needs":                 {outside.Header("typ", "JWT"), outside.Without("client_id", "jti", "iat")},
		"RFC 7519 §4.1.3: a list of aud":                       {outside.Claim("aud", []string{"https://other.example.com", outside.Audience})},
		"RFC 7519 §4.1.4: expired within the leeway":           {outside.Claim("exp", outside.FromNow(-5*time.Second)), outside.Claim("iat", outside.FromNow(-time.Minute))},
		"RFC 7519 §4.1.5: nbf within the leeway":               {outside.Claim("nbf", outside.FromNow(5*time.Second))},
		"RFC 7519 §2: an exp that is not an integer":           {outside.Claim("exp", json.RawMessage(harness.FromNow(time.Minute)+".5"))},
		"RFC 7515 §4.1.4: no kid, and one key that fits":       {outside.Header("kid", nil)},
		"RFC 7517 §4.5: a key without a kid":                   {outside.By(bare), outside.Header("kid", nil)},
		"RFC 7515 §4.2: a header of no meaning":                {outside.Header("x", map[string]any{"y": 1})},
		"RFC 8725 §3.10: a jku and x5u are not followed":       {outside.Header("jku", issuer.URL+"/elsewhere"), outside.Header("x5u", issuer.URL+"/elsewhere")},
		"claims of other kinds":                                {outside.Claim("groups", []any{"a", 1, nil, map[string]any{"b": true}})},
		"a subject of 255 characters (OpenID Connect Core §2)": {outside.Claim("sub", strings.Repeat("x", 255))},
		"a subject that is an address":                         {outside.Claim("sub", "alice@example.com")},
	} {
		t.Run(name, func(t *testing.T) { e.want(t, issuer.Token(changes...), 200) })
	}
	if issuer.Fetches(outside.Nothing) > 0 {
		t.Error("a URL of a token was followed")
	}
}

// What is wrong with the claims of a token whose signature is good.
func TestRFC9068AndRFC7519DefectiveClaimsAreRefused(t *testing.T) {
	issuer := outside.New(t, outside.Options{Path: "/realms/staff"})
	e := start(t, trusting(issuer))
	e.knows(issuer)
	token := issuer.Token
	attacks := []attack{
		{"RFC 7519 §4.1.1: no iss", token(outside.Without("iss")), ""},
		{"RFC 7519 §4.1.1: an iss that is a list", token(outside.Claim("iss", []string{issuer.URL})), ""},
		{"RFC 9068 §4: another iss", token(outside.Claim("iss", "https://evil.example.com")), ""},
		{"RFC 9068 §4: the iss with a slash", token(outside.Claim("iss", issuer.URL+"/")), ""},
		{"RFC 9068 §4: the iss in another case", token(outside.Claim("iss", strings.ToUpper(issuer.URL))), ""},
		{"RFC 9068 §4: the iss of another realm", token(outside.Claim("iss", strings.Replace(issuer.URL, "staff", "guests", 1))), ""},
		{"RFC 9068 §4: the iss with a dot segment", token(outside.Claim("iss", issuer.URL+"/../staff")), ""},
		{"RFC 9068 §4: an empty iss", token(outside.Claim("iss", "")), ""},
		{"RFC 9068 §4: no aud", token(outside.Without("aud")), "aud"},
		{"RFC 9068 §4: another aud", token(outside.Claim("aud", "https://other.example.com")), "aud"},
		{"RFC 9068 §4: the aud as a prefix", token(outside.Claim("aud", outside.Audience+".evil")), "aud"},
		{"RFC 9068 §4: the aud with a slash", token(outside.Claim("aud", outside.Audience+"/")), "aud"},
		{"RFC 9068 §4: an empty list of aud", token(outside.Claim("aud", []string{})), "aud"},
		{"RFC 9068 §4: an aud that is an object", token(outside.Claim("aud", map[string]any{outside.Audience: true})), "aud"},
		{"RFC 9068 §4: a list of aud with a number", token(outside.Claim("aud", []any{outside.Audience, 1})), "aud"},
		{"RFC 9068 §4: the client in place of aud", token(outside.Claim("aud", "phone"), outside.Claim("client_id", outside.Audience)), "aud"},
		{"RFC 9068 §4: the azp in place of aud", token(outside.Without("aud"), outside.Claim("azp", outside.Audience)), "aud"},
		{"RFC 9068 §4: no exp", token(outside.Without("exp")), "exp"},
		{"RFC 9068 §4: expired", token(outside.Claim("exp", outside.FromNow(-45*time.Second)), outside.Claim("iat", outside.FromNow(-time.Hour))), "expired"},
		{"RFC 7519 §4.1.4: an exp that is a string", token(outside.Claim("exp", harness.FromNow(time.Minute))), "exp"},
		{"RFC 7519 §4.1.4: an exp that is null", token(outside.Claim("exp", nil)), "exp"},
		{"RFC 7519 §4.1.4: an exp beyond all years", token(outside.Claim("exp", json.RawMessage("1e400"))), "exp"},
		{"RFC 7519 §4.1.4: a negative exp", token(outside.Claim("exp", -1)), ""},
		{"RFC 7519 §4.1.5: not yet valid", token(outside.Claim("nbf", outside.FromNow(10*time.Minute))), "not yet valid"},
		{"RFC 7519 §4.1.5: an nbf that is a string", token(outside.Claim("nbf", "0")), "nbf"},
		{"RFC 7519 §4.1.6: made in the future", token(outside.Claim("iat", outside.FromNow(10*time.Minute)), outside.Claim("exp", outside.FromNow(time.Hour))), "in the future"},
		{"RFC 9068 §2.2: no sub", token(outside.Without("sub")), "sub"},
		{"RFC 7519 §4.1.2: an empty sub", token(outside.Claim("sub", "")), "sub"},
		{"RFC 7519 §4.1.2: a sub that is a number", token(outside.Claim("sub", 7)), "sub"},
		{"RFC 7519 §4.1.2: a sub that is a list", token(outside.Claim("sub", []string{"alice"})), "sub"},
		{"a sub with a line end", token(outside.Claim("sub", "alice\nX-Admin: yes")), ""},
		{"a sub with a NUL", token(outside.Claim("sub", "alice\x00")), ""},
		{"RFC 9068 §2.2: at+jwt without client_id", token(outside.Without("client_id")), "client_id"},
		{"RFC 9068 §2.2: at+jwt without jti", token(outside.Without("jti")), "jti"},
		{"RFC 9068 §2.2: at+jwt without iat", token(outside.Without("iat")), "iat"},
		{"RFC 9449 §6: a token bound to a DPoP key", token(outside.Claim("cnf", map[string]any{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})), "cnf"},
		{"RFC 8705 §3.1: a token bound to a certificate", token(outside.Claim("cnf", map[string]any{"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"})), "cnf"},
		{"RFC 7800 §3: a binding of no kind that is known", token(outside.Claim("cnf", map[string]any{})), "cnf"},
		{"OpenID Back-Channel Logout §2.4: a logout token", token(outside.Header("typ", "logout+jwt"), outside.Claim("events", map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}})), ""},
		{"OpenID Back-Channel Logout §2.4: a logout token without a type", token(outside.Header("typ", nil), outside.Claim("events", map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}})), "events"},
		{"RFC 8417 §2.2: a security event token", token(outside.Header("typ", "secevent+jwt"), outside.Claim("events", map[string]any{})), ""},
		{"RFC 8725 §3.11: a DPoP proof", token(outside.Header("typ", "dpop+jwt")), "typ"},
		{"RFC 8725 §3.11: a request object", token(outside.Header("typ", "oauth-authz-req+jwt")), "typ"},
		{"RFC 8725 §3.11: an introspection", token(outside.Header("typ", "token-introspection+jwt")), "typ"},
		{"RFC 8725 §3.11: a client assertion", token(outside.Header("typ", "client-authentication+jwt")), "typ"},
		{"RFC 8725 §3.11: a typ that is a list", token(outside.Header("typ", []string{"at+jwt"})), ""},
		{"Keycloak's refresh token", token(outside.Header("typ", "JWT"), outside.Claim("typ", "Refresh")), "typ"},
		{"Keycloak's offline token", token(outside.Header("typ", "JWT"), outside.Claim("typ", "Offline")), "typ"},
		{"Keycloak's logout token", token(outside.Header("typ", "JWT"), outside.Claim("typ", "Logout")), "typ"},
		{"Cognito's token of a use that is unknown", token(outside.Header("typ", nil), outside.Claim("token_use", "refresh")), "token_use"},
		{"RFC 7515 §4.1.11: a crit that is known to no one", token(outside.Header("crit", []string{"exp"}), outside.Header("exp", 1)), ""},
		{"RFC 7797 §3: a payload that is not encoded", token(outside.Header("crit", []string{"b64"}), outside.Header("b64", false)), ""},
		{"RFC 7519 §4: two sub", token(func(t *outside.Token) { t.More = `,"sub":"bob"` }), ""},
		{"RFC 7519 §4: two aud", token(func(t *outside.Token) { t.More = `,"aud":"` + outside.Audience + `"` }), ""},
		{"RFC 7519 §4: two of a claim, one escaped", token(func(t *outside.Token) { t.More = `,"s\u0075b":"bob"` }), ""},
		{"claims that are a list", token(func(t *outside.Token) { t.Payload = `[]` }), ""},
		{"claims that are null", token(func(t *outside.Token) { t.Payload = `null` }), ""},
		{"claims that are cut off", token(func(t *outside.Token) { t.Payload = `{"iss":"` + issuer.URL + `"` }), ""},
		{"claims with more after them", token(func(t *outside.Token) { t.More = `}{"sub":"bob"` }), ""},
		{"a scope that is an object", token(outside.Claim("scope", map[string]any{"contacts.read": true})), "scope"},
		{"a token of 20 kB", token(outside.Claim("x", strings.Repeat("x", 15<<10))), ""},
	}
	e.refuses(t, attacks)
	e.want(t, token(), 200)
}

// Nothing revokes an outside token, so its lifetime is bounded.
func TestTheLifetimeOfAnOutsideTokenIsBounded(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	lasting := func(d time.Duration, changes ...outside.Change) string {
		return issuer.Token(append([]outside.Change{outside.Header("typ", "JWT"), outside.Claim("exp", outside.FromNow(d))}, changes...)...)
	}
	e := start(t, trusting(issuer))
	e.knows(issuer)
	e.want(t, lasting(23*time.Hour), 200)
	e.refuses(t, []attack{
		{"a day by default", lasting(25 * time.Hour), "max_lifetime"},
		{"that has almost run out", lasting(time.Minute, outside.Claim("iat", outside.FromNow(-25*time.Hour))), "max_lifetime"},
		{"without iat, from now on", lasting(25*time.Hour, outside.Without("iat")), "max_lifetime"},
	})
	e.serve(bearer("", trusting(issuer, "max_lifetime 10m")))
	e.want(t, lasting(9*time.Minute), 200)
	e.refuses(t, []attack{{"as the config says", lasting(20 * time.Minute), "max_lifetime"}})
	e.serve(bearer("", trusting(issuer, "max_lifetime 720h")))
	e.want(t, lasting(25*time.Hour), 200)
}
