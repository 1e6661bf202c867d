package client

import (
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Section F of the conformance list: scopes of the server, the client and the user.
func TestScopes(t *testing.T) {
	s := harness.NewSite(t)
	hash := harness.CheapHash(t, "password")
	s.Write("list.json", `{
		"users": [
			{"username": "absent",   "password_hash": "`+hash+`"},
			{"username": "none",     "password_hash": "`+hash+`", "scopes": []},
			{"username": "reader",   "password_hash": "`+hash+`", "scopes": ["admin", "read"]},
			{"username": "stranger", "password_hash": "`+hash+`", "scopes": ["other"]},
			{"username": "gone",     "password_hash": "`+hash+`", "scopes": ["read"], "disabled": true}
		],
		"clients": [
			{"id": "web",       "secret_hash": "`+harness.CheapHash(t, "web-secret")+`", "scopes": ["read", "write"]},
			{"id": "default",   "public": true, "scopes": ["read", "write"], "default_scopes": ["write"]},
			{"id": "ask",       "public": true, "scopes": ["read", "write"], "default_scopes": []},
			{"id": "server",    "public": true},
			{"id": "server-default", "public": true, "default_scopes": ["admin"]},
			{"id": "none",      "public": true, "scopes": []},
			{"id": "odd",       "public": true, "scopes": ["https://a.example/b.c:d?e=f#g", "!#[]~"]},
			{"id": "two-cases", "public": true, "scopes": ["read", "Read"]}
		]
	}`)
	sources := "users json %DIR%/list.json\nclients json %DIR%/list.json\n"
	s.Reload("", `http://127.0.0.1:%PORT% {
	token_endpoint {
		scopes read write admin
		`+sources+`
	}
	token_endpoint /bare {
		name bare
		`+sources+`
	}
}
`)
	login := func(client, user, password string, pairs ...string) harness.Answer {
		secret := ""
		if client == "web" {
			secret = "web-secret"
		}
		return s.Login(user, password, append([]string{"client_id", client, "client_secret", secret}, pairs...)...)
	}

	const invalid = "!invalid" // no scope can be named like this, since it stands alone here
	for _, test := range []struct{ name, client, user, asked, granted string }{
		{"F1: one of two", "web", "absent", "read", "read"},
		{"F1: both", "web", "absent", "read write", "read write"},
		{"F1: both in another order", "web", "absent", "write read", "write read"},
		{"F1: scopes in another case are others", "web", "absent", "Read", invalid},
		{"F1: two that differ in their case", "two-cases", "absent", "Read read", "Read read"},
		{"F1: every character that a scope may have", "odd", "absent", "!#[]~ https://a.example/b.c:d?e=f#g", "!#[]~ https://a.example/b.c:d?e=f#g"},
		{"F2: a quotation mark", "web", "absent", `re"ad`, invalid},
		{"F2: a backslash", "web", "absent", `re\ad`, invalid},
		{"F2: a control character", "web", "absent", "re\x01ad", invalid},
		{"F2: a tab between two", "web", "absent", "read\twrite", invalid},
		{"F2: a line feed behind one", "web", "absent", "read\n", invalid},
		{"F2: a comma between two", "web", "absent", "read,write", invalid},
		{"F2: a letter that is not ASCII", "web", "absent", "réad", invalid},
		{"F2: a no-break space between two", "web", "absent", "read\u00a0write", invalid},
		{"F2: very many", "web", "absent", strings.TrimSpace(strings.Repeat("x ", 20000)), invalid},
		{"F3: one that is unknown", "web", "absent", "unknown", invalid},
		{"F3: one that is the server's but not the client's", "web", "absent", "admin", invalid},
		{"F3: one of two is beyond the client", "web", "absent", "read admin", invalid},
		{"F3: one that the user has but the client has not", "web", "reader", "admin", invalid},
		{"F3: any, where the client has an empty list", "none", "absent", "read", invalid},
		{"F3: one that the server has not, where the client has no list", "server", "absent", "unknown", invalid},
		{"F4: omitted, the client's", "web", "absent", "", "read write"},
		{"F4: omitted, its default_scopes", "default", "absent", "", "write"},
		{"F4: default_scopes are no bound", "default", "absent", "read write", "read write"},
		{"F4: omitted, empty default_scopes", "ask", "absent", "", ""},
		{"F4: empty default_scopes are no bound", "ask", "absent", "read", "read"},
		{"F4: omitted, the server's where the client has no list", "server", "absent", "", "read write admin"},
		{"F4: one of the server's where the client has no list", "server", "absent", "admin", "admin"},
		{"F4: omitted, default_scopes out of the server's", "server-default", "absent", "", "admin"},
		{"F4: omitted, nothing where the client has an empty list", "none", "absent", "", ""},
		{"F5: the same twice", "web", "absent", "read read", "read"},
		{"F5: the same twice and another", "web", "absent", "read write read write", "read write"},
		{"F5: a space before", "web", "absent", " read", "read"},
		{"F5: a space behind", "web", "absent", "read ", "read"},
		{"F5: two spaces between", "web", "absent", "read  write", "read write"},
		{"F5: a space alone is none", "web", "absent", " ", "read write"},
		{"F5: spaces alone are none, for a client with default_scopes", "default", "absent", "   ", "write"},
		{"F5: spaces everywhere, and one twice", "web", "absent", "   write   read write  ", "write read"},
		{"F5: 60,000 spaces", "web", "absent", "read" + strings.Repeat(" ", 60000) + "write", "read write"},
		{"F5: a scope that is not allowed among spaces", "web", "absent", "  admin  ", invalid},
		{"F5: a tab alone", "web", "absent", "\t", invalid},
		{"F5: a tab behind a space", "web", "absent", "read \t", invalid},
		{"F5: a line feed before", "web", "absent", "\r\nread", invalid},
		{"F5: an ideographic space", "web", "absent", "\u3000", invalid},
		{"F6: narrowed to the user's", "web", "reader", "read write", "read"},
		{"F6: narrowed to the user's in any order", "web", "reader", "write read", "read"},
		{"F6: omitted and narrowed to the user's", "web", "reader", "", "read"},
		{"F6: omitted, the server's narrowed to the user's", "server", "reader", "", "read admin"},
		{"F6: nothing left of what was asked for", "web", "reader", "write", invalid},
		{"F6: nothing left of the default", "default", "reader", "", invalid},
		{"F6: nothing left for a user with other scopes", "web", "stranger", "", invalid},
		{"F6: nothing left for a user with an empty list", "web", "none", "", invalid},
		{"F6: nothing left of one, for a user with an empty list", "web", "none", "read", invalid},
		{"F6: a user with an empty list and a client without scopes", "none", "none", "", ""},
		{"F6: a user with an empty list and empty default_scopes", "ask", "none", "", ""},
		{"F6: a user with scopes gives none to a client without", "none", "reader", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := login(test.client, test.user, "password", "scope", test.asked)
			if test.granted == invalid {
				a.Want(t, 400, "invalid_scope")
				return
			}
			a.Want(t, 200, "")
			if got := a.Text(t, "scope"); got != test.granted {
				t.Fatalf("scope %q in the answer, want %q", got, test.granted)
			}
			_, claims := harness.Decoded(t, a.Text(t, "access_token"))
			if claim, there := claims["scope"]; there != (test.granted != "") || there && claim != test.granted {
				t.Fatalf("scope %q in the token (%t), want %q", claim, there, test.granted)
			}
		})
	}

	// What is answered about a scope must not depend on the password, and what is answered
	// about the user's scopes only comes with the right one.
	for _, test := range []struct{ name, user, password, scope, code string }{
		{"F3: beyond the client with a wrong password", "absent", "wrong", "admin", "invalid_scope"},
		{"F3: beyond the client with the right password", "absent", "password", "admin", "invalid_scope"},
		{"F3: beyond the client for an unknown user", "nobody", "wrong", "admin", "invalid_scope"},
		{"F3: malformed with a wrong password", "absent", "wrong", "read\t", "invalid_scope"},
		{"F3: malformed for an unknown user", "nobody", "wrong", "read\t", "invalid_scope"},
		{"F6: beyond the user with a wrong password", "reader", "wrong", "write", "invalid_grant"},
		{"F6: beyond a user with an empty list, with a wrong password", "none", "wrong", "read", "invalid_grant"},
		{"F6: beyond a user with an empty list, omitted, with a wrong password", "none", "wrong", "", "invalid_grant"},
		{"F6: beyond a disabled user with the right password", "gone", "password", "write", "invalid_grant"},
		{"F3: a parameter that is missing comes before a scope that is wrong", "", "wrong", "admin", "invalid_request"},
	} {
		t.Run(test.name, func(t *testing.T) {
			login("web", test.user, test.password, "scope", test.scope).Want(t, 400, test.code)
		})
	}
	for _, scope := range []string{"read", "admin", "unknown", "read\t"} {
		t.Run("F3: the scope "+scope+" is not answered before the client is authenticated", func(t *testing.T) {
			s.Login("absent", "password", "client_secret", "wrong", "scope", scope).Want(t, 400, "invalid_client")
			s.Login("absent", "password", "client_id", "unknown", "scope", scope).Want(t, 400, "invalid_client")
			s.Login("absent", "password", "client_secret", "", "scope", scope).Want(t, 400, "invalid_client")
		})
	}

	for _, test := range []struct{ name, client, asked, granted string }{
		{"F4: neither server nor client has scopes, omitted", "server", "", ""},
		{"F3: neither server nor client has scopes, one asked", "server", "read", invalid},
		{"F4: only the client has scopes", "default", "read", "read"},
		{"F4: default_scopes never go beyond the server's", "server-default", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := s.Post("/bare", "grant_type=password&username=absent&password=password&client_id="+test.client+"&scope="+test.asked)
			if test.granted == invalid {
				a.Want(t, 400, "invalid_scope")
				return
			}
			a.Want(t, 200, "")
			if got := a.Text(t, "scope"); got != test.granted {
				t.Fatalf("scope %q, want %q", got, test.granted)
			}
		})
	}

	t.Run("F6: taking away the last scope by the file never widens", func(t *testing.T) {
		login("server", "reader", "password").Want(t, 200, "")
		s.Write("list.json", `{
			"users": [{"username": "reader", "password_hash": "`+hash+`", "scopes": []}],
			"clients": [{"id": "server", "public": true}]
		}`)
		harness.Eventually(t, "a user without scopes is refused them", func() bool {
			a := login("server", "reader", "password")
			if scope, _ := a.JSON["scope"].(string); scope != "" && scope != "read admin" {
				t.Fatalf("got %q meanwhile", scope)
			}
			return a.JSON["error"] == "invalid_scope"
		})
	})
}

