package explain

import "strings"

// issuerRefusal says to which check a reason of [issuer.Issuer] belongs, and what to do.
type issuerRefusal struct{ check, remedy string }

const (
	sendIssuersAccessToken = "send the access token; if the issuer has only ID tokens for this app, as Dex, set id_tokens"
	needsProfile           = "ask who runs the issuer: a token whose typ is at+jwt must have all claims of RFC 9068"
	strangeToken           = "ask who runs the issuer why it signs such a token: no access token has that"
)

// issuerRefusals are the reasons in the words of the check itself, which say what was
// found.
var issuerRefusals = map[string]issuerRefusal{
	"not a signed token in compact form":                                     {checkFormat, "send the value of access_token as the issuer gave it: whole, without quotes and line breaks. An opaque token cannot be verified: ask the issuer for a JWT"},
	"it is longer than 16 KiB, the maximum for a token of an outside issuer": {checkFormat, "have the issuer make shorter tokens for this app: names of groups usually make them long"},
	"a member of its header is duplicated or has the wrong type":             {checkFormat, "ask who runs the issuer why it signs such a token: alg, kid and typ of its header are texts"},
	"the token has a critical header":                                        {checkFormat, strangeToken},
	"typ is not that of an access token":                                     {checkFormat, "send the access token: the typ of its header is JWT or at+jwt"},
	"iss is not the issuer whose keys verify it":                             {checkIssuer, "write the issuer in the config byte for byte as iss has it; a / at the end makes a difference"},

	"no keys of the outside issuer yet":                                                   {checkKeys, "see that Caddy reaches the issuer; the log of grant.issuers and \"caddy grant status\" say what is wrong, and it is tried again"},
	"its algorithm is not one that is accepted of this issuer":                            {checkKey, "add the algorithm to algorithms if the issuer signs with it; HS256 and none are never taken"},
	"the issuer publishes no key that can verify tokens":                                  {checkKey, "ask who runs the issuer: it has withdrawn its keys; the log of grant.issuers says which it has that are not used, and a new key is seen by itself"},
	"the issuer has no key with the token's kid":                                          {checkKey, "wait a minute if the issuer has a new key; otherwise another server signed it, or its key is gone: get a new token"},
	"the issuer has no such key for the token's algorithm":                                {checkKey, "find out who sends it: the issuer has no key with which such a token is made"},
	"the signature does not verify with the first 4 keys that fit, and no more are tried": {checkSignature, "have the issuer give each key a kid of its own, and name it in its tokens; if it does, a stranger forged the token"},
	"the signature does not verify":                                                       {checkSignature, "send the token exactly as the issuer gave it; if it comes from a stranger, it is forged"},

	"it is bound to a key (cnf), so it is not a Bearer token":                 {checkType, "have the client ask the issuer for a token without mTLS or DPoP"},
	"it is a logout token or a security event (events)":                       {checkType, "send the access token: this one is for the issuer's clients, and says that a user logged out"},
	"it is a refresh token or a logout token (typ); send the access token":    {checkType, sendAccessToken},
	"the claim typ is malformed":                                              {checkType, strangeToken},
	"its token_use is neither access nor id":                                  {checkType, strangeToken},
	"it is an ID token; send the access token":                                {checkType, sendIssuersAccessToken},
	"its claims are not a JSON object, or a claim is duplicated":              {checkClaims, strangeToken},
	"<claim> is missing or malformed":                                         {checkClaims, "ask who runs the issuer for tokens with that claim"},
	"<claim> is malformed":                                                    {checkClaims, "ask who runs the issuer for tokens with that claim as its standard has it"},
	"<claim> is missing or malformed, and typ is at+jwt":                      {checkClaims, needsProfile},
	"aud is missing or malformed, and typ is at+jwt":                          {checkClaims, needsProfile},
	"iat is missing or malformed, and typ is at+jwt":                          {checkClaims, needsProfile},
	"its scope is malformed":                                                  {checkClaims, "name the claim that has the scopes with claims scope=<claim>"},
	"its audience is missing or malformed":                                    {checkAudience, "let the issuer write an audience for this app; if it has it in another claim, as Cognito in client_id, name that with claims audience=<claim>"},
	"it is for another audience":                                              {checkAudience, "get a token for this app, or add what its aud has to audience if it is meant for this app"},
	"aud does not name this resource":                                         {checkAudience, "get a token for this app"},
	"it is a client's, and does not say which":                                {checkUser, "let the issuer write client_id or azp"},
	"its preferred_username is that of the service account of another client": {checkUser, "find out who sends it: a user has chosen the name of a service account"},
	"the claim that names its user is missing or malformed":                   {checkUser, "let the issuer write the claim, or name another one with claims username=<claim>"},
	"the e-mail address of its user is not verified":                          {checkUser, "have the user confirm the address at the issuer, or name users by another claim"},
	"expired":              {checkExpiry, "refresh it at the issuer, or log in again"},
	"not yet valid":        {checkNotBefore, "set the clocks of the issuer and of this machine"},
	"issued in the future": {checkNotBefore, "set the clocks of the issuer and of this machine"},
	"it is good for longer than max_lifetime": {checkLifetime, "have the issuer make shorter ones, or raise max_lifetime: nothing revokes them here"},
	"the token lacks a scope":                 {checkScope, "have the client ask the issuer for the scope; if the scopes are in another claim, name it with claims scope=<claim>"},
}

// reasonWithoutClaim is a reason as issuerRefusals has it: many are the same for each
// claim.
func reasonWithoutClaim(err error) string {
	reason := err.Error()
	if _, known := issuerRefusals[reason]; known {
		return reason
	}
	if name, rest, ok := strings.Cut(reason, " "); ok && !strings.Contains(name, "<") {
		return "<claim> " + rest
	}
	return reason
}
