package token

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// errorsSite shows what must not come out: Caddy's own error pages, and names of files.
const errorsSite = `http://127.0.0.1:%PORT% {
	log
	handle_errors {
		respond "<html>an error page</html>" 500
	}
	token_endpoint {
		client web {
			secret web-secret
		}
		clients json %DIR%/clients.json
		user alice ` + harness.HashBcrypt + `
		users json %DIR%/users.json
	}
	respond "the app"
}
`

func startErrors(t *testing.T) *harness.Site {
	t.Helper()
	s := harness.NewSite(t)
	// 64 scopes of 128 characters fit the bounds of a client, and no token
	scopes := make([]string, 64)
	for i := range scopes {
		scopes[i] = fmt.Sprintf("s%0127d", i)
	}
	encoded, err := json.Marshal(scopes)
	if err != nil {
		t.Fatal(err)
	}
	hash := harness.CheapHash(t, "web-secret")
	s.Write("clients.json", fmt.Sprintf(`{"clients":[
		{"id":"nogrant","secret_hash":%q,"grants":[]},
		{"id":"huge","secret_hash":%q,"scopes":%s}]}`, hash, hash, encoded))
	s.Write("users.json", fmt.Sprintf(`{"users":[
		{"username":"carol","password_hash":%q,"disabled":true},
		{"username":"dave","password_hash":%q,"scopes":["other"]}]}`, harness.CheapHash(t, "correct horse"), harness.CheapHash(t, "correct horse")))
	s.Reload("", harness.WithCheapHashes(t, errorsSite))
	return s
}

