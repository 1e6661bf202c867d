package keys

import (
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/apikey"
)

// headerChecks take keys in a header of their own, on a part of the site. Another site of
// the listener and open paths have no check.
const headerChecks = `
	bearer_auth /private* {
		keys X-API-Key
		open /private/open/*
		copy_claims sub>X-User
	}
	bearer_auth /forwarded* {
		keys X-API-Key
		forward_token
		copy_claims sub>X-User
	}
	bearer_auth /bearer* {
		keys
		open /bearer/open
		copy_claims sub>X-User
	}
	bearer_auth /kept* {
		keys
		open /kept/open
		forward_token
		copy_claims sub>X-User
	}
	route /off* {
		bearer_auth {
			off
		}
		reverse_proxy %APP%
	}
	respond /vars "{http.vars.caddy_grant.api_keys}|{http.vars.caddy_grant.bearer}|{http.request.header.X-Api-Key}|{http.request.header.X-API-Key}"
	reverse_proxy %APP%
	handle_errors {
		handle /*/styled* {
			reverse_proxy %APP%
		}
	}
}
http://localhost:%PORT% {
	bind 127.0.0.1
	reverse_proxy %APP%
`

func startHeader(t *testing.T) edge {
	t.Helper()
	keys := make(ring)
	return serve(t, keys, keys.lines("deploy", "user=alice scopes=read", "bobs", "user_id=u-2"), headerChecks)
}

func TestAKeyCanComeInAHeaderOfItsOwn(t *testing.T) {
	e := startHeader(t)
	for _, header := range []string{"X-Api-Key", "X-API-KEY", "x-api-key"} {
		got := e.received(t, "/private", header+": "+e.key("deploy"))
		got.WantIdentity(t, "X-User", "alice")
		got.WantIdentity(t, "X-Api-Key", "")
	}
	// instead of Bearer
	e.want(t, 401, "/private", harness.Bearer(e.key("deploy")))
	if got := e.LastReason(); got != "it is an API key, and these are taken in a header of their own here" {
		t.Errorf("the log says %q", got)
	}
	e.want(t, 401, "/bearer", inHeader(e.key("deploy")))
}

func TestTheAuthorizationOfTheAppStaysBesideAKeyInAHeader(t *testing.T) {
	e := startHeader(t)
	basic := harness.Basic("app", "password")
	for _, path := range []string{"/private", "/forwarded", "/private/open/x"} {
		for _, authorization := range []string{basic, "Authorization: Negotiate abc", "Authorization: Digest a=\"b\", c=\"d\""} {
			got := e.received(t, path, inHeader(e.key("deploy")), authorization)
			got.WantIdentity(t, "Authorization", strings.TrimPrefix(authorization, "Authorization: "))
			got.WantIdentity(t, "X-Api-Key", "")
		}
	}
	// and a token is still the edge's
	got := e.received(t, "/private", harness.Bearer(e.Token("alice")))
	got.WantIdentity(t, "Authorization", "")
	got.WantIdentity(t, "X-User", "alice")
}

// I5, RFC 6750 §2: one request, one credential.
func TestTwoCredentialsAreRefused(t *testing.T) {
	e := startHeader(t)
	token, key, other := harness.Bearer(e.Token("alice")), e.key("deploy"), e.key("bobs")
	for name, headers := range map[string][]string{
		"a token and a key":                         {token, inHeader(key)},
		"a token and an empty key":                  {token, "X-Api-Key:  "},
		"a bad token and a key":                     {harness.Bearer("x.y.z"), inHeader(key)},
		"a key in both places":                      {harness.Bearer(key), inHeader(key)},
		"two keys":                                  {inHeader(key), inHeader(other)},
		"the same key in two headers":               {inHeader(key), inHeader(key)},
		"two keys that a proxy has joined":          {inHeader(key + ", " + other)},
		"two keys in two spellings":                 {inHeader(key), "x-API-key: " + other},
		"Basic with Bearer after it, and a key":     {"Authorization: Basic YTpi, Bearer " + key, inHeader(key)},
		"two headers Authorization, and a key":      {harness.Basic("a", "b"), harness.Basic("a", "b"), inHeader(key)},
		"Basic and a token in two headers, and key": {harness.Basic("a", "b"), token, inHeader(key)},
		"a Bearer without a token, and a key":       {"Authorization: Bearer", inHeader(key)},
	} {
		t.Run("I5: "+name, func(t *testing.T) {
			e.get("/private", headers...).Want(t, 400, "")
			if seen := e.app.Take(); len(seen) > 1 || len(seen) == 1 && seen[0].Header.Get("X-User") != "" {
				t.Errorf("the app received %v", seen)
			}
		})
	}
	t.Run("I6: access_token in the query, and a key", func(t *testing.T) {
		for _, path := range []string{"/private?access_token=x", "/private?access_token=" + key, "/bearer?access_token=" + key, "/bearer?a=b&access%5Ftoken=x"} {
			e.get(path, inHeader(key)).Want(t, 400, "")
		}
	})
	e.get("/bearer", harness.Bearer(key), harness.Bearer(key)).Want(t, 400, "")
	e.get("/bearer", "Authorization: Bearer "+key+", Bearer "+other).Want(t, 400, "")
}

