package session

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// liveSite has its users and clients in files, and an edge for each of what can be
// asked of a token.
const liveSite = `http://127.0.0.1:%PORT% {
	token_endpoint {
		scopes read write
		users json "%DIR%/users.json"
		clients json "%DIR%/clients.json"
	}
	handle /write {
		bearer_auth {
			scopes write
		}
		reverse_proxy %APP%
	}
	handle /files {
		bearer_auth {
			audience https://files.example.com
		}
		reverse_proxy %APP%
	}
	handle {
		bearer_auth {
			copy_claims scope>X-Scope aud>X-Audience email>X-Email team>X-Team level>X-Level
		}
		reverse_proxy %APP% {
			header_up X-Placeholders "{http.auth.user.scope}|{http.auth.user.email}"
		}
	}
}
`

// A scope, an audience or a claim that is taken away is gone at once from the tokens
// that there are: at the edge, in headers and placeholders, in introspection and in the
// log. What is given is not added to them.
func TestWhatIsTakenAwayIsGoneFromTokensAtOnce(t *testing.T) {
	app, s := harness.NewApp(t), harness.NewSite(t)
	hash := harness.CheapHash(t, "correct horse")
	client := func(id, more string) string { return fmt.Sprintf(`{"id": %q, "secret_hash": %q%s}`, id, hash, more) }
	const files, calendar = "https://files.example.com", "https://calendar.example.com"
	write := func(users, clients []string) {
		t.Helper()
		s.Write("clients.json", `{"clients": [`+strings.Join(clients, ",")+`]}`)
		s.Write("users.json", `{"users": [`+strings.Join(users, ",")+`]}`)
	}
	user := func(name, more string) string {
		return fmt.Sprintf(`{"username": %q, "password_hash": %q%s}`, name, hash, more)
	}
	usersBefore := []string{
		user("kept", `, "scopes": ["read", "write"], "claims": {"email": "kept@example.com", "level": 1e2, "team": ["red", "blue"]}`),
		user("narrowed", `, "scopes": ["read", "write"]`),
		user("emptied", `, "scopes": ["read", "write"]`),
		user("listed", ``),
		user("widened", `, "scopes": ["read"]`),
		user("claimed", `, "claims": {"email": "old@example.com", "team": ["red"], "level": 1}`),
		user("unclaimed", `, "claims": {"email": "old@example.com", "team": ["red"], "level": 1}`),
		user("sentinel", ``),
	}
	clientsBefore := []string{
		client("web", ""), // the server's scopes
		client("narrow", `, "scopes": ["read", "write"]`),
		client("files", `, "audience": ["`+files+`", "`+calendar+`"]`),
		client("auditor", `, "introspect": ["`+files+`"]`),
	}
	write(usersBefore, clientsBefore)
	s.Reload("", app.In(liveSite))

	secret := []string{"client_secret", "correct horse"}
	tokens := map[string]string{
		"of narrow": s.Token("kept", append(secret, "client_id", "narrow")...),
		"of files":  s.Token("kept", append(secret, "client_id", "files")...),
	}
	for _, name := range []string{"kept", "narrowed", "emptied", "listed", "widened", "claimed", "unclaimed", "sentinel"} {
		tokens[name] = s.Token(name, secret...)
	}
	status := func(path, token string) int {
		return s.Do(s.Request("GET", path, "", harness.Bearer(tokens[token]))).Status
	}
	introspected := func(token, by string) map[string]any {
		a := s.Post("/token/introspect", "client_id="+by+"&client_secret=correct+horse&token="+tokens[token])
		a.Want(t, 200, "")
		return a.JSON
	}
	for _, token := range slices.Sorted(maps.Keys(tokens)) {
		if got := status("/", token); got != 200 { // each is remembered from now on
			t.Fatalf("at first %s gets %d", token, got)
		}
	}
	if a, b := status("/files", "of files"), status("/write", "narrowed"); a != 200 || b != 200 {
		t.Fatalf("at first /files is %d and /write %d", a, b)
	}

	write([]string{
		user("kept", `, "scopes": ["write", "read", "more"], "claims": {"team": ["red", "blue"], "email": "kept@example.com", "level": 1e2}`),
		user("narrowed", `, "scopes": ["read"]`),
		user("emptied", `, "scopes": []`),
		user("listed", `, "scopes": ["read"]`),
		user("widened", ``),
		user("claimed", `, "claims": {"email": "new@example.com", "level": 2, "role": "admin"}`),
		user("unclaimed", ``),
	}, []string{
		client("web", ""),
		client("narrow", `, "scopes": ["read", "more"]`),
		client("files", `, "audience": ["`+calendar+`", "https://new.example.com"]`),
		client("auditor", `, "introspect": ["`+files+`"]`),
	})
	harness.Eventually(t, "both files are read again", func() bool {
		return status("/", "sentinel") == 401 && status("/files", "of files") == 401
	})

	for _, test := range []struct {
		name, token string
		write       int // status at /write
		headers     map[string]string
		claims      map[string]any // as introspection has them
	}{
		{"a user of whom nothing is taken away", "kept", 200, map[string]string{
			"X-Scope": "read write", "X-Email": "kept@example.com", "X-Team": "red,blue", "X-Level": "1e2", "X-Placeholders": "read write|kept@example.com",
		}, map[string]any{"scope": "read write", "email": "kept@example.com", "level": 100.0, "team": []any{"red", "blue"}}},
		{"I4: a scope taken from a user", "narrowed", 403, map[string]string{"X-Scope": "read"}, map[string]any{"scope": "read"}},
		{"all scopes taken from a user", "emptied", 403, map[string]string{"X-Scope": ""}, map[string]any{"scope": nil}},
		{"a user who gets a list", "listed", 403, map[string]string{"X-Scope": "read"}, map[string]any{"scope": "read"}},
		{"a user who may have more now", "widened", 403, map[string]string{"X-Scope": "read"}, map[string]any{"scope": "read"}},
		{"a scope taken from a client", "of narrow", 403, map[string]string{"X-Scope": "read", "X-Email": "kept@example.com"}, map[string]any{"scope": "read"}},
		{"claims that change, go and come", "claimed", 200, map[string]string{
			"X-Email": "new@example.com", "X-Level": "2", "X-Team": "",
		}, map[string]any{"email": "new@example.com", "level": 2.0, "team": nil, "role": nil}},
		{"claims that are all gone", "unclaimed", 200, map[string]string{"X-Email": "", "X-Level": "", "X-Team": ""}, map[string]any{"email": nil, "level": nil, "team": nil}},
		{"an audience taken from a client", "of files", 200, map[string]string{"X-Audience": calendar}, map[string]any{"aud": []any{calendar}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := status("/write", test.token); got != test.write {
				t.Errorf("/write answers %d, want %d", got, test.write)
			}
			if refused := s.Refusals(); test.write == 403 && len(refused) > 0 {
				last := refused[len(refused)-1]
				if want, _ := test.claims["scope"].(string); last["scope"] != want {
					t.Errorf("the log has the scope %v, want %q", last["scope"], want)
				}
			}
			for range 2 { // when it is worked out, and when it is remembered
				app.Take()
				if got := status("/", test.token); got != 200 {
					t.Fatalf("/ answers %d", got)
				}
				received := app.One(t)
				for name, want := range test.headers {
					received.WantIdentity(t, name, want)
				}
			}
			by := "web"
			if id, of := strings.CutPrefix(test.token, "of "); of {
				by = id
			}
			claims := introspected(test.token, by)
			for name, want := range test.claims {
				if got := claims[name]; !reflect.DeepEqual(got, want) {
					t.Errorf("introspection has %s %v, want %v", name, got, want)
				}
			}
		})
	}
	t.Run("K6: who may introspect an audience does so no longer once it is taken away", func(t *testing.T) {
		if got := introspected("of files", "auditor"); got["active"] != false {
			t.Errorf("got %v", got)
		}
	})
	t.Run("what is given back is there again", func(t *testing.T) {
		write(usersBefore, clientsBefore)
		harness.Eventually(t, "both files are read again", func() bool {
			return status("/", "sentinel") == 200 && status("/files", "of files") == 200
		})
		for _, token := range []string{"narrowed", "emptied", "of narrow"} {
			if got := status("/write", token); got != 200 {
				t.Errorf("%s gets %d", token, got)
			}
		}
	})
}

