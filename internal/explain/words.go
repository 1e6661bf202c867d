package explain

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/caddygrant/caddy-grant/internal/bearer"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// The checks of an access token, in the order in which bearer_auth makes them.
const (
	checkFormat    = "format"
	checkKey       = "key"
	checkSignature = "signature"
	checkType      = "type"
	checkClaims    = "claims"
	checkServer    = "server"
	checkIssuer    = "issuer"
	checkExpiry    = "expiry"
	checkNotBefore = "not_before"
	checkUser      = "user"
	checkPassword  = "password"
	checkClient    = "client"
	checkSecret    = "secret"
	checkName      = "name"
	checkSession   = "session"
	checkAudience  = "audience"
	checkScope     = "scope"
)

// checkKeys comes before all of them, and is told only if it fails.
const checkKeys = "keys"

// check is one check, with what it found if it passed.
type check struct {
	name   string
	passed func(*facts) string
}

// The checks that only one kind of token has: that of a user, or that of a client that
// acts for itself.
var (
	ofUsers   = []string{checkUser, checkPassword}
	ofClients = []string{checkSecret, checkName}
)

// checksOf are those of a token, of any kind if it could not be read.
func checksOf(t *token.AccessToken) []check {
	others := ofClients
	if t != nil && t.IsClient() {
		others = ofUsers
	}
	return slices.DeleteFunc(slices.Clone(accessTokenChecks), func(c check) bool { return slices.Contains(others, c.name) })
}

var accessTokenChecks = []check{
	{checkFormat, always("it is a signed token (JWT)")},
	{checkKey, func(f *facts) string {
		return fmt.Sprintf("the server has the key %s, for %s", word(f.decoded.kid()), word(f.decoded.alg()))
	}},
	{checkSignature, always("it verifies with that key")},
	{checkType, func(f *facts) string {
		return fmt.Sprintf("typ is %s, that of an access token", word(f.decoded.typ()))
	}},
	{checkClaims, always("all claims that the server writes are there")},
	{checkServer, func(f *facts) string {
		if f.decoded.text("srv") == "" {
			return "it has no srv, as tokens of older versions"
		}
		return fmt.Sprintf("the server %q issued it", f.server)
	}},
	{checkIssuer, func(f *facts) string {
		if f.issuer == "" {
			return "the server has no issuer, so any iss is good"
		}
		return "iss is " + f.issuer
	}},
	{checkExpiry, func(f *facts) string { return expiry(f.now, f.token.Expires, f.leeway) }},
	{checkNotBefore, func(f *facts) string {
		if f.token.NotBefore == 0 {
			return "it has no nbf"
		}
		return beginning(f.now, f.token.NotBefore, f.leeway)
	}},
	{checkUser, func(f *facts) string { return f.user() + " exists, and is not disabled" }},
	{checkPassword, always("the user's password is the one with which the session began")},
	{checkClient, func(f *facts) string {
		if f.token.IsClient() {
			return "the client " + shown(f.token.CID) + " exists, and may get tokens for itself; a bearer_auth lets it pass only where it says so"
		}
		return "the client " + shown(f.token.CID) + " exists"
	}},
	{checkSecret, always("the client's secret is the one with which it got the token")},
	{checkName, func(f *facts) string { return "no user is called " + shown(f.token.CID) }},
	{checkSession, always("it was not revoked")},
	{checkAudience, func(f *facts) string {
		if len(f.audience) == 0 {
			return "no audience is asked for"
		}
		return "aud has " + list(f.token.Audience) + "; " + oneOf(f.audience) + " is asked for"
	}},
	{checkScope, func(f *facts) string {
		if len(f.scopes) == 0 {
			return "no scope is asked for; it has " + list(f.token.Scopes)
		}
		return "it has " + list(f.token.Scopes)
	}},
}

// refusal is what there is to say of a reason.
type refusal struct {
	check         string
	found, remedy func(*facts) string
}

// unknownByConfig are the reasons that a config alone may give for a good token: what
// decides is in the storage.
var unknownByConfig = map[string]func(*facts) bool{
	"this server has no key with the token's kid":  func(f *facts) bool { return f.generates && !f.decoded.isUnsigned() },
	"it is a refresh token; send the access token": func(*facts) bool { return true },
}

