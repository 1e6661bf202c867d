package explain

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
	"github.com/caddygrant/caddy-grant/internal/clock"
)

// Verifier is an app that verifies tokens itself, with the public keys of a key set
// (RFC 7517). It knows nothing of users and sessions.
type Verifier struct {
	Keys     jose.JSONWebKeySet
	Issuer   string   // empty: any
	Audience []string // one of which a token has to name; none: any
	Scopes   []string
	Leeway   time.Duration
}

// Token explains what such an app finds.
func (v *Verifier) Token(raw string) adminapi.Explanation {
	x := &outside{Verifier: v, now: clock.Now(), decoded: Decode(raw)}
	x.Kind, x.Checks = kindUnknown, []adminapi.CheckResult{}
	for _, step := range []struct {
		check string
		run   func(raw string) (found, remedy string)
	}{
		{checkFormat, x.format}, {checkKey, x.key}, {checkSignature, x.signature}, {checkType, x.typ},
		{checkClaims, x.read}, {checkExpiry, x.expiry}, {checkNotBefore, x.begin},
		{checkIssuer, x.issuer}, {checkAudience, x.audience}, {checkScope, x.scope},
	} {
		found, remedy := step.run(raw)
		x.Checks = append(x.Checks, adminapi.CheckResult{Check: step.check, Passed: remedy == "", Found: found, Remedy: remedy})
		if remedy != "" {
			return x.Explanation
		}
		if step.check == checkSignature {
			x.Claims = x.decoded.Claims
		}
	}
	x.Active = true
	return x.Explanation
}

// outside is one look at a token. Each of its checks returns a remedy if it fails.
type outside struct {
	*Verifier
	adminapi.Explanation
	now     time.Time
	decoded Decoded
	signed  *jose.JSONWebSignature
	with    jose.JSONWebKey
	payload []byte // verified
	claims  jwt.Claims
}

func (x *outside) format(raw string) (found, remedy string) {
	var err error
	if x.decoded.Header == nil || x.decoded.isCut && !x.decoded.isUnsigned() {
		return notAToken(&facts{decoded: x.decoded}), "verify the access token, whole, as the token endpoint gave it"
	}
	if x.decoded.saysRefresh() {
		return "its header says that it is a refresh token, which is for the token endpoint alone: no app can verify it", sendAccessToken
	}
	if x.decoded.isUnsigned() {
		return notAToken(&facts{decoded: x.decoded}), neverUnsigned
	}
	if alg := x.decoded.alg(); strings.HasPrefix(alg, "HS") {
		return "it is signed with a shared secret (" + alg + "): no public key verifies it", "give the app the secret of signing_key, or use a signing_key with a key pair, such as ES256"
	}
	if x.signed, err = jose.ParseSigned(raw, publicAlgorithms); err != nil {
		return "it is not a token that a public key verifies: alg is " + word(x.decoded.alg()), "verify the access token; an algorithm that the app does not know is never good"
	}
	return "it is a signed token (JWT)", ""
}

func (x *outside) key(string) (found, remedy string) {
	kid := x.decoded.kid()
	keys := x.Keys.Keys
	if kid != "" {
		keys = x.Keys.Key(kid)
	}
	keys = slices.DeleteFunc(slices.Clone(keys), func(k jose.JSONWebKey) bool {
		return !k.Valid() || !k.IsPublic() || k.Use != "" && k.Use != "sig"
	})
	switch {
	case len(keys) == 0:
		return fmt.Sprintf("the key set has %d keys, none with the kid %s", len(x.Keys.Keys), word(kid)),
			"load the key set again, at most once a minute: the key may be new. If it still has no such key, another server issued the token, or its key has retired"
	case len(keys) > 1:
		return "it has no kid, and the key set has several keys", "ask the issuer for tokens with a kid"
	case keys[0].Algorithm != "" && keys[0].Algorithm != x.decoded.alg():
		return fmt.Sprintf("the key %s is for %s, and alg is %s", word(kid), word(keys[0].Algorithm), word(x.decoded.alg())),
			"find out who sends it: the server does not issue such a token"
	}
	x.with = keys[0]
	return fmt.Sprintf("the key set has the key %s", word(kid)), ""
}