// A refresh may ask for what the login asked for: what the login did not get, since the
// user may not have it, is left out once more, and never given.
func TestG5ARefreshMayAskForWhatTheLoginAskedFor(t *testing.T) {
	s := harness.StartSessions(t, "")
	web := s.Web()
	for _, test := range []struct {
		name, user string
		login, ask string // scopes; an empty one is not sent
		want       string // empty: invalid_scope
	}{
		{"angular-oauth2-oidc sends the same scopes again", "bob", "read write", "read write", "read"},
		{"in another order", "bob", "read write", "write read", "read"},
		{"only what was granted", "bob", "read write", "read", "read"},
		{"nothing", "bob", "read write", "", "read"},
		{"only what was left out", "bob", "read write", "write", ""},
		{"what the login did not ask for", "bob", "read", "read write", ""},
		{"what a login without scopes did not get", "bob", "", "read write", ""},
		{"what the user may have and the login did not ask for", "alice", "read", "read write", ""},
		{"all of it, by a user who may have all", "alice", "read write", "read write", "read write"},
		{"what the client may not have", "bob", "read write", "read write admin", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			refresh := web.Login(t, test.user, "scope", test.login).Refresh
			for range 3 { // it is remembered with the session
				a := web.Refresh(refresh, "scope", test.ask)
				if test.want == "" {
					a.Want(t, 400, "invalid_scope")
					continue // the token is not consumed
				}
				refresh = harness.TokensOf(t, a).Refresh
				if got := a.Text(t, "scope"); got != test.want {
					t.Fatalf("the scope is %q, want %q", got, test.want)
				}
			}
			granted := harness.TokensOf(t, web.Refresh(refresh))
			if got := s.Post("/token/introspect", web.Form("token", granted.Refresh)).JSON["scope"]; test.login != "" && got != strings.Join(intersection(test.login, test.user), " ") {
				t.Errorf("the refresh token has the scope %v", got)
			}
		})
	}
	t.Run("so many scopes that a token has no room to remember them", func(t *testing.T) {
		var scopes []string
		for i := range 60 {
			scopes = append(scopes, fmt.Sprintf("%d-%s", i, strings.Repeat("x", 100)))
		}
		s := harness.StartSessions(t, "client wide {\n secret wide-secret\n scopes read "+strings.Join(scopes, " ")+"\n}")
		all := "read " + strings.Join(scopes, " ")
		first := s.As("wide").Login(t, "bob", "scope", all)
		s.As("wide").Refresh(first.Refresh, "scope", all).Want(t, 400, "invalid_scope")
		harness.TokensOf(t, s.As("wide").Refresh(first.Refresh, "scope", "read"))
	})
}

// intersection are the scopes of a login that one of the users of SessionSite gets.
func intersection(asked, user string) []string {
	return slices.DeleteFunc(strings.Fields(asked), func(scope string) bool { return user == "bob" && scope != "read" })
}
