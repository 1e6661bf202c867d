package command

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/internal/apikey"
)

func TestWhatKeysCannotHaveIsRefused(t *testing.T) {
	hash := apikey.DigestOf("1").Hash()
	lines := "deploy " + hash + " user=alice\n"
	list := `{"users": [{"username": "bob", "password_hash": "HASH", "id": "7"}], "api_keys": [{"name": "deploy", "hash": "` + hash + `", "user": "alice"}]}`
	files := []string{"keys", lines, "keys.json", list, "broken", "deploy " + hash + "\n", "users", "alice:HASH\n"}
	d := newDesk(t, files...)
	key := apikey.Make()
	for args, why := range map[string]string{
		"add deploy --user bob -f FILE/keys":                 `keys: it has a key "deploy" already; choose another name, or end that key with "caddy grant key revoke"`,
		"add deploy --user bob -f FILE/keys.json":            `keys.json: it has a key "deploy" already`,
		"add -f FILE/keys":                                   "name the key: grant key add NAME",
		"add x -f FILE/keys":                                 "say whose key it is with --user, --user-id or --client",
		"add x --user= -f FILE/keys":                         "say whose key it is",
		"add x --user a --client b -f FILE/keys":             "--client and --user cannot be used together",
		"add a\tb --user bob -f FILE/keys":                   "no blanks",
		"add " + key + " --user bob -f FILE/keys":            "looks like a key or a hash, and is not shown",
		"add x --user " + key + " -f FILE/keys":              "not shown",
		"add x --user bob --note " + key + " -f FILE/keys":   "revoke that key",
		"add x --user bob --scopes a,a -f FILE/keys":         `duplicate scope "a"`,
		"add x --user bob --audience= -f FILE/keys":          "--audience is empty: leave it out",
		"add x --user bob --expires soon -f FILE/keys":       "--expires: write how long, such as 90d, or a date",
		"add x --user bob --expires 2020-01-31 -f FILE/keys": "--expires: that is over already",
		"add x --user bob --expires 0d -f FILE/keys":         "--expires: it must be longer than nothing",
		"add x --user bob --expires -1h -f FILE/keys":        "--expires: it must be longer than nothing",
		"add x --user bob\x00 -f FILE/keys":                  "control characters",
		"add x --user bob -f FILE/broken":                    `correct the file first, which Caddy refuses as it is: line 1: "deploy": it has no owner`,
		"add x --user bob -f FILE/users":                     "correct the file first, which Caddy refuses as it is: line 1",
		"add x --user bob -f FILE/keys --format htpasswd":    "--format htpasswd: it must be lines or json",
		"add x --user bob -f FILE/keys --format json":        "it has one key a line, and is not JSON",
		"add x --user bob -f FILE/keys.json --format lines":  "it is JSON, not one key a line",
		"list -f FILE/keys --config Caddyfile":               "--config and --file cannot be used together",
		"list -f FILE/broken":                                `broken: line 1: "deploy": it has no owner`,
		"list -f FILE/missing":                               "no such file or directory",
		"revoke x -f FILE/keys":                              `keys: it has no key "x"; "caddy grant key list" shows the names`,
		"revoke x -f FILE/missing":                           "no such file or directory",
		"revoke " + key + " -f FILE/keys":                    "is not shown",
		"revoke deploy x -f FILE/keys":                       "too many arguments",
	} {
		given := strings.Split(args, " ")
		d.refuse("", why, append([]string{"key"}, given...)...)
	}
	d.unchanged(files...)
}

func TestAKeyEndsAfterAWhileOrAtADate(t *testing.T) {
	now := time.Date(2026, 11, 29, 13, 0, 0, 5, time.FixedZone("", 3600))
	for text, want := range map[string]string{
		"":                     "",
		"90d":                  "2027-02-27T12:00:00Z",
		"1h30m":                "2026-11-29T13:30:00Z",
		"2027-01-31":           "2027-01-31",
		"2027-01-31T18:00:00Z": "2027-01-31T18:00:00Z",
		"2026-11-29":           "that is over already",
		"2026-11-29T12:00:00Z": "that is over already",
		"-1d":                  "longer than nothing",
		"90":                   "write how long",
		"31.1.2027":            "write how long",
		"2027-02-30":           "write how long",
	} {
		got, err := keyEnd(text, now)
		if err != nil {
			if got != "" || !strings.Contains(err.Error(), want) || want == "" {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		if got != want {
			t.Errorf("%q ends at %q, want %q", text, got, want)
		}
		if _, err := apikey.ParseEnd(got); err != nil {
			t.Errorf("%q: a file cannot have that: %v", text, err)
		}
	}
}

func TestAnEndpointIsFoundWhereverItIsInAConfig(t *testing.T) {
	config := []byte(`{"apps": {"http": {"servers": {"a": {"routes": [
		{"handle": [{"handler": "subroute", "routes": [{"handle": [{"handler": "token_endpoint", "api_keys": [{"source": "lines", "path": "b"}, {"source": "json", "path": "a"}, {"source": "other", "path": "c"}, 7]}]}]}]},
		{"handle": [{"handler": "token_endpoint", "api_keys": [{"source": "json", "path": "a"}], "users": [{"source": "lines", "path": "u"}]}]}
	]}}}}}`)
	got := sourcesIn(config, "api_keys")
	if want := []configSource{{"json", "a"}, {"lines", "b"}}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if got := sourcesIn(config, "users"); len(got) != 0 {
		t.Errorf("users are in %v", got)
	}
}
