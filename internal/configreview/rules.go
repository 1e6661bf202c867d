package configreview

import (
	"slices"
)

// Rule is one kind of finding. Its ID is stable.
type Rule struct {
	ID       string
	Severity Severity // of most findings
	Summary  string   // what it finds
	Remedy   string   // what to do, where a finding does not say more
}

// Rules are all of them, by subject.
var Rules = []Rule{
	// whether it starts
	{"config-refused", Error, "Caddy refuses to load the config, or a file that it names", "correct it, and run \"caddy grant check\" again: what is wrong elsewhere shows only then"},
	{"unknown-server", Error, "a `bearer_auth` names a server that no `token_endpoint` defines: `caddy validate` accepts the config, but Caddy does not start with it", "name a token_endpoint that exists, or add one"},
	{"will-not-start", Error, "Caddy does not start with the config, for another reason that `caddy validate` does not tell", "correct it as the message says"},

	{"nothing-to-check", Warning, "a config has neither a `token_endpoint` nor a `bearer_auth`: it may be the wrong file", "name the config that Caddy runs with, with --config"},

	// passwords, secrets and files
	{"weak-hash", Warning, "hashes that are quick to guess, and whose they are", "set new passwords: with \"caddy grant user passwd NAME\" in a file; \"caddy hash-password --algorithm argon2id\" makes a hash for the config itself"},
	{"mixed-hashes", Note, "hashes of several kinds: the time of a login tells which names exist", "make new hashes until all are of one kind"},
	{"weak-hashes-allowed", Note, "`allow_weak_hashes` is set, and no hash needs it", "remove allow_weak_hashes"},
	{"plaintext-secret", Error, "a secret is written in the config itself", "move it to a file or a variable: {file./path/to/secret} or {env.NAME}"},
	{"short-secret", Warning, "a client's secret is short enough to be guessed", "make one with \"openssl rand -hex 32\""},
	{"padded-secret", Warning, "a secret has blanks, line ends or quotes around it, which count as part of it", "write the file or the variable without them"},
	{"file-readable", Warning, "a file with hashes can be read by every user of the machine; one with secrets or a private key is an error", "remove the permission to read for others"},
	{"file-writable", Error, "users other than the owner can change or replace a file of users, clients, API keys or secrets", "remove the permission to write for group and others"},
	{"empty-file", Warning, "a file has no users, or no clients", "add entries, or leave the file out"},
	{"duplicate-id", Error, "a user is refused because the id belongs to another user", "give one of them another id"},
	{"refused-entries", Error, "a source has users or clients that cannot be used", "correct the entries in the source"},
	{"unread-source", Warning, "a source of users or clients could not be asked or listed", "make sure that the source can be reached from here, and check again"},
	{"client-of-login-page", Error, "a client has the id that is reserved for the login page, and cannot authenticate", "give the client another id"},

	// API keys
	{"ownerless-key", Warning, "API keys whose owner is not there, or who name a user that has an id by the username: they are refused", "correct the owner, or delete the line"},
	{"key-of-client-named-like-user", Warning, "API keys whose owner is a client with the username or the id of a user: they are refused", "give the client an id that no user has, and make a new key for it"},
	{"expired-key", Warning, "an API key has expired", "delete its line"},
	{"endless-key", Note, "an API key never expires", "set expires to a day"},
	{"scopeless-key", Warning, "an API key has no scopes, and each `bearer_auth` that takes keys asks for some; a note where one asks for none", "give it the scopes that its script needs, with scopes"},
	{"unobtainable-key-scopes", Warning, "API keys name scopes that their owners cannot have", "correct the scopes of the keys, or give them to the owners"},
	{"no-api-keys", Warning, "a `bearer_auth` takes API keys, and its server has no `api_keys`", "name the file of keys with api_keys, or remove keys"},
	{"logged-key", Warning, "API keys come in a header of their own, and Caddy writes that header to a log", "put a filter into each log that deletes the header"},
	{"untaken-keys", Warning, "a server has `api_keys`, and no `bearer_auth` takes them", "add keys to the bearer_auth of an app, or remove api_keys"},

	// the authorization server
	{"lifetime-order", Warning, "an access token is valid longer than the refresh token that should renew it", "lower access_token_ttl, or raise refresh_token_ttl"},
	{"lifetime-beyond-session", Warning, "a token's lifetime is longer than `session_ttl`, which ends the token earlier", "raise session_ttl, or lower the other lifetime"},
	{"no-audience", Warning, "tokens name no audience, though more than one app accepts them, or apps verify them on their own; a note where one app accepts them", "set an issuer, or audience, so that each app can refuse tokens that are meant for another"},
	{"http-issuer", Warning, "the issuer is an http URL of a loopback host, but the server is on other hosts too; a note where it is on loopback only", "write the https URL of the site, such as https://api.example.com"},
	{"allow-http", Warning, "passwords and tokens are accepted over plain HTTP", "remove allow_http; behind a proxy that does TLS, name it in trusted_proxies instead"},
	{"throttle-off", Warning, "failed logins are not slowed down", "remove \"throttle off\", or set its bounds"},
	{"unoffered-grant", Warning, "clients list a grant that the server does not offer", "add it to the server's grants, or remove it from the clients'"},
	{"client-named-like-user", Warning, "clients get no tokens for themselves, since users have their ids as username or id", "give these clients ids that no user has"},
	{"refused-clients", Warning, "clients may get tokens for themselves, or have API keys, and no `bearer_auth` of the server lets clients pass", "add clients to the bearer_auth of the app that they call"},
	{"past-sunset", Warning, "clients may use the password grant after its `sunset`", "remove \"password\" from the clients' grants, or set a later sunset"},
	{"unobtainable-default-scopes", Warning, "clients have `default_scopes` that they may not ask for: a login without `scope` does not get them", "add them to the scopes of the server, or correct default_scopes"},
	{"scope-with-comma", Warning, "a scope has a comma in its name: scopes are separated by spaces", "write spaces in place of commas"},

	// what is open
	{"unchecked-upstream", Error, "an app behind a `bearer_auth` can be reached without it, on the same site, another site or another port", "put a bearer_auth before each way to the app"},
	{"open-route", Warning, "a site with a `bearer_auth` has a proxy that requests reach without it; a file server is a note", "put the bearer_auth before all routes, and name what is open with its open; or say that the route is meant to be open with a bearer_auth whose block is the single line: off"},
	{"open-rest", Warning, "a `bearer_auth` checks only what its matcher names, and all else reaches the app unchecked; an error where clients choose, as with a header, and a note for addresses and `OPTIONS`", "remove the matcher, and name what needs no token with open"},
	{"check-off", Note, "a `bearer_auth` is `off`: what is behind it is open", "remove off where a token should be needed"},
	{"check-shadow", Warning, "a `bearer_auth` is in shadow mode, and refuses nothing", "remove shadow"},
	{"check-optional", Warning, "a `bearer_auth` is optional, and requests without a token pass", "remove optional"},
	{"dead-check", Error, "a `bearer_auth` checks nothing, since a matcher matches no request", "correct the matcher"},
	{"dead-matcher", Warning, "one of the matchers of a `bearer_auth` matches no request", "correct the matcher"},
	{"half-path", Warning, "a path matcher of a `bearer_auth` names a path and not what is below it, or the reverse", "name both"},
	{"error-route", Error, "`handle_errors` serves what a `bearer_auth` has refused", "rewrite to one page first"},
	{"endpoint-behind-check", Error, "a `bearer_auth` comes before a `token_endpoint`: no user can log in", "write token_endpoint before bearer_auth in a route"},
	{"foreign-cookie-domain", Error, "`cookie_domain` is a domain in which no site has the login page: every login is refused", "name the domain of the sites, or remove cookie_domain"},
	{"unchecked-sessions", Warning, "no `bearer_auth` takes the sessions of a login page", "add bearer_auth to the sites in front of your apps"},

	// what tokens must be like
	{"no-scopes", Warning, "no `bearer_auth` of a site asks for a scope, though the server's tokens have scopes: any token is enough; a note where they have none", "name the scopes that the app needs, with scopes"},
	{"unobtainable-scopes", Error, "a `bearer_auth` wants scopes that no client may ask for", "add them to a client or to the server"},
	{"unmeetable-claim", Error, "a `bearer_auth` requires a claim that no token has, or a value of one that none can have", "give the claim to users, or correct its name"},
	{"value-with-comma", Warning, "a value of `require` has a comma in it: values are separated by spaces", "write spaces in place of commas"},
	{"unknown-claim", Warning, "`copy_claims` names a claim that no token has", "correct its name"},
	{"unasked-audience", Warning, "clients have an audience that no `bearer_auth` asks for", "add it to audience in the bearer_auth of its app"},

	// outside issuers
	{"outside-audience", Warning, "a `bearer_auth` has an `audience`, which is not asked of the tokens of an outside issuer that has no block there", "give the issuer a block there, with the audience of its tokens"},
	{"ambiguous-name", Warning, "`copy_claims` gives an app e-mail addresses or other names that users of several issuers can have alike", "give the app sub or username, which have the prefix of the issuer"},
	{"unprefixed-issuer", Warning, "an outside issuer has an empty `username_prefix`, beside other issuers; a note where it is alone", "remove username_prefix, or give the issuer a prefix of its own"},
	{"id-tokens", Note, "ID tokens of an outside issuer are taken", "remove id_tokens if the issuer has access tokens; else let audience name the clients of this app alone"},
	{"long-outside-tokens", Note, "tokens of an outside issuer may be valid for longer than a day", "lower max_lifetime, and the lifetime of tokens at the issuer"},

	// the surroundings
	{"identity-header-gap", Error, "identity headers that clients send reach an app, or a directive after the `bearer_auth` overwrites them; a warning where the client does not choose the value", "put a bearer_auth into each site that proxies, and let no later directive set these headers"},
	{"spoofed-address", Error, "clients can choose the address that failed logins are counted for", "add trusted_proxies_strict"},
	{"cacheable-pages", Error, "shared caches may keep pages of logged-in users", "set Cache-Control in a header directive of its own"},
	{"open-admin", Error, "other machines can reach Caddy's admin endpoint, which ends sessions and replaces the config without asking who is there", "remove the line \"admin\", or let it listen on a Unix socket or on localhost"},
	{"startup-warning", Warning, "start-up warns of something that has no rule of its own", "see the message"},
}

func rule(id string) Rule {
	i := slices.IndexFunc(Rules, func(r Rule) bool { return r.ID == id })
	if i < 0 {
		panic("no rule " + id)
	}
	return Rules[i]
}

// IsRule tells whether there is a rule of that id.
func IsRule(id string) bool {
	return slices.ContainsFunc(Rules, func(r Rule) bool { return r.ID == id })
}
