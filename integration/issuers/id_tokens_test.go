package issuers

import (
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/outside"
)

// kindsOfIDToken are how issuers' ID tokens can be told from access tokens when their
// audience is the same. OpenID Connect Core §2 and §3.1.3.6, §3.3.2.11, FAPI for s_hash.
func kindsOfIDToken(issuer *outside.Issuer) map[string]string {
	plain := outside.Header("typ", "JWT")
	kinds := map[string]string{
		"OpenID Connect Core §2: an ID token": issuer.Token(outside.IDToken(outside.Audience)),
		"Keycloak: typ ID":                    issuer.Token(plain, outside.Claim("typ", "ID")),
		"Cognito: token_use id":               issuer.Token(plain, outside.Claim("token_use", "id")),
	}
	for _, claim := range []string{"nonce", "at_hash", "c_hash", "s_hash"} {
		kinds["OpenID Connect Core: "+claim] = issuer.Token(plain, outside.Claim(claim, "77QmUPtjPfzWtF2AnpK9RQ"))
		kinds["OpenID Connect Core: "+claim+" in an at+jwt"] = issuer.Token(outside.Claim(claim, "77QmUPtjPfzWtF2AnpK9RQ"))
	}
	return kinds
}

// An ID token tells an app who logged in to it. It is not a key to other apps, even where
// their audience is the same.
func TestIDTokensOfTheRightAudienceAreRefused(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	e := start(t, trusting(issuer))
	e.knows(issuer)
	var attacks []attack
	for name, token := range kindsOfIDToken(issuer) {
		attacks = append(attacks, attack{name, token, "ID token"})
	}
	e.refuses(t, attacks)
	e.want(t, issuer.Token(outside.Header("typ", "JWT"), outside.Claim("typ", "Bearer")), 200)
	e.want(t, issuer.Token(outside.Header("typ", "JWT"), outside.Claim("token_use", "access")), 200)
}

// Dex has no other tokens.
func TestIDTokensPassWhereTheConfigSaysSo(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	e := start(t, trusting(issuer, "id_tokens"))
	e.knows(issuer)
	for name, token := range kindsOfIDToken(issuer) {
		t.Run(name, func(t *testing.T) { e.want(t, token, 200) })
	}
	events := outside.Claim("events", map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}})
	e.refuses(t, []attack{
		{"OpenID Back-Channel Logout §2.4: a logout token", issuer.Token(outside.IDToken(outside.Audience), events), "events"},
		{"OpenID Connect Core §3.1.3.7: an ID token of another client", issuer.Token(outside.IDToken("another-app")), "aud"},
		{"Keycloak: a refresh token", issuer.Token(outside.Header("typ", "JWT"), outside.Claim("typ", "Refresh")), "typ"},
	})
}
