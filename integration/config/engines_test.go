package config

import (
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// A URL with a password may be written where the name of an engine belongs, or on a line of
// its own: no error shows it, and each says what to write.
func TestAURLInPlaceOfTheNameOfAnEngineIsNotShown(t *testing.T) {
	const url = "redis://user:s3cret@host:6379"
	for lines, want := range map[string]string{
		"sessions " + url:                         `sessions takes the name of an engine before anything else: storage, memory; the URL comes after the name, as in "sessions redis <url>", at Caddyfile:3`,
		"sessions storage {\nalso " + url + "\n}": `as in "also redis <url>", at Caddyfile:4`,
		"sessions memory x {\nalso postgresql://user:s3cret@host/sessions\n}": `as in "also postgres <url>"`,
		"sessions REDISS://user:s3cret@host {\nalso storage\n}":               `as in "sessions redis <url>"`,
		"sessions valkey://user:s3cret@host":                                  `as in "sessions redis <url>"`,
		"sessions redis=" + url:                                               `as in "sessions redis <url>"`,
		"sessions user:s3cret@host:6379":                                      "before anything else: storage, memory, at",
		"sessions {\n" + url + "\n}":                                          "sessions takes the name of an engine: storage, memory",
		"sessions storage " + url:                                             "sessions storage takes no argument",
		"sessions storage {\n" + url + "\n}":                                  "sessions storage has no settings of its own",
		"sessions storage {\nalso storage " + url + "\n}":                     "sessions storage takes no argument",
		"sessions memory a {\nalso memory " + url + "\n}":                     "duplicate engine memory",
		"sessions redis " + url:                                               "this Caddy was built without that engine",
		"redis " + url:                                                        "unrecognized subdirective redis of token_endpoint",
		url:                                                                   "unrecognized subdirective of token_endpoint, which is not shown since it may contain a password: sessions are in Caddy's storage",
		"mongodb://user:s3cret@host":                                          "unrecognized subdirective of token_endpoint, which is not shown",
		"login_page {\n" + url + "\n}":                                        "unrecognized subdirective of login_page, which is not shown",
		"client web {\nuser:s3cret@host\n}":                                   "unrecognized subdirective of client, which is not shown",
	} {
		_, err := harness.Adapt("http://localhost:8080 {\ntoken_endpoint {\n" + lines + "\n}\n}")
		wantConfigError(t, err, want, lines)
	}
	for members, want := range map[string]string{
		`"sessions": {"engine": "` + url + `"}`:                       `sessions: "engine" must be the name of an engine: storage, memory; its URL is another member`,
		`"also_sessions": [{"engine": "` + url + `"}]`:                `also_sessions: "engine" must be the name of an engine`,
		`"sessions": "` + url + `"`:                                   `sessions: it must have a member "engine" with the name of an engine`,
		`"also_sessions": ["` + url + `"]`:                            `also_sessions: it must have a member "engine"`,
		`"sessions": {"redis": "` + url + `"}`:                        `sessions: it must have a member "engine"`,
		`"sessions": {"engine": {"redis": "` + url + `"}}`:            `sessions: it must have a member "engine"`,
		`"sessions": {"engine": "redis", "url": "` + url + `"}`:       "this Caddy was built without that engine",
		`"sessions": {"engine": "memori", "name": "` + url + `"}`:     "did you mean memory?",
		`"sessions": {"engine": "storage", "url": "` + url + `"}`:     `unknown field "url"`,
		`"also_sessions": {"engine": "memory", "url": "` + url + `"}`: "cannot unmarshal object",
	} {
		handler := `{"handler": "token_endpoint", ` + members + `, "clients": [{"source": "inline", "clients": [{"id": "web", "public": true}]}],
			"users": [{"source": "inline", "users": [{"username": "alice", "password_hash": "` + strings.ReplaceAll(harness.HashBcrypt, `"`, "") + `"}]}]}`
		wantConfigError(t, harness.ValidateHandlers(t, handler), want, members)
	}
}
