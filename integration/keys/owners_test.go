package keys

import (
	"net/http"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// checks of every kind, in front of an app.
const checks = `
	bearer_auth /users* {
		keys
		copy_claims sub>X-User username>X-Name client_id>X-Client key_name>X-Key email>X-Email level>X-Level groups>X-Groups
	}
	bearer_auth /clients* {
		keys
		clients
		copy_claims sub>X-User username>X-Name client_id>X-Client key_name>X-Key gty>X-Kind
	}
	bearer_auth /prefixed* {
		keys
		clients svc:
		copy_claims sub>X-User username>X-Name client_id>X-Client key_name>X-Key
	}
	bearer_auth /none* {
		clients
	}
	bearer_auth /who* {
		keys
		clients
	}
	bearer_auth /write* {
		keys
		scopes write
	}
	bearer_auth /batch* {
		keys
		clients
		audience https://batch.example.com
	}
	bearer_auth /shadow* {
		shadow
		keys
		copy_claims sub>X-User
	}
	bearer_auth /optional* {
		optional
		keys
		copy_claims sub>X-User
	}
	bearer_auth /forwarded* {
		keys
		forward_token
		copy_claims sub>X-User
	}
	` + who + `
	reverse_proxy %APP%`

func startChecks(t *testing.T) edge {
	t.Helper()
	keys := make(ring)
	return serve(t, keys, keys.lines(
		"deploy", "user=alice scopes=read,write",
		"narrow", "user=alice scopes=read",
		"scopeless", "user=alice",
		"files", "user=alice scopes=read audience=https://batch.example.com,https://other.example.com",
		"bobs", "user_id=u-2 scopes=read,write",
		"bobs-name", "user=bob scopes=read",
		"bobs-id-as-name", "user=u-2 scopes=read",
		"alices-name-as-id", "user_id=alice scopes=read",
		"nightly", "client=batch scopes=read,write",
		"nightly-batch", "client=batch scopes=read audience=https://batch.example.com",
		"nightly-other", "client=batch scopes=read audience=https://other.example.com",
		"robot", "client=alice scopes=read",
		"login", "client=login_page scopes=read",
		"stranger", "user=carol scopes=read",
		"watched", "user=alice",
		"old", "user=alice expires=2020-01-31",
		"later", "user=alice expires=2999-01-31T18:00:00Z scopes=read",
	), checks)
}

func TestAKeyOfAUserIsThatUser(t *testing.T) {
	e := startChecks(t)
	for range 2 { // the second time it may be remembered
		got := e.received(t, "/users", harness.Bearer(e.key("deploy")))
		for name, want := range map[string]string{
			"X-User": "alice", "X-Name": "alice", "X-Client": "", "X-Key": "deploy", "X-Email": "alice@example.com", "X-Level": "3", "X-Groups": "staff", "Authorization": "",
		} {
			got.WantIdentity(t, name, want)
		}
	}
	e.says(t, "user|alice|alice||deploy|read write|alice@example.com|https://api.example.com", "/who", harness.Bearer(e.key("deploy")))
}

// What no user could get through a client, a key cannot give either: neither what only
// machines get for themselves, nor what the server has for clients that are not there.
func TestAUserWithoutAListHasTheScopesThatSomeClientCouldGet(t *testing.T) {
	r := make(ring)
	const machine = "client batch {\nsecret batch-secret\ngrants client_credentials\nscopes read admin\n}\n"
	for clients, want := range map[string]string{
		"": "read", // keys alone are enough for an endpoint
		"client web {\npublic\nscopes read report\n}":      "read report",
		"client web {\npublic\nscopes report\n}":           "report",
		machine:                                            "read",
		machine + "client web {\npublic\nscopes report\n}": "report",
		machine + "client web {\npublic\n}":                "read",
		"client gateway {\nsecret gateway-secret\ngrants refresh_token\nintrospect api\nscopes admin\n}": "read",
		machine + "login_page {\nscopes report\n}":                                                       "report",
		"grants client_credentials\n" + machine:                                                          "read",
		"grants client_credentials\nclient web {\nsecret web-secret\nscopes admin\n}\n" + machine:        "read",
	} {
		site := harness.NewSite(t)
		site.Write("keys.txt", r.line("all", "user=alice scopes=read,report,admin"))
		site.Reload("", "http://127.0.0.1:%PORT% {\nbind 127.0.0.1\ntoken_endpoint {\nscopes read\n"+clients+"\nuser alice "+harness.HashCheap+
			"\napi_keys lines %DIR%/keys.txt\n}\nbearer_auth {\nkeys\n}\nrespond {http.auth.user.scope}\n}\n")
		if a := site.Do(site.Request(http.MethodGet, "/", "", harness.Bearer(r.key("all")))); a.Status != 200 || string(a.Body) != want {
			t.Errorf("%q: %d %s", clients, a.Status, a.Body)
		}
	}
}

func TestAUserWithAnIDIsNamedByIt(t *testing.T) {
	e := startChecks(t)
	got := e.received(t, "/users", harness.Bearer(e.key("bobs")))
	got.WantIdentity(t, "X-User", "u-2")
	got.WantIdentity(t, "X-Name", "bob")
	e.says(t, "user|u-2|bob||bobs|read||https://api.example.com", "/who", harness.Bearer(e.key("bobs")))
	e.refused(t, "the API key names a user who has an id by their username", "/users", harness.Bearer(e.key("bobs-name")))
	e.refused(t, "the owner of the API key is gone", "/users", harness.Bearer(e.key("alices-name-as-id")))
	e.want(t, 401, "/users", harness.Bearer(e.key("bobs-id-as-name")))
	e.want(t, 401, "/users", harness.Bearer(e.key("stranger")))
}

// H7, RFC 9700 §4.15: client ids cannot pass as a `sub`.
func TestAClientsKeyIsNeverTakenForAUser(t *testing.T) {
	e := startChecks(t)
	key := harness.Bearer(e.key("nightly"))
	e.want(t, 403, "/users", key)
	if line := e.LastRefusal(); text(line, "client_id") != "batch" || text(line, "user_id") != "" || text(line, "api_key") != "nightly" {
		t.Errorf("logged %v", line)
	}
	got := e.received(t, "/clients", key, "X-User: mallory", "X_name: mallory")
	for header, want := range map[string]string{"X-User": "", "X-Name": "", "X-Client": "batch", "X-Key": "nightly", "X-Kind": "client-credentials"} {
		got.WantIdentity(t, header, want)
	}
	e.received(t, "/clients", harness.Bearer(e.key("deploy"))).WantIdentity(t, "X-Kind", "")
	got = e.received(t, "/prefixed", key)
	for header, want := range map[string]string{"X-User": "svc:batch", "X-Name": "svc:batch", "X-Client": "batch"} {
		got.WantIdentity(t, header, want)
	}
	e.says(t, "client|||batch|nightly|read||https://api.example.com", "/who", key)
	for _, path := range []string{"/users", "/clients", "/prefixed", "/who"} {
		e.refused(t, "the owner of the API key is a client with the name of a user", path, harness.Bearer(e.key("robot")))
	}
	e.refused(t, "the owner of the API key is gone", "/clients", harness.Bearer(e.key("login")))
}

func TestTheScopesOfAKeyAreThoseThatItAndItsOwnerHave(t *testing.T) {
	e := startChecks(t)
	e.want(t, 200, "/write", harness.Bearer(e.key("deploy")))
	for _, name := range []string{"narrow", "scopeless", "bobs"} {
		a := e.get("/write", harness.Bearer(e.key(name)))
		if want := `Bearer realm="default", error="insufficient_scope", scope="write"`; a.Status != 403 || a.Header.Get("WWW-Authenticate") != want {
			t.Errorf("I4: %s: got %d %s", name, a.Status, a.Header.Get("WWW-Authenticate"))
		}
	}
	e.want(t, 200, "/users", harness.Bearer(e.key("scopeless")))
	e.says(t, "user|alice|alice||scopeless||alice@example.com|https://api.example.com", "/who", harness.Bearer(e.key("scopeless")))
}

func TestTheAudiencesOfAKey(t *testing.T) {
	e := startChecks(t)
	for name, want := range map[string][2]int{ // at a check without an audience, and at one of batch
		"deploy":        {200, 401}, // that of the server, which is its issuer
		"files":         {401, 200}, // its own
		"nightly":       {200, 200}, // those of the client
		"nightly-batch": {401, 200}, // one of those of the client
		"nightly-other": {401, 401}, // one that the client does not have
	} {
		for i, path := range []string{"/who", "/batch"} {
			if a := e.get(path, harness.Bearer(e.key(name))); a.Status != want[i] {
				t.Errorf("I11: %s at %s: got %d, want %d", name, path, a.Status, want[i])
			}
		}
	}
}

func TestAKeyExpires(t *testing.T) {
	e := startChecks(t)
	e.refused(t, "the API key has expired", "/users", harness.Bearer(e.key("old")))
	if name := text(e.LastRefusal(), "api_key"); name != "old" {
		t.Errorf("the log names %q", name)
	}
	e.want(t, 200, "/users", harness.Bearer(e.key("later")))
}

func TestShadowAndOptionalWithKeys(t *testing.T) {
	e := startChecks(t)
	good, bad := harness.Bearer(e.key("deploy")), harness.Bearer(e.key("not in the file"))
	for _, test := range []struct {
		path, credential string
		status           int
		user             string
	}{
		{"/shadow", good, 200, ""},
		{"/shadow", bad, 200, ""},
		{"/optional", good, 200, "alice"},
		{"/optional", bad, 401, ""},
		{"/optional", "X-Nothing: x", 200, ""},
	} {
		e.want(t, test.status, test.path, test.credential)
		if test.status == 200 {
			e.app.One(t).WantIdentity(t, "X-User", test.user)
		}
	}
	var said []string
	for _, line := range e.Logged(func(line map[string]any) bool { return line["msg"] == "request would be refused" }) {
		said = append(said, text(line, "reason"))
	}
	if len(said) != 1 || said[0] != "no API key has its hash" {
		t.Errorf("in shadow mode the log says %q", said)
	}
}

func TestKeysAreTakenOnlyWhereACheckSaysSo(t *testing.T) {
	e := startChecks(t)
	e.refused(t, "it is an API key, and none are taken here", "/none", harness.Bearer(e.key("deploy")))
	e.refused(t, "it is an API key, and none are taken here", "/none", harness.Bearer(e.key("nightly")))
	e.want(t, 200, "/none", harness.Bearer(e.Token("alice")))
	e.want(t, 200, "/users", harness.Bearer(e.Token("alice"))) // beside keys
}
