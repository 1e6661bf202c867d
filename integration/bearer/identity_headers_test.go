package bearer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// spellings are global options. By default Caddy itself removes names with underscores;
// where they are expected it lets them pass and removes those with hyphens instead.
// Either way it is this module that has to remove the rest.
var spellings = map[string]string{
	"hyphens":     "",
	"underscores": "servers {\n\t\texpected_underscore_headers X_User X_Email X_Role\n\t}",
}

// hygieneEndpoint is the server of the sites here.
const hygieneEndpoint = `	log
	token_endpoint {
		client web {
			secret web-secret
			scopes read write
		}
		users json %DIR%/users.json
	}
`

// hygieneUsers has claims of every type.
const hygieneUsers = `{"users": [
	{"username": "alice", "password_hash": "` + harness.HashCheap + `", "claims": {
		"email": "alice@example.com", "level": 3, "ratio": 0.50, "big": 12345678901234567890, "staff": true, "guest": false,
		"groups": ["ops", "dev"], "none": null, "empty": "", "nobody": [], "object": {"a": 1},
		"mixed": ["a", 1], "nested": [["a"]], "comma": ["a,b"], "hole": ["a", ""], "nulls": [null],
		"cr": "a\rX-Role: admin", "lf": "a\nX-Role: admin", "crlf": "a\r\nX-Role: admin", "nul": "a\u0000b", "tab": "a\tb",
		"del": "a\u007fb", "latin": "caf\u00e9", "wide": "\uff41dmin", "surrogate": "\ud800", "c1": "a\u0085b",
		"lf in a list": ["a", "b\nX-Role: admin"], "quote": "\"a\\b\"", "space": "a b"
	}},
	{"username": "bob", "password_hash": "` + harness.HashCheapAnother + `", "id": "u-2"}
]}`

func startHygiene(t *testing.T, spelling, handlers string) (*harness.Site, *harness.App) {
	t.Helper()
	app, s := harness.NewApp(t), harness.NewSite(t)
	s.Write("users.json", hygieneUsers)
	s.Reload(spellings[spelling], "http://127.0.0.1:%PORT% {\n"+hygieneEndpoint+app.In(handlers)+"}\n")
	return s, app
}

// copies are what a client may send to be taken for another user: header lines, each
// set of which an app of some kind reads as X-User. The names are said once more in the
// list of the Connection header, which would have the proxy take away ours.
var copies = map[string][]string{
	"as it is":                    {"X-User: admin"},
	"in lower case":               {"x-user: admin"},
	"in upper case":               {"X-USER: admin"},
	"with an underscore":          {"X_User: admin"},
	"lower, with an underscore":   {"x_user: admin"},
	"twice":                       {"X-User: admin", "X-User: alice"},
	"in both spellings":           {"X-User: admin", "X_User: admin"},
	"empty":                       {"X-User: "},
	"in another header as well":   {"X-Email: admin@example.com", "x_email: admin@example.com", "X-USER: admin"},
	"in the list of Connection":   {"X-User: admin", "Connection: X-User"},
	"in a list with more":         {"X-User: admin", "Connection: close, x-user , X-Email"},
	"in a list, underscored":      {"Connection: close,x_user,X_EMAIL"},
	"in two lists of Connection":  {"Connection: x-user", "Connection: X-Email, close"},
	"in a list with empty places": {"Connection: , ,X-User,,"},
}

