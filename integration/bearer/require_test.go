package bearer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// requireUsers have claims of every kind.
const requireUsers = `{"users": [
	{"username": "alice", "password_hash": "HASH", "claims": {
		"email": "alice@example.com", "role": "editor", "groups": ["staff", "admins"], "level": 3, "ratio": 1e2, "vip": true, "off": false,
		"realm": {"roles": ["reader", "writer"], "empty": "x", "null": "x", "none": "x", "deep": {"team": "red"}, "deep.er": "x"},
		"realm.roles": "exact", "https://example.com/roles": ["owner"], "https://example.com": {"nested": "yes"},
		"realm.empty": "", "realm.null": null, "realm.none": [],
		"empty": "", "none": [], "mixed": ["text", 7, true, null], "star": "*"
	}},
	{"username": "bob", "id": "u-2", "password_hash": "HASH", "claims": {
		"email": "bob@EXAMPLE.com", "email_verified": true, "realm": {"roles": ["reader"]}, "groups": "staff", "level": "3", "vip": "true", "mails": ["bob@example.com"]
	}},
	{"username": "carol", "password_hash": "HASH", "claims": {
		"email": "carol@example.com", "email_verified": false, "mail": "carol@example.com", "work": {"email": "carol@example.com"}
	}},
	{"username": "dave", "password_hash": "HASH", "claims": {"email": "dave@sub.example.com", "work": {"email": "dave@example.com", "email_verified": null}, "home": {"email": "dave@example.com"}}},
	{"username": "erin", "password_hash": "HASH", "claims": {"email": "erin@evil.com@example.com"}},
	{"username": "frank", "password_hash": "HASH", "claims": {"email": ["frank@example.com"], "email_verified": "false"}},
	{"username": "grace", "password_hash": "HASH", "claims": {"email": "@example.com"}},
	{"username": "heidi", "password_hash": "HASH", "claims": {"email": "heidi@example.com.evil.com", "mails": ["mallory@evil.com,heidi@example.com", " heidi@example.com", "<heidi@example.com", "heidi\u00a0b@example.com", "\"heidi\"@example.com"]}},
	{"username": "ivan", "password_hash": "HASH", "claims": {"email": "ivan@notexample.com"}},
	{"username": "judy", "password_hash": "HASH", "claims": {"email": "judy@exam\u017fle.com", "login": "judy@\u212aelvin.com"}},
	{"username": "kim", "password_hash": "HASH", "claims": {"email": "kim@example.com, mallory@evil.com"}}
]}`

// requirements are paths and what a check there asks for.
var requirements = []struct {
	lines  string
	passes string // the users
}{
	{"require role editor", "alice"},
	{"require role viewer editor", "alice"},
	{"require role Editor", ""},
	{"require role edit", ""},
	{"require groups staff", "alice bob"},
	{"require groups admins", "alice"},
	{"require groups owners admins", "alice"},
	{"require groups \"staff,admins\"", ""},
	{"require groups \"staff admins\"", ""},
	{"require level 3", "alice bob"},
	{"require level 3.0", ""},
	{"require level 03", ""},
	{"require ratio 1e2", "alice"},
	{"require vip true", "alice bob"},
	{"require vip TRUE", ""},
	{"require off false", "alice"},
	{"require mixed 7", "alice"},
	{"require mixed true", "alice"},
	{"require mixed null", ""},
	{"require missing null", ""},
	{"require missing false", ""},
	{"require missing <nil>", ""},
	{"require realm.deep.team red", "alice"},
	{"require realm.deep.er x", "alice"},
	{"require realm.roles exact", "alice"}, // the exact name goes first
	{"require realm.roles reader", "bob"},  // and alone, where it is there
	{"require realm.empty x", ""},          // be it empty
	{"require realm.null x", ""},           // or null
	{"require realm.none x", ""},           //
	{"require realm reader", ""},           // an object is no value
	{"require realm.roles.0 reader", ""},   // nor is a list an object
	{"require realm.missing.team red", ""}, //
	{"require groups.0 staff", ""},         //
	{"require .role editor", ""},           //
	{"require role. editor", ""},           //
	{"require https://example.com/roles owner", "alice"},
	{"require https://example.com.nested yes", "alice"},
	{"require role editor\nrequire groups admins", "alice"},
	{"require role editor\nrequire groups owners", ""},
	{"require role editor\nrequire role viewer", ""},
	{"require star other", ""},
	{"require email *@example.com", "alice bob"},
	{"require email *@EXAMPLE.COM", "alice bob"},
	{"require email *@sub.example.com", "dave"},
	{"require email *@com", ""},
	{"require email *@example.co", ""},
	{"require email dave@sub.example.com", "dave"},
	{"require email Dave@sub.example.com", ""}, // an address is compared as it is
	{"require email carol@example.com", ""},    // and must be verified, if that is said
	{"require mail *@example.com", ""},         // also in another claim
	{"require mail carol@example.com", "carol"},
	{"require work.email carol@example.com dave@example.com", ""}, // that is said above or beside it
	{"require home.email *@example.com", "dave"},
	{"require mails *@example.com", "bob"},
	{"require login *@kelvin.com", ""}, // only ASCII letters have two cases
	{"require email *@evil.com *@evil.com@example.com", "invalid"},
	{"require sub alice", "alice"},
	{"require sub bob", ""},
	{"require sub u-2", "bob"},
	{"require username bob", "bob"},
	{"require client_id web", "alice bob carol dave erin frank grace heidi ivan judy kim"},
	{"require client_id alice", ""},
	{"require scope read", "alice bob carol dave erin frank grace heidi ivan judy kim"}, // one scope, as it is written
	{"require aud https://api.example.com", "alice bob carol dave erin frank grace heidi ivan judy kim"},
	{"require iss https://api.example.com", "alice bob carol dave erin frank grace heidi ivan judy kim"},
	{"require iss https://api.example.com/", ""},
	{"require exp *@example.com", ""},
	{"require key_name \"\"", "invalid"},
	{"require role", "invalid"},
	{"require", "invalid"},
	{"require role *", "invalid"},
	{"require email *@", "invalid"},
	{"require email *@*.example.com", "invalid"},
	{"require role editor editor", "invalid"},
}