// I18: the header of keys never reaches an app, whatever path the request takes.
func TestTheHeaderOfKeysIsRemovedFromEveryRequest(t *testing.T) {
	e := startHeader(t)
	for name, test := range map[string]struct {
		path, host string
		lines      []string
	}{
		"a checked path":            {"/private", "", []string{inHeader("KEY")}},
		"a path that is refused":    {"/private/styled", "", []string{inHeader("nonsense")}},
		"an open path":              {"/private/open/x", "", []string{inHeader("KEY")}},
		"a path without a check":    {"/other", "", []string{inHeader("KEY")}},
		"a check of another kind":   {"/bearer/styled", "", []string{inHeader("KEY")}},
		"a check that is off":       {"/off", "", []string{inHeader("KEY")}},
		"another site":              {"/private", "localhost", []string{inHeader("KEY")}},
		"an alias":                  {"/other", "", []string{"X_Api_Key: KEY", "X.API-Key: KEY", "x_API_key: KEY"}},
		"an alias where checked":    {"/private", "", []string{inHeader("KEY"), "X_Api_Key: KEY"}},
		"the list of Connection":    {"/other", "", []string{inHeader("KEY"), "Connection: close, X-Api-Key"}},
		"Connection, where checked": {"/private", "", []string{inHeader("KEY"), "Connection: X-Api-Key, X-User"}},
	} {
		t.Run("I18: "+name, func(t *testing.T) {
			e.app.Take()
			lines := append([]string{}, test.lines...)
			for i := range lines {
				lines[i] = strings.ReplaceAll(lines[i], "KEY", e.key("deploy"))
			}
			raw := e.Spelled("GET", test.path, append(lines, "X-User: mallory")...)
			if test.host != "" {
				raw = strings.Replace(raw, "Host: 127.0.0.1", "Host: "+test.host, 1)
			}
			e.Exchange(raw)
			got := e.app.One(t)
			got.WantIdentity(t, "X-Api-Key", "")
			want := ""
			if test.path == "/private" && test.host == "" {
				want = "alice"
			}
			got.WantIdentity(t, "X-User", want)
		})
	}
	for _, path := range []string{"/private", "/private/open/x", "/other"} {
		t.Run("I18: a trailer for "+path, func(t *testing.T) {
			e.app.Take()
			e.Exchange(e.Spelled("POST", path, inHeader(e.key("deploy")), "Transfer-Encoding: chunked", "Trailer: X-Api-Key") +
				"5\r\nhello\r\n0\r\nX-Api-Key: " + e.key("deploy") + "\r\nX_Api_Key: x\r\nAuthorization: x\r\n\r\n")
			got := e.app.One(t)
			got.WantIdentity(t, "X-Api-Key", "")
			got.WantIdentity(t, "Authorization", "")
			if got.Body != "hello" {
				t.Errorf("the body is %q", got.Body)
			}
		})
	}
}

// A trailer comes when the request has passed: it is not a credential.
func TestAKeyInATrailerIsNotTaken(t *testing.T) {
	e := startHeader(t)
	e.app.Take()
	a := e.Exchange(e.Spelled("POST", "/private/styled", "Transfer-Encoding: chunked", "Trailer: X-Api-Key") +
		"5\r\nhello\r\n0\r\nX-Api-Key: " + e.key("deploy") + "\r\n\r\n")
	for _, got := range e.app.Take() { // from handle_errors
		got.WantIdentity(t, "X-User", "")
		got.WantIdentity(t, "X-Api-Key", "")
	}
	if e.LastReason() != "no Authorization header" {
		t.Errorf("got %d, the log says %q", a.Status, e.LastReason())
	}
}

func TestABearerKeyOnAnOpenPathIsRemoved(t *testing.T) {
	e := startHeader(t)
	key := e.key("deploy")
	for _, authorization := range []string{"Bearer " + key, "bearer " + key, "BEARER   " + key, "Bearer cgk_nonsense", "Bearer\t" + key, "Basic YTpi, Bearer " + key} {
		e.received(t, "/bearer/open", "Authorization: "+authorization).WantIdentity(t, "Authorization", "")
		e.received(t, "/private/open/x", "Authorization: "+authorization).WantIdentity(t, "Authorization", "")
		e.received(t, "/kept/open", "Authorization: "+authorization).WantIdentity(t, "Authorization", authorization)
	}
	e.received(t, "/kept", harness.Bearer(key)).WantIdentity(t, "Authorization", "Bearer "+key)
	e.received(t, "/bearer", harness.Bearer(key)).WantIdentity(t, "Authorization", "")
	// what is not a key is the app's own there
	for _, authorization := range []string{"Bearer abc", "Basic YTpi", "Bearer " + e.Token("alice")} {
		e.received(t, "/bearer/open", "Authorization: "+authorization).WantIdentity(t, "Authorization", authorization)
	}
	// a key that is refused is not for the pages of errors either
	e.received(t, "/bearer/styled", harness.Bearer(apikey.Make())).WantIdentity(t, "Authorization", "")
	e.received(t, "/private/styled", inHeader(apikey.Make())).WantIdentity(t, "X-Api-Key", "")
}

func TestPlaceholdersDoNotShowAKeyThatWasTaken(t *testing.T) {
	e := startHeader(t)
	a := e.get("/vars", inHeader(e.key("deploy")))
	if string(a.Body) != "taken|checked||" {
		t.Errorf("got %s", a.Body)
	}
}