// I18: whatever becomes of a request, and on whatever path of the site, the app gets no
// identity header but ours.
func TestClientsOwnIdentityHeadersNeverReachTheApp(t *testing.T) {
	const copyClaims = "copy_claims sub>X-User email>X-Email nothing>X-Role\n"
	for _, site := range []struct{ name, handlers string }{
		{"the whole site", `
	bearer_auth {
		` + copyClaims + `	}
	reverse_proxy %APP%
	handle_errors {
		reverse_proxy %APP%
	}
`},
		{"a part of the site", `
	bearer_auth /private* {
		` + copyClaims + `	}
	handle /other* {
		reverse_proxy %APP%
	}
	route /third* {
		reverse_proxy %APP%
	}
	handle {
		reverse_proxy %APP%
	}
	handle_errors {
		reverse_proxy %APP%
	}
`},
		{"a narrow one before a wide one", `
	bearer_auth /private* {
		scopes write
		` + copyClaims + `	}
	bearer_auth {
		optional
		` + copyClaims + `	}
	reverse_proxy %APP%
	handle_errors {
		reverse_proxy %APP%
	}
`},
		{"a wide one with a stricter one inside", `
	bearer_auth {
		optional
		` + copyClaims + `	}
	handle /private* {
		bearer_auth {
			scopes write
			copy_claims sub>X-User
		}
		reverse_proxy %APP%
	}
	handle {
		reverse_proxy %APP%
	}
	handle_errors {
		reverse_proxy %APP%
	}
`},
		{"optional", `
	bearer_auth {
		optional
		` + copyClaims + `	}
	reverse_proxy %APP%
	handle_errors {
		reverse_proxy %APP%
	}
`},
		{"in the shadow", `
	bearer_auth {
		shadow
		` + copyClaims + `	}
	reverse_proxy %APP%
`},
		{"a matcher on the method", `
	@writes method POST
	bearer_auth @writes {
		` + copyClaims + `	}
	reverse_proxy %APP%
`},
	} {
		for spelling := range spellings {
			t.Run("I18: "+site.name+", "+spelling, func(t *testing.T) {
				s, app := startHygiene(t, spelling, site.handlers)
				tokens := map[string]string{
					"anonymous": "", "bad": "a.b.c", "narrow": s.Token("alice", "scope", "read"), "good": s.Token("alice"),
				}
				arrived, identified := 0, 0
				for name, lines := range copies {
					for kind, token := range tokens {
						for _, path := range []string{"/", "/private/x", "/other/x", "/third/x"} {
							headers := lines
							if token != "" {
								headers = append([]string{harness.Bearer(token)}, lines...)
							}
							app.Take()
							s.Exchange(s.Spelled("GET", path, headers...))
							for _, received := range app.Take() {
								arrived++
								for header, own := range map[string]string{"X-User": "alice", "X-Email": "alice@example.com", "X-Role": ""} {
									got := received.Identity(header)
									if len(got) == 1 && got[0] == "alice" {
										identified++
									}
									if len(got) > 0 && (token == "" || token == "a.b.c" || len(got) != 1 || got[0] != own) {
										t.Errorf("%s, %s, %s: the app takes %q for %s", name, kind, path, got, header)
									}
								}
							}
						}
					}
				}
				// these two set none for a GET
				identifies := site.name != "in the shadow" && site.name != "a matcher on the method"
				if arrived < len(copies) || identifies != (identified > 0) {
					t.Errorf("%d requests came to the app, %d of them with a user: nothing is shown", arrived, identified)
				}
			})
		}
	}
}

// The proxy of a token that passes gets the token's claims, once each.
func TestIdentityHeadersAreTheTokens(t *testing.T) {
	s, app := startHygiene(t, "hyphens", `
	bearer_auth {
		copy_claims sub>X-User email>x_email nothing>X-Role
		copy_claims level>X-Level
	}
	reverse_proxy %APP%
`)
	alice, bob := s.Token("alice"), s.Token("bob")
	for name, lines := range copies {
		t.Run("I18: sent by the client "+name, func(t *testing.T) {
			s.Exchange(s.Spelled("GET", "/", append([]string{harness.Bearer(alice)}, lines...)...))
			received := app.One(t)
			received.WantIdentity(t, "X-User", "alice")
			received.WantIdentity(t, "X-Email", "alice@example.com")
			received.WantIdentity(t, "X-Level", "3")
			received.WantIdentity(t, "X-Role", "")
		})
	}
	t.Run("I20: a claim that the token does not have is no header", func(t *testing.T) {
		s.Exchange(s.Spelled("GET", "/", harness.Bearer(bob), "X-User: admin", "X-Email: admin@example.com", "X_Email: admin@example.com", "X-Level: 9", "X-Role: admin"))
		received := app.One(t)
		received.WantIdentity(t, "X-User", "u-2")
		for _, header := range []string{"X-Email", "X-Level", "X-Role"} {
			received.WantIdentity(t, header, "")
		}
	})
	t.Run("other headers are left alone", func(t *testing.T) {
		s.Exchange(s.Spelled("GET", "/", harness.Bearer(alice), "X-Users: 1", "X-User-Agent: 2", "User: 3", "Connection: keep-alive, X-Hop", "X-Hop: 4"))
		received := app.One(t)
		for header, want := range map[string]string{"X-Users": "1", "X-User-Agent": "2", "User": "3", "X-Hop": ""} {
			if got := received.Header.Get(header); got != want {
				t.Errorf("%s is %q, want %q", header, got, want)
			}
		}
	})
}