// refusals are the reasons of [token.Checker] and of bearer_auth, in words.
var refusals = map[string]refusal{
	"not a signed token in compact form": {checkFormat, notAToken, func(f *facts) string {
		if f.decoded.isUnsigned() {
			return neverUnsigned
		}
		return "send the value of access_token as the token endpoint gave it: whole, without quotes and line breaks"
	}},
	"it is longer than 8 KiB, the maximum for a token of this server": {checkFormat, always("it has more than 8 KiB, and no token of the server is longer"),
		always("it comes from another server: get one from this server")},
	"a member of its header is duplicated or has the wrong type": {checkFormat,
		always("its header has a member twice, or alg, kid or typ is not a text"),
		always("no server of this kind issues such a token: find out who sends it")},
	"the token has a critical header": {checkFormat, always("its header has crit: it demands an extension that the server does not know"),
		always("it comes from another server: get one from this server")},

	"no key to verify tokens with yet": {checkKeys, func(f *facts) string { return "the server has no keys yet" + causeOf(f.err) },
		always("look at Caddy's log for errors of the storage, and try again")},
	"this server has no key with the token's kid": {checkKey, unknownKey, unknownKeyRemedy},
	"it is a refresh token; send the access token": {checkKey,
		func(f *facts) string {
			if f.offline {
				return "its header says that it is a refresh token: their key is in the storage, so only a running server can tell"
			}
			return "its header says that it is a refresh token, and this server did not issue it, or it was changed"
		},
		func(f *facts) string {
			if f.offline {
				return "ask the running Caddy, without --offline; an app gets the access token, never this one"
			}
			return sendAccessToken
		}},
	"the token's algorithm is not that of its key": {checkKey, func(f *facts) string {
		return fmt.Sprintf("the server has the key %s, but not for alg %s", word(f.decoded.kid()), word(f.decoded.alg()))
	}, always("no server of this kind issues such a token: find out who sends it")},
	"the signature does not verify": {checkSignature,
		always("the server has a key with that kid, and the signature is not by that key: the token was changed, cut or forged"),
		always("send the token exactly as the token endpoint gave it; if it comes from a stranger, it is forged")},

	"typ is not that of an access token": {checkType, func(f *facts) string {
		return fmt.Sprintf("typ is %s; an access token has JWT or at+jwt", word(f.decoded.typ()))
	}, always("an app that has the secret of signing_key signed it for something else: send the access token")},
	"its claims are not a JSON object, or a claim is duplicated": {checkClaims,
		always("its claims are not a JSON object, or a claim appears twice"), sharedSecret},
	"<claim> is missing or malformed": {checkClaims, func(f *facts) string { return "the claim " + f.err.Error() }, sharedSecret},
	"<claim> is malformed":            {checkClaims, func(f *facts) string { return "the claim " + f.err.Error() }, sharedSecret},
	"it belongs to another server": {checkServer,
		always("a server that has the same signing key issued it, but its name, issuer or storage is another"),
		always("get a token from this server; if both are one server, give them the same name, issuer and storage. A server that lost its storage refuses older tokens too: log in again")},
	"iss is not this server's issuer": {checkIssuer, func(f *facts) string {
		return fmt.Sprintf("iss is %s; this server is %s", shown(f.decoded.text("iss")), f.issuer)
	}, always("get a token from this server; if its issuer was changed, log in again")},

	"expired": {checkExpiry, func(f *facts) string { return expiry(f.now, f.expires(), 0) },
		func(f *facts) string {
			if f.token != nil && f.token.IsClient() {
				return "have the client get another token"
			}
			return "refresh it, or log in again"
		}},
	"not yet valid": {checkNotBefore, func(f *facts) string { return "it becomes valid " + f.when(f.token.NotBefore) },
		always("set the clocks of the server that issued it and of this one, or raise leeway")},

	"the users cannot be looked up": {checkUser, func(f *facts) string { return "a source of users gave no answer" + causeOf(f.err) },
		always("look at that source, and try again: until then every token is answered 503")},
	"its user is gone": {checkUser, func(f *facts) string { return f.user() + " is no longer in " + sources(f.users) },
		always("add the user again if they may log in; a user who was renamed keeps their sessions only if the id stays the same")},
	"its user is disabled": {checkUser, func(f *facts) string { return f.user() + " is disabled" },
		always("enable the user, who then logs in again or goes on")},
	"its user has another password now": {checkPassword, func(f *facts) string {
		return "the password of " + f.user() + " was changed after the session began"
	}, always("log in again with the new password")},
	"the clients cannot be looked up": {checkClient, func(f *facts) string { return "a source of clients gave no answer" + causeOf(f.err) },
		always("look at that source, and try again: until then every token is answered 503")},
	"its client is gone": {checkClient, func(f *facts) string {
		return "the client " + shown(f.client()) + " is no longer in " + sources(f.clients)
	}, always("add the client again, or log in with another client")},
	bearer.UsersOnly().Reason: {checkClient, func(f *facts) string {
		return "the client " + shown(f.client()) + " got it for itself, and this bearer_auth takes the tokens of users only"
	}, always("log in as a user, or write \"clients\" in that bearer_auth if clients that act for themselves may pass")},
	"its client may no longer act for itself": {checkClient, func(f *facts) string {
		return "the client " + shown(f.client()) + ", or the server, no longer has the grant client_credentials, or the client is public now"
	}, always("add client_credentials to the grants of the client, and of the server if it has a list")},
	"its client has another secret now": {checkSecret, func(f *facts) string {
		return "the secret of the client " + shown(f.client()) + " was changed after it got the token"
	}, always("have the client get another token with the new secret")},
	"its client has the name of a user": {checkName, func(f *facts) string {
		return "a user has the id of the client " + shown(f.client()) + " as username or id, and apps could take the client for that user"
	}, always("give the client another id, and have it get another token")},

	"the revoked sessions have not been read yet": {checkSession, func(f *facts) string {
		return "the revoked sessions have not been read from storage yet, and storage gave no answer" + causeOf(f.err)
	}, always("look at the storage, and try again: until then every token is answered 503")},
	"its session is in an engine that the config does not know": {checkSession, func(f *facts) string {
		return "the session cannot be looked up" + causeOf(f.err)
	}, always("add that engine to the sessions of the token_endpoint, with \"also\": until then this node answers such tokens with 503")},
	"its session was revoked": {checkSession, func(f *facts) string {
		if f.ended {
			return endedTogether
		}
		return "the session " + f.session() + " of " + f.owner() + " was revoked: someone logged out, an operator ended it, or a refresh token was used twice"
	}, func(f *facts) string {
		if f.ended {
			return "log in again"
		}
		return "log in again; the log has a line with that session_id that says who ended it"
	}},

	"aud does not name this resource": {checkAudience, func(f *facts) string {
		if f.issued != nil && len(f.issued.Audience) > len(f.token.Audience) {
			return "aud has " + list(f.issued.Audience) + ", of which the client may still have " + list(f.token.Audience) + "; " + oneOf(f.audience) + " is asked for"
		}
		return "aud has " + list(f.token.Audience) + "; " + oneOf(f.audience) + " is asked for"
	}, always("it is for another app: log in with a client whose audience has this app, or correct audience of this bearer_auth")},
	"the token lacks a scope": {checkScope, lacksScope, lacksScopeRemedy},
}