// requireSite has these lines after the endpoint.
func requireSite(lines string) string {
	return `http://127.0.0.1:%PORT% {
	log
	token_endpoint {
		issuer   https://api.example.com
		throttle off
		scopes   read
		client web {
			secret web-secret
			scopes read
		}
		client alice {
			secret alice-secret
			scopes read
			grants client_credentials
		}
		client batch {
			secret batch-secret
			scopes read
			grants client_credentials
		}
		users json "%DIR%/users.json"
	}
` + lines + `
	handle /metrics {
		metrics
	}
	respond "in"
}
`
}

func writeRequireUsers(s *harness.Site, text string) {
	s.T.Helper()
	s.Write("users.json", strings.ReplaceAll(text, "HASH", harness.HashCheap))
}

// RFC 6750 §3.1: what a claim lacks is 403, and the token is good elsewhere.
func TestARequirementIsMetByOneOfItsValues(t *testing.T) {
	s := harness.NewSite(t)
	writeRequireUsers(s, requireUsers)
	var checks strings.Builder
	for i, r := range requirements {
		lines := fmt.Sprintf("\tbearer_auth /r%d {\n\t\t%s\n\t}\n", i, strings.ReplaceAll(r.lines, "\n", "\n\t\t"))
		if r.passes == "invalid" {
			if err := s.TryReload("", requireSite(lines)); err == nil {
				t.Errorf("%q is accepted", r.lines)
			}
			continue
		}
		checks.WriteString(lines)
	}
	s.Reload("", requireSite(checks.String()))
	tokens := make(map[string]string)
	for _, name := range strings.Fields("alice bob carol dave erin frank grace heidi ivan judy kim") {
		tokens[name] = s.Token(name)
	}
	for i, r := range requirements {
		if r.passes == "invalid" {
			continue
		}
		for name, token := range tokens {
			want := 403
			if strings.Contains(" "+r.passes+" ", " "+name+" ") {
				want = 200
			}
			for range 2 { // the second time the token is remembered
				a := s.Do(s.Request("GET", fmt.Sprintf("/r%d", i), "", harness.Bearer(token)))
				if a.Status != want {
					t.Errorf("%q: %s got %d, want %d", r.lines, name, a.Status, want)
				}
				if got := a.Header.Get("WWW-Authenticate"); want == 403 && got != `Bearer realm="default", error="insufficient_scope"` {
					t.Errorf("I4: %q: WWW-Authenticate is %s", r.lines, got)
				}
			}
		}
		if a := s.Do(s.Request("GET", fmt.Sprintf("/r%d", i), "")); a.Status != 401 {
			t.Errorf("%q: without a token got %d", r.lines, a.Status)
		}
	}
}

func TestALogLineSaysWhichClaimWasNeeded(t *testing.T) {
	s := harness.NewSite(t)
	writeRequireUsers(s, requireUsers)
	s.Reload("", requireSite("\tbearer_auth /app {\n\t\trequire role editor\n\t\trequire groups owners\n\t}\n"))
	s.Do(s.Request("GET", "/app", "", harness.Bearer(s.Token("alice")))).Want(t, 403, "")
	line := s.LastRefusal()
	for field, want := range map[string]any{
		"reason": "a required claim is missing or has another value", "claim_needed": "groups", "user_id": "alice", "client_id": "web", "status": 403.0, "level": "info", "oauth_error": "insufficient_scope",
	} {
		if line[field] != want {
			t.Errorf("%s is %v, want %v", field, line[field], want)
		}
	}
	for _, secret := range []string{"owners", "staff"} {
		if strings.Contains(fmt.Sprint(line), secret) {
			t.Errorf("the line has a value: %v", line)
		}
	}
}

// A claim of the user's own has its current value.
func TestARequirementSeesTheUserAsNow(t *testing.T) {
	s := harness.NewSite(t)
	writeRequireUsers(s, requireUsers)
	s.Reload("", requireSite("\tbearer_auth /app {\n\t\trequire role editor\n\t}\n\tbearer_auth /owners {\n\t\trequire role owner\n\t}\n"))
	token := s.Token("alice")
	status := func(path string) int { return s.Do(s.Request("GET", path, "", harness.Bearer(token))).Status }
	if got := []int{status("/app"), status("/owners")}; got[0] != 200 || got[1] != 403 {
		t.Fatalf("got %v", got)
	}
	writeRequireUsers(s, strings.Replace(requireUsers, `"role": "editor"`, `"role": "owner"`, 1))
	harness.Eventually(t, "the role is gone", func() bool { return status("/app") == 403 })
	if got := status("/owners"); got != 200 {
		t.Errorf("with another role: got %d", got)
	}
	writeRequireUsers(s, strings.Replace(requireUsers, `"role": "editor", `, ``, 1))
	harness.Eventually(t, "neither role is there", func() bool { return status("/app") == 403 && status("/owners") == 403 })
}