// What a claim becomes, by its type; what could be read in two ways is not sent.
func TestValuesOfIdentityHeaders(t *testing.T) {
	want := map[string]string{
		"email": "alice@example.com", "level": "3", "ratio": "0.50", "big": "12345678901234567890", "staff": "true", "guest": "false",
		"groups": "ops,dev", "quote": `"a\b"`, "space": "a b", "sub": "alice", "username": "alice", "scope": "read write", "cid": "web",
	}
	for _, claim := range []string{
		"none", "empty", "nobody", "object", "mixed", "nested", "comma", "hole", "nulls",
		"cr", "lf", "crlf", "nul", "tab", "del", "latin", "wide", "surrogate", "c1", "lf in a list", "absent",
	} {
		want[claim] = ""
	}
	var lines strings.Builder
	headers := make(map[string]string)
	for claim := range want {
		headers[claim] = fmt.Sprintf("X-Claim-%d", len(headers))
		fmt.Fprintf(&lines, "\t\tcopy_claims %q\n", claim+">"+headers[claim])
	}
	s, app := startHygiene(t, "hyphens", "\tbearer_auth {\n"+lines.String()+"\t}\n\treverse_proxy %APP%\n")
	var sent []string
	for _, header := range headers {
		sent = append(sent, header+": the client's")
	}
	s.Exchange(s.Spelled("GET", "/", append(sent, harness.Bearer(s.Token("alice")))...))
	received := app.One(t)
	for claim, value := range want {
		t.Run("I21: "+claim, func(t *testing.T) { received.WantIdentity(t, headers[claim], value) })
	}
	received.WantIdentity(t, "X-Role", "")
}

// Several checks on a site add up: none removes what another has set.
func TestChecksDoNotUndoEachOther(t *testing.T) {
	s, app := startHygiene(t, "hyphens", `
	bearer_auth {
		copy_claims sub>X-User
	}
	bearer_auth /both* {
		copy_claims email>X-Email sub>X-User
	}
	bearer_auth {
		shadow
		copy_claims level>X-Level sub>X-User
	}
	handle /both* {
		bearer_auth default {
			scopes read
			copy_claims cid>X-Client
		}
		reverse_proxy %APP%
	}
	handle {
		reverse_proxy %APP%
	}
`)
	token := s.Token("alice")
	forged := []string{harness.Bearer(token), "X-User: admin", "x_user: admin", "X-Email: e", "X-Level: 9", "X-Client: c"}
	t.Run("I18: with all of them", func(t *testing.T) {
		s.Exchange(s.Spelled("GET", "/both", forged...))
		received := app.One(t)
		received.WantIdentity(t, "X-User", "alice")
		received.WantIdentity(t, "X-Email", "alice@example.com")
		received.WantIdentity(t, "X-Client", "web")
		received.WantIdentity(t, "X-Level", "") // shadow sets nothing
	})
	t.Run("I18: with some of them", func(t *testing.T) {
		s.Exchange(s.Spelled("GET", "/one", forged[:5]...))
		received := app.One(t)
		received.WantIdentity(t, "X-User", "alice")
		received.WantIdentity(t, "X-Email", "")
		received.WantIdentity(t, "X-Level", "")
	})
}

// Names that mean something to HTTP or to a proxy are refused when the config is
// loaded.
func TestReservedNamesAreNoIdentityHeaders(t *testing.T) {
	for _, header := range []string{
		"Host", "host", "Authorization", "AUTHORIZATION", "Connection", "Content-Length", "content_length", "Transfer-Encoding",
		"Transfer_Encoding", "Cookie", "Forwarded", "X-Forwarded-For", "x_forwarded_for", "X-Forwarded-Proto", "X-Forwarded-Anything",
		"Proxy-Authorization", "TE", "Trailer", "Upgrade",
	} {
		_, err := harness.Adapt("localhost {\n\tbearer_auth {\n\t\tcopy_claims sub>" + header + "\n\t}\n}\n")
		if err == nil || !strings.Contains(err.Error(), "the header "+header+" has a meaning of its own") || !strings.Contains(err.Error(), "Caddyfile:3") {
			t.Errorf("%s: %v", header, err)
		}
		// and by the handler itself, since a JSON config comes past the Caddyfile
		err = harness.ValidateHandlers(t, "{"+harness.BareHandler+"}", fmt.Sprintf(`{"handler": "bearer_auth", "copy_claims": [{"claim": "sub", "header": %q}]}`, header))
		if err == nil || !strings.Contains(err.Error(), "the header "+header+" has a meaning of its own") {
			t.Errorf("%s as JSON: %v", header, err)
		}
	}
}