// malformedClaim matches a reason that begins with the name of a claim.
var malformedClaim = regexp.MustCompile(`^[a-z_]+( is (?:missing or )?malformed)$`)

func notAToken(f *facts) string {
	const what = "it is not a signed token (JWT), which has three parts in base64url with dots between them"
	if f.decoded.isUnsigned() {
		return "it is not signed: alg is none"
	}
	if f.decoded.isEncrypted() {
		return "it is an encrypted token (JWE), which only the one can read for whom it is encrypted"
	}
	if f.decoded.isCut {
		return "its signature is missing: there is nothing after the last dot"
	}
	if f.decoded.looksSealed {
		return what + ". It may be a session cookie: those are for browsers, and only the server can read them"
	}
	if f.decoded.dots == 2 {
		return what + ": the parts are there, and one is damaged or cut"
	}
	return what
}

func unknownKey(f *facts) string {
	if f.decoded.isUnsigned() {
		return notAToken(f)
	}
	if f.other != "" {
		return fmt.Sprintf("it is signed by a key of the server %q of the same config, not by one of %q", f.other, f.server)
	}
	if f.generates {
		return "it is signed by a key that the config does not have, " + word(f.decoded.kid()) + "; the server also has generated keys, which are in the storage"
	}
	if f.decoded.kid() == "" {
		return "its header has no kid, so it is not a token of this server"
	}
	return "it is signed by a key that this server does not have, " + word(f.decoded.kid())
}

func unknownKeyRemedy(f *facts) string {
	if f.decoded.isUnsigned() {
		return neverUnsigned
	}
	if f.other != "" {
		return fmt.Sprintf("send it to apps that check tokens of %q, or name %q at this bearer_auth", f.other, f.other)
	}
	if f.generates {
		return "ask the running Caddy, without --offline, or verify it with the server's key set, with --jwks"
	}
	if iss := f.decoded.text("iss"); iss != "" && iss != f.issuer {
		if len(f.outside) > 0 {
			return "it names the issuer " + shown(iss) + "; the config takes those of this server, and " + list(f.outside) + ": " + otherIssuer(iss, f.outside)
		}
		return "it names the issuer " + shown(iss) + ", which is another server: get a token from this server"
	}
	return "it comes from another server, or from before the storage was lost, or its key has retired: log in again"
}

func sharedSecret(*facts) string {
	return "an app that has the secret of signing_key signed it: only the server itself writes tokens that bearer_auth accepts"
}

func lacksScope(f *facts) string {
	var missing, taken []string
	for _, scope := range f.scopes {
		switch {
		case slices.Contains(f.token.Scopes, scope):
		case f.issued != nil && slices.Contains(f.issued.Scopes, scope):
			taken = append(taken, scope)
		default:
			missing = append(missing, scope)
		}
	}
	text := "it has " + list(f.token.Scopes)
	if len(missing) > 0 {
		text += "; it lacks " + list(missing)
	}
	if len(taken) > 0 {
		text += "; " + list(taken) + " was taken from its user or its client since"
	}
	return text
}

func lacksScopeRemedy(f *facts) string {
	if f.token.IsClient() {
		return "ask for the scope; if the server refuses it, add it to the scopes of the client " + shown(f.token.CID)
	}
	return "ask for the scope at login; if the login refuses it, add it to the scopes of the client " + shown(f.token.CID) + " or of " + f.user()
}
