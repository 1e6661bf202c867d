package keys

import (
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Checks may take keys in different headers, and a request still has one credential: who
// sends two would be one user here and another there.
func TestTwoKeysInTheHeadersOfTwoChecksAreRefused(t *testing.T) {
	keys := make(ring)
	e := serve(t, keys, keys.lines("deploy", "user=alice scopes=read", "bobs", "user_id=u-2"), `
	route {
		bearer_auth /a* {
			keys X-Key-A
			copy_claims sub>X-User
		}
		bearer_auth /other* {
			keys X-Key-B
			copy_claims sub>X-User
		}
		bearer_auth /bearer* {
			keys
		}
		bearer_auth /tokens*
		reverse_proxy %APP%
	}`)
	a, b := "X-Key-A: "+keys.key("deploy"), "X-Key-B: "+keys.key("bobs")
	for path, good := range map[string]string{"/a": a, "/other": b} {
		got := e.received(t, path, good)
		got.WantIdentity(t, "X-Key-A", "")
		got.WantIdentity(t, "X-Key-B", "")
		for _, two := range [][]string{{a, b}, {a, "X-Key-B: nonsense"}, {"X-Key-A: ", b}} {
			e.want(t, 400, path, two...)
		}
	}
	e.want(t, 401, "/a", b)
	e.want(t, 401, "/a", b, b)
	e.want(t, 401, "/other", a)
	token, key := harness.Bearer(e.Token("alice")), harness.Bearer(keys.key("deploy"))
	e.want(t, 400, "/other", token, a)
	e.want(t, 400, "/bearer", key, b)
	e.want(t, 400, "/bearer", a, b)
	e.want(t, 401, "/bearer", a)
	e.want(t, 200, "/bearer", key)
	e.want(t, 200, "/tokens", token, a) // where no key counts, as on an open path
}

// A key counts for all checks of a request that take it, and each asks for its own.
func TestAStricterCheckInsideAWiderOneWithAKey(t *testing.T) {
	keys := make(ring)
	e := serve(t, keys, keys.lines("deploy", "user=alice scopes=read", "nightly", "client=batch scopes=read"), `
	route {
		bearer_auth {
			keys X-Api-Key
			clients
			copy_claims sub>X-User client_id>X-Client
		}
		bearer_auth /write* {
			keys X-Api-Key
			scopes write
		}
		bearer_auth /users* {
			keys X-Api-Key
		}
		bearer_auth /tokens*
		bearer_auth /bearer* {
			keys
		}
		reverse_proxy %APP%
	}`)
	key, client := inHeader(keys.key("deploy")), inHeader(keys.key("nightly"))
	e.received(t, "/", key).WantIdentity(t, "X-User", "alice")
	e.received(t, "/", client).WantIdentity(t, "X-Client", "batch")
	e.want(t, 403, "/write", key)
	e.want(t, 200, "/users", key)
	e.want(t, 403, "/users", client)
	e.want(t, 401, "/tokens", key) // which takes tokens only
	e.want(t, 401, "/bearer", key)
	basic := harness.Basic("app", "x")
	e.received(t, "/users", key, basic).WantIdentity(t, "Authorization", strings.TrimPrefix(basic, "Authorization: "))
}

func TestTheHeaderOfKeysIsNotAnIdentityHeader(t *testing.T) {
	s := harness.NewSite(t)
	for _, header := range []string{"X-Api-Key", "X_API_KEY", "x.api-key"} {
		for name, handlers := range map[string]string{
			"in the same check": "bearer_auth {\n\t\tkeys X-Api-Key\n\t\tcopy_claims sub>" + header + "\n\t}",
			"in another check":  "bearer_auth /a {\n\t\tkeys X-Api-Key\n\t}\n\tbearer_auth /b {\n\t\tcopy_claims sub>" + header + "\n\t}",
		} {
			err := s.TryReload("", harness.WithCheapHashes(t, strings.Replace(harness.WebSite("user alice "+harness.HashCheap), "\trespond", "\t"+handlers+"\n\trespond", 1)))
			if err == nil || !strings.Contains(err.Error(), "copy_claims: the header "+header+" is that of API keys") {
				t.Errorf("%s %s: %v", header, name, err)
			}
		}
	}
	for _, header := range []string{"Authorization", "Cookie", "Host", "X-Forwarded-For", "bad header"} {
		if err := s.TryReload("", strings.Replace(harness.WebSite("user alice "+harness.HashCheap), "\trespond", "\tbearer_auth {\n\t\tkeys \""+header+"\"\n\t}\n\trespond", 1)); err == nil || !strings.Contains(err.Error(), "keys: ") {
			t.Errorf("%s: %v", header, err)
		}
	}
}