// Lists of scopes that make no sense are refused when they are read.
func TestScopeSettings(t *testing.T) {
	s := harness.NewSite(t)
	hash := harness.CheapHash(t, "password")
	for _, test := range []struct{ name, lines, text string }{
		{"F2: a server's scope that no request can name", `scopes "re\ad"`, "is not a scope"},
		{"F2: a scope that is not ASCII", `scopes réad`, "is not a scope"},
		{"F6: scopes without arguments, which might have been a last one", `scopes`, "scopes takes one argument or more"},
		{"F5: the same scope twice", `scopes read read`, "duplicate scope"},
		{"F4: default_scopes beyond the client's", "client other {\npublic\nscopes read\ndefault_scopes write\n}", "default_scopes"},
		{"F6: a client's scopes without arguments", "client other {\npublic\nscopes\n}", "scopes takes one argument or more"},
		{"F6: a user's scopes without arguments", "user other " + hash + " {\nscopes\n}", "scopes takes one argument or more"},
		{"F6: an empty scope", "user other " + hash + " {\nscopes \"\"\n}", "scopes takes one argument or more"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := harness.Adapt(s.Expand(harness.WebSite("user alice " + hash + "\n" + test.lines)))
			harness.WantLoadError(t, err, test.text)
		})
	}
	for _, test := range []struct{ name, scopes, text string }{
		{"F6: null in place of a list would be no restriction", `null`, "scopes"},
		{"F2: two scopes in one text", `["read write"]`, "scopes: \"read write\""},
		{"F2: a text in place of a list", `"read"`, "must be a list"},
		{"F2: an empty text in the list", `[""]`, "is not a scope"},
		{"F6: null in the list", `["read", null]`, "null"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := s.WriteOld("users.json", `{"users":[{"username":"alice","password_hash":"`+hash+`","scopes":`+test.scopes+`}]}`)
			harness.WantLoadError(t, s.TryReload("", harness.WebSite("users json %DIR%/users.json")), file, "users[0]", test.text)
		})
	}
}
