package keys

import (
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/apikey"
)

const attackChecks = `
	bearer_auth /bearer* {
		keys
		clients
		copy_claims sub>X-User
	}
	bearer_auth /header* {
		keys X-Api-Key
		clients
		copy_claims sub>X-User
	}
	bearer_auth /other* second {
		keys
	}
	route /second/* {
		token_endpoint /second/token {
			name second
			issuer https://second.example.com
			client web {
				secret web-secret
			}
			user alice ` + harness.HashCheap + `
			api_keys lines %DIR%/others.txt
		}
	}
	reverse_proxy %APP%`

func startAttacked(t *testing.T) edge {
	t.Helper()
	keys := make(ring)
	e := edge{harness.NewSite(t), keys, harness.NewApp(t)}
	e.Write("keys.txt", keys.lines("deploy", "user=alice scopes=read", "nightly", "client=batch"))
	e.Write("others.txt", keys.lines("second", "user=alice"))
	e.Reload("", e.app.In("http://127.0.0.1:%PORT% {\n\tbind 127.0.0.1\n\tlog\n\ttoken_endpoint {\n\t\t"+owners+"\n\t}\n"+attackChecks+"\n}\n"))
	e.want(t, 200, "/bearer", harness.Bearer(keys.key("deploy")))
	e.want(t, 200, "/header", inHeader(keys.key("deploy")))
	e.want(t, 200, "/other", harness.Bearer(keys.key("second")))
	return e
}

// withChecksum is a text with the checksum that a key of this text would have.
func withChecksum(body string) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum := crc32.ChecksumIEEE([]byte(body))
	var check [6]byte
	for i := len(check) - 1; i >= 0; i-- {
		check[i] = digits[sum%62]
		sum /= 62
	}
	return body + string(check[:])
}

// swapped has two characters of a key in the wrong order.
func swapped(key string, at int) string {
	for key[at] == key[at+1] {
		at++
	}
	return key[:at] + string(key[at+1]) + string(key[at]) + key[at+2:]
}

func TestAttacksOnKeys(t *testing.T) {
	e := startAttacked(t)
	key, hash := e.key("deploy"), apikey.DigestOf(e.key("deploy")).Hash()
	if withChecksum(key[:47]) != key {
		t.Fatal("the checksum of the test is wrong")
	}
	const malformed, unknown = "it is not a whole API key", "no API key has its hash"
	session := e.Web().Login(t, "alice")
	for name, test := range map[string]struct{ credential, reason string }{
		"the last character is cut off":        {key[:len(key)-1], malformed},
		"the checksum is cut off":              {key[:47], malformed},
		"half of it":                           {key[:25], malformed},
		"the prefix alone":                     {"cgk_", malformed},
		"a wrong checksum":                     {key[:47] + "000000", malformed},
		"a character more":                     {key + "0", malformed},
		"two characters swapped":               {swapped(key, 10), malformed},
		"two characters of the checksum":       {swapped(key, 47), malformed},
		"two swapped, and the right checksum":  {withChecksum(swapped(key[:47], 10)), unknown},
		"another key of this form":             {apikey.Make(), unknown},
		"a key in lower case":                  {strings.ToLower(key), malformed},
		"a key in upper case, but the prefix":  {"cgk_" + strings.ToUpper(key[4:]), malformed},
		"the prefix twice":                     {"cgk_" + key, malformed},
		"a key of another server":              {e.key("second"), unknown},
		"the hash after the prefix":            {"cgk_" + strings.TrimPrefix(hash, "sha256:"), malformed},
		"a key with a NUL that is escaped":     {key + "%00", malformed},
		"a key in quotes after the prefix":     {"cgk_\"" + key + "\"", malformed},
		"8 KiB":                                {"cgk_" + strings.Repeat("A", 8<<10), malformed},
		"the name of the key after the prefix": {"cgk_deploy", malformed},
		"a wildcard":                           {"cgk_*", malformed},
		"no text at all":                       {"", ""},
		"the hash":                             {hash, ""},
		"the hash without its name":            {strings.TrimPrefix(hash, "sha256:"), ""},
		"the name of the key":                  {"deploy", ""},
		"the prefix in upper case":             {"CGK_" + key[4:], ""},
		"a key without the prefix":             {key[4:], ""},
		"a refresh token":                      {session.Refresh, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if test.reason != "" {
				e.refused(t, test.reason, "/bearer", harness.Bearer(test.credential))
			} else if test.credential != "" {
				e.want(t, 401, "/bearer", harness.Bearer(test.credential))
			}
			reason := test.reason
			if reason == "" {
				reason = malformed
			}
			e.refused(t, reason, "/header", inHeader(test.credential))
		})
	}
	t.Run("a token in the header of keys", func(t *testing.T) {
		e.refused(t, malformed, "/header", inHeader(session.Access))
		e.refused(t, malformed, "/header", inHeader("Bearer "+key))
	})
	t.Run("a key of this server at another one", func(t *testing.T) {
		e.refused(t, unknown, "/other", harness.Bearer(key))
	})
	t.Run("all look alike from outside", func(t *testing.T) {
		garbage := e.get("/bearer", harness.Bearer("garbage"))
		for _, credential := range []string{key[:50], apikey.Make(), e.key("second"), "cgk_"} {
			harness.WantSameOutward(t, e.get("/bearer", harness.Bearer(credential)), garbage)
		}
		if got := garbage.Header.Get("WWW-Authenticate"); got != `Bearer realm="default", error="invalid_token"` {
			t.Errorf("I3: WWW-Authenticate: %s", got)
		}
	})
	t.Run("spaces around a key are those of the header", func(t *testing.T) {
		e.want(t, 200, "/header", "X-Api-Key:   "+key+"  ")
		e.want(t, 400, "/bearer", harness.Bearer(key+" x"))
		e.refused(t, malformed, "/header", inHeader(key+" x"))
		e.want(t, 400, "/header", inHeader(key+", "+key))
		e.refused(t, malformed, "/header", inHeader(key+"\t"+key))
	})
	t.Run("the endpoints take no keys", func(t *testing.T) {
		for path, form := range map[string]string{
			"/token":            e.Web().RefreshForm(key),
			"/token/introspect": e.Web().Form("token", key),
		} {
			a := e.Post(path, form)
			if a.Status == 200 && a.JSON["active"] != false {
				t.Errorf("%s: %d %s", path, a.Status, a.Body)
			}
		}
		e.Post("/token", "grant_type=password&username=alice&password=correct+horse", harness.Bearer(key)).Want(t, 401, "invalid_client")
		e.Post("/token", e.As("batch").Form("grant_type", "password", "username", "alice", "password", "correct horse", "client_secret", e.key("nightly"))).Want(t, 400, "invalid_client")
		a := e.Web().Revoke(key) // J3: 200, and it revokes nothing
		a.Want(t, 200, "")
		e.want(t, 200, "/bearer", harness.Bearer(key))
	})
	// but in the access log of Caddy, see TestAHeaderOfKeysIsInTheAccessLogOfCaddy
	for _, line := range e.Logged(func(line map[string]any) bool { return !strings.HasPrefix(text(line, "logger"), "http.log.") }) {
		e.wantNone(t, "log", fmt.Sprint(line))
	}
}
