package command

import (
	"slices"
	"strings"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/apikey"
	"github.com/caddygrant/caddy-grant/internal/configreview"
)

// outsideCases are about who may pass beside users with tokens of the config's own
// server: users of outside issuers, clients that act for themselves, and API keys.
func outsideCases() []checkCase {
	const (
		siteKeys  = "\t\tapi_keys lines %DIR%/keys\n"
		issuer    = "\t\tissuer https://id.example.org {\n\t\t\taudience contacts\n"
		issuerEnd = "\t\t}\n"
		machine   = "\t\t\tgrants password refresh_token client_credentials\n"
	)
	hash := func(name string) string { return name + " " + apikey.DigestOf(name).Hash() + " " }
	keys := func(lines string) map[string]string { return map[string]string{"keys": lines} }
	good := hash("deploy") + "user=alice scopes=read expires=2999-01-31\n"
	taken := []string{siteUsers, siteUsers + siteKeys, siteScopes, siteScopes + "\t\tkeys\n"}
	outside := func(lines string) []string {
		return []string{siteScopes, siteScopes + issuer + lines + issuerEnd}
	}
	alone := func(lines string) []string {
		return []string{siteCheck, "\tbearer_auth {\n\t\tscopes read\n\t\tissuers_only\n" + issuer + lines + issuerEnd + "\t}\n"}
	}
	// in a header of their own, beside the options of a config
	shown := slices.Concat(taken, []string{"\tbearer_auth {\n\t\tscopes read\n\t\tkeys\n", "\tbearer_auth { # HERE\n\t\tscopes read\n\t\tkeys X-API-key\n"})
	options := func(lines string) []string {
		return slices.Concat(shown, []string{"example.com {", "{\n" + lines + "}\nexample.com {"})
	}
	const filter = "\t\tformat filter {\n\t\t\trequest>headers>X-Api-Key delete\n\t\t}\n"
	return []checkCase{
		// API keys
		{name: "API keys that the default log gets", rule: "logged-key", bad: shown, good: options("\tlog {\n" + filter + "\t}\n"),
			files: keys(good), says: `give this log "format filter" with a block that has the line "request>headers>X-Api-Key delete"`},
		{name: "API keys in a header that a filter spells in another way", rule: "logged-key",
			bad: options("\tlog {\n\t\tformat filter {\n\t\t\trequest>headers>X-API-Key delete\n\t\t}\n\t}\n"), files: keys(good)},
		{name: "API keys that the log of a site gets", rule: "logged-key",
			bad:  slices.Concat(options("\tlog {\n"+filter+"\t}\n"), []string{siteProxy, "\tlog {\n\t\toutput stdout\n\t}\n" + siteProxy}),
			good: append(options("\tlog {\n"+filter+"\t}\n\tlog audit {\n\t\tinclude admin\n\t}\n"), siteProxy, "\tlog {\n\t\toutput stdout\n\t\tformat filter {\n\t\t\trequest>headers delete\n\t\t\twrap console\n\t\t}\n\t}\n"+siteProxy), files: keys(good), says: `"log0"`},
		{name: "an API key of a user who is not there", rule: "ownerless-key", bad: taken,
			files: keys("# scripts\n" + good + hash("nightly") + "user=carol scopes=read expires=2999-01-31\n"), at: "%DIR%/keys:3", says: "api keys: nightly"},
		{name: "an API key of a client that is not there", rule: "ownerless-key", bad: append(taken, "\t\tkeys\n", "\t\tkeys\n\t\tclients\n"),
			files: keys(hash("nightly") + "client=reports scopes=read expires=2999-01-31\n"), at: "%DIR%/keys:1", says: "does not get these keys"},
		{name: "an API key of a user by name who has an id", rule: "ownerless-key",
			bad: append(taken, siteUsers, "\t\tusers json %DIR%/users.json\n"),
			files: map[string]string{
				"users.json": `{"users": [{"username": "alice", "id": "17", "password_hash": "` + harness.HashBcrypt + `"}]}`,
				"keys":       good,
			}, at: "%DIR%/keys:1", says: "write user_id"},
		{name: "API keys of clients with the name or the id of a user", rule: "key-of-client-named-like-user",
			bad: append(taken, siteUsers, "\t\tusers json %DIR%/users.json\n", "\t\tkeys\n", "\t\tkeys\n\t\tclients\n"),
			files: map[string]string{
				"users.json": `{"users": [{"username": "web", "id": "17", "password_hash": "` + harness.HashBcrypt + `"}, {"username": "alice", "password_hash": "` + harness.HashBcrypt + `"}]}`,
				"keys":       good + hash("nightly") + "client=web scopes=read expires=2999-01-31\n",
			}, at: "%DIR%/keys:2", says: "api keys: nightly"},
		{name: "an API key in JSON that has expired", rule: "expired-key",
			bad:   append(taken, "api_keys lines", "api_keys json"),
			files: keys("{\"api_keys\": [\n{\"name\": \"deploy\", \"hash\": \"" + apikey.DigestOf("a").Hash() + "\", \"user\": \"alice\", \"expires\": \"2020-01-31\"}]}"),
			at:    "%DIR%/keys:2", says: `"caddy grant key revoke deploy --file %DIR%/keys"`},
		{name: "an API key that never expires", rule: "endless-key", bad: taken, severity: configreview.Note,
			files: keys(good + hash("nightly") + "user=alice scopes=read\n"), at: "%DIR%/keys:2", says: "nightly"},
		{name: "an API key without scopes that is always refused", rule: "scopeless-key", bad: taken, severity: configreview.Warning,
			files: keys(hash("nightly") + "user=alice expires=2999-01-31\n"), at: "%DIR%/keys:1", says: "always refused"},
		{name: "an API key without scopes where none are asked for", rule: "scopeless-key", severity: configreview.Note,
			bad:   append(taken, siteCheck[:len(siteCheck)-3], "\tbearer_auth {\n\t\tscopes read\n", "\n\treverse_proxy", "\n\tbearer_auth /open* {\n\t\tkeys\n\t}\n\treverse_proxy"),
			files: keys(hash("nightly") + "user=alice expires=2999-01-31\n"), at: "%DIR%/keys:1", says: "passes only where none"},
		{name: "a file of API keys that others can read", rule: "file-readable", bad: taken,
			files: map[string]string{"keys": good, "keys.mode": "644"}, at: "%DIR%/keys", says: "its API keys"},
		{name: "a file of API keys that others can write", rule: "file-writable", bad: taken,
			files: map[string]string{"keys": good, "keys.mode": "660"}, at: "%DIR%/keys", says: "chmod go-w %DIR%/keys"},
		{name: "an API key with a scope that its owner cannot have", rule: "unobtainable-key-scopes", bad: taken,
			files: keys(good + hash("nightly") + "user=alice scopes=read,reed expires=2999-01-31\n" + hash("daily") + "user=alice scopes=read,write,run expires=2999-01-31\n"),
			at:    "%DIR%/keys:2", says: "scopes: reed run"},
		{name: "API keys with a scope that only machines get", rule: "unobtainable-key-scopes",
			bad: append(taken, siteSecret, siteSecret+"\t\t\tscopes read write\n\t\t}\n\t\tclient batch {\n\t\t\tgrants client_credentials\n\t\t\tscopes run\n"+siteSecret,
				"\t\tkeys\n", "\t\tkeys\n\t\tclients\n"),
			files: keys(hash("nightly") + "user=alice scopes=run expires=2999-01-31\n" + hash("machine") + "client=batch scopes=run expires=2999-01-31\n"),
			at:    "%DIR%/keys:1", says: "api keys: nightly"},
		{name: "an API key in two files", rule: "config-refused",
			bad:   append(taken, siteKeys, siteKeys+"\t\tapi_keys lines %DIR%/more\n"),
			files: map[string]string{"keys": good, "more": "# copied\n" + good}, at: "%DIR%/more:2", says: "delete one of the two lines"},
		{name: "API keys that a server does not have", rule: "no-api-keys",
			bad: []string{siteScopes, "\tbearer_auth { # HERE\n\t\tscopes read\n\t\tkeys\n"}, says: "every key is refused"},
		{name: "API keys that no check takes", rule: "untaken-keys",
			bad: []string{siteUsers, siteUsers + "\t\tapi_keys lines %DIR%/keys # HERE\n"}, files: keys(good), says: "add keys to the bearer_auth"},
		{name: "API keys of a client that no check lets pass", rule: "refused-clients",
			bad:   append(taken, siteKeys, "\t\tapi_keys lines %DIR%/keys # HERE\n"),
			files: keys(hash("nightly") + "client=web scopes=read expires=2999-01-31\n"), says: "nightly"},

		// clients that act for themselves
		{name: "a client that may act for itself and passes nowhere", rule: "refused-clients",
			bad:  []string{"\t\tclient web {", "\t\tclient web { # HERE", siteSecret, siteSecret + machine},
			good: []string{siteSecret, siteSecret + machine, siteScopes, siteScopes + "\t\tclients\n"}, says: "add clients"},

		// rules on claims
		{name: "a required claim that no user has", rule: "unmeetable-claim",
			bad:  []string{siteScopes, "\tbearer_auth { # HERE\n\t\tscopes read\n\t\trequire groups staff\n"},
			good: []string{siteScopes, siteScopes + "\t\trequire groups staff\n" + issuer + issuerEnd}, says: "groups"},
		{name: "a user by the name without the prefix of the issuer", rule: "unmeetable-claim",
			bad:  append(alone(""), "\t\tissuers_only\n", "\t\tissuers_only\n\t\trequire groups staff\n\t\trequire username alice https://id.example.org#bob # HERE\n"),
			good: append(alone(""), "\t\tissuers_only\n", "\t\tissuers_only\n\t\trequire username https://id.example.org#alice\n"), says: `username to be "alice", and here that always begins with the prefix of an issuer, "https://id.example.org#" write the prefix`},
		{name: "a client by the name without the prefix of an issuer that is defined elsewhere", rule: "unmeetable-claim",
			bad:  append(alone("\t\t\tusername_prefix staff:\n"), siteProxy, "\tbearer_auth /jobs* {\n\t\tscopes read\n\t\tissuers_only\n\t\tissuer https://id.example.org\n\t\tclients\n\t\trequire client_id nightly # HERE\n\t}\n"+siteProxy),
			says: `of an issuer, "staff:"`},
		{name: "a user by the name, beside the own server", rule: "unmeetable-claim",
			bad:  append(alone(""), "\t\tissuers_only\n", "\t\tissuers_only\n\t\trequire sub alice # HERE\n"),
			good: append(outside(""), siteScopes, siteScopes+"\t\trequire sub alice\n"), says: "https://id.example.org#"},
		{name: "a user by the name of an issuer without a prefix", rule: "unmeetable-claim", also: []string{"unprefixed-issuer"},
			bad:  append(alone(""), "\t\tissuers_only\n", "\t\tissuers_only\n\t\trequire cid web # HERE\n"),
			good: append(alone("\t\t\tusername_prefix -\n"), "\t\tissuers_only\n", "\t\tissuers_only\n\t\trequire sub alice\n"), says: "https://id.example.org#"},
		{name: "a domain of addresses without its star", rule: "unmeetable-claim",
			bad:  append(alone(""), "\t\tissuers_only\n", "\t\tissuers_only\n\t\trequire user.email @example.org # HERE\n"),
			good: append(alone(""), "\t\tissuers_only\n", "\t\tissuers_only\n\t\trequire user.email *@example.org\n\t\trequire groups @staff\n"), says: `write "*@example.org"`},
		{name: "two values with a comma between", rule: "value-with-comma", severity: configreview.Warning,
			bad:  append(alone(""), "\t\tissuers_only\n", "\t\tissuers_only\n\t\trequire groups staff,ops # HERE\n"),
			good: append(alone(""), "\t\tissuers_only\n", "\t\tissuers_only\n\t\trequire groups cn=staff,dc=example,dc=org \"Doe, Jane\"\n"), says: "spaces"},
		{name: "the name of an API key where none are taken", rule: "unknown-claim",
			bad:   append(taken, "\t\tkeys\n", "\t\tkeys\n\t}\n\tbearer_auth /a* { # HERE\n\t\tscopes read\n\t\tcopy_claims key_name>X-Key\n"),
			files: keys(good), says: "key_name"},

		// outside issuers
		{name: "an issuer that no block defines", rule: "will-not-start",
			bad: []string{siteScopes, "\tbearer_auth { # HERE\n\t\tscopes read\n\t\tissuer https://id.example.org\n"}, says: "write a block with"},
		{name: "an audience that is not asked of the tokens of an issuer", rule: "outside-audience",
			bad:  []string{siteCheck, siteScopes + issuer + issuerEnd + "\t}\n\tbearer_auth /admin* { # HERE\n\t\tscopes read\n\t\taudience https://example.com\n\t\tissuer https://id.example.org\n\t}\n"},
			good: []string{siteCheck, siteScopes + issuer + issuerEnd + "\t}\n\tbearer_auth /admin* {\n\t\tscopes read\n\t\taudience https://example.com\n" + strings.Replace(issuer, "contacts", "admin", 1) + issuerEnd + "\t}\n"}, says: "give it a block here"},
		{name: "e-mail addresses of two issuers", rule: "ambiguous-name",
			bad:  []string{siteScopes, "\tbearer_auth { # HERE\n\t\tscopes read\n\t\tcopy_claims email>X-Email\n" + issuer + issuerEnd},
			good: append(alone(""), "\t\tissuers_only\n", "\t\tissuers_only\n\t\tcopy_claims email>X-Email\n"), says: "sub or username"},
		{name: "an issuer without a prefix beside the own server", rule: "unprefixed-issuer", severity: configreview.Warning,
			bad: outside("\t\t\tusername_prefix - # HERE\n"), good: outside("\t\t\tusername_prefix staff:\n"), says: "{http.auth.user.id}"},
		{name: "an issuer without a prefix", rule: "unprefixed-issuer", severity: configreview.Note,
			bad: alone("\t\t\tusername_prefix - # HERE\n"), good: alone(""), says: "have no prefix"},
		{name: "ID tokens", rule: "id-tokens", severity: configreview.Note,
			bad: outside("\t\t\tid_tokens # HERE\n"), good: outside(""), says: "Only their audience"},
		{name: "tokens that are valid for long", rule: "long-outside-tokens", severity: configreview.Note,
			bad: outside("\t\t\tmax_lifetime 48h # HERE\n"), good: outside("\t\t\tmax_lifetime 24h\n"), says: "valid for 2d"},
		{name: "a check of outside tokens without scopes", rule: "no-scopes", severity: configreview.Note,
			bad:  append(alone(""), "\tbearer_auth {\n\t\tscopes read\n\t\tissuers_only", "\tbearer_auth { # HERE\n\t\tissuers_only"),
			good: append(alone(""), "\tbearer_auth {\n\t\tscopes read\n\t\tissuers_only", "\tbearer_auth {\n\t\trequire groups staff\n\t\tissuers_only"), says: "can get a token for this audience"},
	}
}