// Section E of the conformance list: the error response.
func TestErrorResponses(t *testing.T) {
	s := startErrors(t)
	marker := `"><script>\` + "näïve"
	marked := func(name string) string { return harness.LoginForm(name, marker) }

	tests := []struct {
		name    string
		method  string
		target  string
		body    string
		headers []string
		status  int
		code    string
	}{
		{"a wrong method", "GET", "/token", "", nil, 405, "invalid_request"},
		{"a path that is no endpoint", "POST", "/token/no%22such", harness.LoginForm(), nil, 404, "invalid_request"},
		{"plain HTTP to a proxy", "POST", "/token", harness.LoginForm(), []string{"X-Forwarded-Proto: http"}, 400, "invalid_request"},
		{"a password in the query", "POST", "/token?password=%22x", harness.LoginForm(), nil, 400, "invalid_request"},
		{"no form", "POST", "/token", `{"a":"` + marker + `"}`, []string{"Content-Type: application/json"}, 400, "invalid_request"},
		{"a body too large", "POST", "/token", harness.LoginForm("x", strings.Repeat("x", 65<<10)), nil, 413, "invalid_request"},
		{"a malformed form", "POST", "/token", "%zz<html>\"\\", nil, 400, "invalid_request"},
		{"a parameter twice", "POST", "/token", harness.LoginForm() + `&"<b>=1&"<b>=2`, nil, 400, "invalid_request"},
		{"no grant_type", "POST", "/token", harness.LoginForm("grant_type", ""), nil, 400, "invalid_request"},
		{"an unknown grant_type", "POST", "/token", marked("grant_type"), nil, 400, "unsupported_grant_type"},
		{"an unknown client", "POST", "/token", marked("client_id"), nil, 400, "invalid_client"},
		{"a wrong secret", "POST", "/token", marked("client_secret"), nil, 400, "invalid_client"},
		{"two ways of authentication", "POST", "/token", harness.LoginForm(), []string{harness.Basic("web", "web-secret")}, 400, "invalid_request"},
		{"a grant that is not the client's", "POST", "/token", harness.LoginForm("client_id", "nogrant"), nil, 400, "unauthorized_client"},
		{"no username", "POST", "/token", harness.LoginForm("username", ""), nil, 400, "invalid_request"},
		{"a malformed scope", "POST", "/token", marked("scope"), nil, 400, "invalid_scope"},
		{"an unknown scope", "POST", "/token", harness.LoginForm("scope", "<script>"), nil, 400, "invalid_scope"},
		{"an unknown user", "POST", "/token", marked("username"), nil, 400, "invalid_grant"},
		{"a wrong password", "POST", "/token", marked("password"), nil, 400, "invalid_grant"},
		{"a disabled user", "POST", "/token", harness.LoginForm("username", "carol"), nil, 400, "invalid_grant"},
		{"no scope left for the user", "POST", "/token", harness.LoginForm("username", "dave", "client_id", "huge"), nil, 400, "invalid_scope"},
		{"E5: a token that cannot be minted", "POST", "/token", harness.LoginForm("client_id", "huge"), nil, 500, "server_error"},
		{"a wrong method for the keys", "POST", "/token/jwks", "", nil, 405, "invalid_request"},
		{"the keys by plain HTTP", "GET", "/token/jwks", "", []string{"X-Forwarded-Proto: http"}, 400, "invalid_request"},
	}
	for _, test := range tests {
		t.Run("E1, E2, E3, E4, E5: "+test.name, func(t *testing.T) {
			a := s.Do(s.Request(test.method, test.target, test.body, test.headers...))
			a.Want(t, test.status, test.code)
			harness.WellFormedError(t, a)
			for _, part := range []string{"<", "näïve", "no such", "json:", s.Dir, "alice", "web", "storage"} {
				if strings.Contains(strings.ToLower(string(a.Body)), part) {
					t.Errorf("E2, E5: %q is in the answer: %s", part, a.Body)
				}
			}
			if (test.status == 401) != (a.Header.Get("WWW-Authenticate") != "") {
				t.Errorf("the challenge is %q", a.Header["Www-Authenticate"])
			}
			if (test.status == 405) != (a.Header.Get("Allow") != "") {
				t.Errorf("Allow is %q", a.Header["Allow"])
			}
		})
	}
	t.Run("E5: the cause of a fault is in the log, as an error", func(t *testing.T) {
		lines := s.Logged(func(line map[string]any) bool { return line["level"] == "error" && line["msg"] == "request refused" })
		if len(lines) != 1 || lines[0]["error"] == nil || lines[0]["user_id"] != "alice" {
			t.Errorf("logged: %v", lines)
		}
	})
}

func TestPreflightsGoToTheNextHandler(t *testing.T) {
	s := harness.StartCheap(t, harness.BasicSite)
	for _, path := range []string{"/token", "/token/jwks", "/token/nothing"} {
		t.Run("E6: OPTIONS "+path, func(t *testing.T) {
			a := s.Do(s.Request("OPTIONS", path, "", "Origin: https://app.example.com", "Access-Control-Request-Method: POST"))
			if a.Status != 200 || string(a.Body) != "the app" {
				t.Errorf("got %d %s", a.Status, a.Body)
			}
		})
	}
	t.Run("E6: no plain HTTP is refused for OPTIONS, which carries no credentials", func(t *testing.T) {
		a := s.Do(s.Request("OPTIONS", "/token", "", "X-Forwarded-Proto: http"))
		if a.Status != 200 || string(a.Body) != "the app" {
			t.Errorf("got %d %s", a.Status, a.Body)
		}
	})
	t.Run("E6: headers that the site adds are on errors as well", func(t *testing.T) {
		s := harness.StartCheap(t, strings.Replace(harness.BasicSite, "token_endpoint", "header Access-Control-Allow-Origin https://app.example.com\n\ttoken_endpoint", 1))
		a := s.Login("alice", "wrong")
		a.Want(t, 400, "invalid_grant")
		if got := a.Header.Get("Access-Control-Allow-Origin"); got != "https://app.example.com" {
			t.Errorf("Access-Control-Allow-Origin is %q", got)
		}
	})
}

// Two faults in one request: the answer is that for the one that is checked first.
// Every pair of DESIGN §5's order is tried, and which fault was found is told by the
// log.
func TestOrderOfChecks(t *testing.T) {
	s := harness.NewSite(t)
	hash := harness.CheapHash(t, "correct horse")
	s.Write("clients.json", fmt.Sprintf(`{"clients":[{"id":"nogrant","secret_hash":%q,"grants":[]}]}`, harness.CheapHash(t, "web-secret")))
	s.Reload("", `http://127.0.0.1:%PORT% {
	token_endpoint {
		client web {
			secret web-secret
			scopes read write
		}
		clients json %DIR%/clients.json
		user alice `+hash+`
		user bob `+hash+` {
			scopes read
		}
		throttle off
	}
}
`)
	type request struct {
		method, target, suffix string
		header, form           map[string]string
	}
	checks := []struct {
		name   string
		reason string
		status int
		code   string
		fault  func(r *request)
	}{
		{"transport", "not_secure", 400, "invalid_request", func(r *request) { r.header["X-Forwarded-Proto"] = "http" }},
		{"method", "method", 405, "invalid_request", func(r *request) { r.method = "PUT" }},
		{"credentials in the query", "credentials_in_query", 400, "invalid_request", func(r *request) { r.target += "?password=x" }},
		{"content type", "content_type", 400, "invalid_request", func(r *request) { r.header["Content-Type"] = "text/plain" }},
		{"size", "body_too_large", 413, "invalid_request", func(r *request) { r.suffix += strings.Repeat("x", 65<<10) }},
		{"syntax", "form_malformed", 400, "invalid_request", func(r *request) { r.suffix = "&x=%zz" + r.suffix }},
		{"grant_type", "grant_type", 400, "unsupported_grant_type", func(r *request) { r.form["grant_type"] = "unknown" }},
		{"client", "wrong_client_secret", 400, "invalid_client", func(r *request) { r.form["client_secret"] = "wrong" }},
		{"the client's grant", "grant_not_allowed", 400, "unauthorized_client", func(r *request) { r.form["client_id"] = "nogrant" }},
		{"grant parameters", "missing_username", 400, "invalid_request", func(r *request) { r.form["username"] = "" }},
		{"scope against the client", "scope_not_allowed", 400, "invalid_scope", func(r *request) { r.form["scope"] = "admin" }},
		{"user", "wrong_password", 400, "invalid_grant", func(r *request) { r.form["password"] = "wrong" }},
		{"scope against the user", "scope_not_users", 400, "invalid_scope", func(r *request) { r.form["username"], r.form["scope"] = "bob", "write" }},
	}
	for i, first := range checks {
		for _, second := range checks[i:] {
			t.Run(first.name+" before "+second.name, func(t *testing.T) {
				r := request{method: "POST", target: "/token", header: map[string]string{}, form: map[string]string{}}
				second.fault(&r)
				if first.name != second.name {
					first.fault(&r) // last, for where both touch the same parameter
				}
				var pairs, headers []string
				for name, value := range r.form {
					pairs = append(pairs, name, value)
				}
				for name, value := range r.header {
					headers = append(headers, name+": "+value)
				}
				s.Do(s.Request(r.method, r.target, harness.LoginForm(pairs...)+r.suffix, headers...)).Want(t, first.status, first.code)
				if reason := s.Reason(); reason != first.reason {
					t.Errorf("refused for %q, want %q", reason, first.reason)
				}
			})
		}
	}
}