func (x *outside) signature(string) (found, remedy string) {
	var err error
	if x.payload, err = x.signed.Verify(x.with); err != nil {
		return "the signature is not by that key: the token was changed, cut or forged", "send the token exactly as the token endpoint gave it; if it comes from a stranger, it is forged"
	}
	return "it verifies with that key", ""
}

func (x *outside) typ(string) (found, remedy string) {
	typ := x.decoded.typ()
	if !slices.Contains([]string{"", "jwt", "application/jwt", "at+jwt", "application/at+jwt"}, strings.ToLower(typ)) {
		return "typ is " + word(typ) + "; an access token has JWT or at+jwt", "verify the access token"
	}
	x.Kind = kindAccessToken
	return "typ is " + word(typ), ""
}

func (x *outside) read(string) (found, remedy string) {
	if json.Unmarshal(x.payload, &x.claims) != nil {
		return "its claims are not those of a JWT", "find out who issued it"
	}
	return "its claims can be read", ""
}

func (x *outside) expiry(string) (found, remedy string) {
	if x.claims.Expiry == nil {
		return "it has no exp", "take no token that never ends"
	}
	err := x.claims.ValidateWithLeeway(jwt.Expected{Time: x.now}, x.Leeway)
	at := x.claims.Expiry.Time().Unix()
	if errors.Is(err, jwt.ErrExpired) {
		return expiry(x.now, at, 0), "refresh it, or log in again"
	}
	return expiry(x.now, at, x.Leeway), ""
}

func (x *outside) begin(string) (found, remedy string) {
	err := x.claims.ValidateWithLeeway(jwt.Expected{Time: x.now}, x.Leeway)
	switch {
	case errors.Is(err, jwt.ErrNotValidYet):
		return "it becomes valid " + when(x.now, x.claims.NotBefore.Time().Unix()), "set the clocks of both machines"
	case errors.Is(err, jwt.ErrIssuedInTheFuture):
		return "it was issued " + when(x.now, x.claims.IssuedAt.Time().Unix()), "set the clocks of both machines"
	case x.claims.NotBefore == nil:
		return "it has no nbf", ""
	}
	return beginning(x.now, x.claims.NotBefore.Time().Unix(), x.Leeway), ""
}

func (x *outside) issuer(string) (found, remedy string) {
	has := "it has no iss"
	if x.claims.Issuer != "" {
		has = "iss is " + shown(x.claims.Issuer)
	}
	switch {
	case x.Issuer == "":
		return has + "; none is asked for", ""
	case x.Issuer != x.claims.Issuer:
		return has + "; " + shown(x.Issuer) + " is asked for", "get a token from that issuer; a / at the end makes a difference"
	}
	return has, ""
}

func (x *outside) audience(string) (found, remedy string) {
	has := "aud has " + list(x.claims.Audience)
	switch {
	case len(x.Audience) == 0:
		return has + "; none is asked for", ""
	case !slices.ContainsFunc(x.Audience, x.claims.Audience.Contains):
		return has + "; " + oneOf(x.Audience) + " is asked for", "it is for another app: log in with a client whose audience has this app"
	}
	return has, ""
}

func (x *outside) scope(string) (found, remedy string) {
	has := strings.Fields(x.decoded.text("scope"))
	missing := slices.DeleteFunc(slices.Clone(x.Scopes), func(scope string) bool { return slices.Contains(has, scope) })
	if len(missing) > 0 {
		return "it has " + list(has) + "; it lacks " + list(missing), "ask for the scope at login"
	}
	return "it has " + list(has), ""
}

// publicAlgorithms are those with a key pair: a key set has no secrets, and a token
// signed with a public key as if it were a secret is a forgery (RFC 8725 §2.1).
var publicAlgorithms = []jose.SignatureAlgorithm{
	jose.ES256, jose.ES384, jose.ES512, jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.EdDSA,
}
