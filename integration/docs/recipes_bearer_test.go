package docs

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// bearerRecipeGroups execute what the docs say about bearer_auth and its neighbours.
var bearerRecipeGroups = []group{
	{"open paths", []string{"open-paths"}, recipeOpenPaths},
	{"handle_errors", []string{"handle-errors"}, recipeHandleErrors},
	{"handle_errors with pages", []string{"error-pages"}, recipeErrorPages},
	{"an app that is meant to be open", []string{"open-app"}, recipeOpenApp},
	{"a named route", []string{"named-route"}, recipeNamedRoute},
	{"from basic_auth", []string{"migration"}, recipeMigration},
	{"use from another site", []string{"other-site"}, recipeOtherSite},
	{"several on one site", []string{"several"}, recipeSeveral},
	{"rules on claims", []string{"require"}, recipeRequire},
}

func recipeOpenPaths(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve(blocks["open-paths"].text)
	r.wantLogin()
	r.wantBackend("/healthz")
	r.wantBackend("/assets/app.js")
	r.wantBackend("/assets")
	r.wantBackend("/assets/x;v=1")
	r.wantStatus("/page", 401)
	for _, line := range harness.WaysAroundAnOpenPath {
		if strings.Contains(line, "other.example") {
			continue // not a site here
		}
		a := r.Exchange(line + " HTTP/1.1\r\nHost: " + r.Address() + "\r\nConnection: close\r\n\r\n")
		if a.Status != 401 && a.Status != 400 {
			t.Errorf("%s: %d", line, a.Status)
		}
	}
	token := r.bearer()
	r.wantUser("/page", "alice", token)
	if got := r.lastReceived().Get("Authorization"); got != "" {
		t.Errorf("the app received %s", got)
	}
	r.wantUser("/healthz", "", token)
	if r.lastReceived().Get("Authorization") == "" {
		t.Error("a request that is not checked has lost its Authorization header")
	}
}

func recipeHandleErrors(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve(blocks["handle-errors"].text)
	r.wantLogin()
	a := r.Do(r.Request("GET", "/page", ""))
	if a.Status != 401 || string(a.Body) != "Please log in." || a.Header.Get("WWW-Authenticate") != `Bearer realm="default"` {
		t.Errorf("got %d %q %v", a.Status, a.Body, a.Header)
	}
	r.Login("alice", "wrong").Want(t, 400, "invalid_grant")
	if a := r.Login("alice", "correct horse", "client_secret", "wrong"); a.Status != 400 || a.Text(t, "error") != "invalid_client" {
		t.Errorf("got %d %s", a.Status, a.Body)
	}

	// without it the body is empty
	r.serve("api.example.com {\n\timport tokens\n\tbearer_auth\n}\n")
	if a := r.Do(r.Request("GET", "/page", "")); a.Status != 401 || len(a.Body) != 0 {
		t.Errorf("got %d %q", a.Status, a.Body)
	}
}

func recipeErrorPages(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.Write("www/401.html", "Please log in.")
	r.Write("www/secret.txt", "for users only")
	text := blocks["error-pages"].text
	r.serve(text)
	r.wantLogin()
	for _, path := range []string{"/page", "/secret.txt"} {
		if a := r.Do(r.Request("GET", path, "")); a.Status != 401 || string(a.Body) != "Please log in." || a.Header.Get("WWW-Authenticate") != `Bearer realm="default"` {
			t.Errorf("%s: %d %q %v", path, a.Status, a.Body, a.Header)
		}
	}
	r.wantUser("/page", "alice", r.bearer())

	// what the recipe is against
	r.serve(strings.Replace(text, "\t\trewrite * /{err.status_code}.html\n", "", 1))
	if a := r.Do(r.Request("GET", "/secret.txt", "")); string(a.Body) != "for users only" {
		t.Errorf("without the rewrite: %d %q", a.Status, a.Body)
	}
	const app = "\thandle_errors {\n\t\treverse_proxy localhost:9000\n\t}\n"
	toApp := text[:strings.Index(text, "\thandle_errors {")] + app + "}\n"
	r.serve(toApp)
	r.wantBackend("/page") // refused, and still with the app
	r.wantUser("/page", "")
	r.wantUser("/page", "alice", r.bearer())

	// a handler that fails before the check
	r.serve("{\n\tservers {\n\t\texpected_underscore_headers X_User\n\t}\n}\n" + strings.Replace(toApp, "\timport tokens\n",
		"\timport tokens\n\tbasic_auth /admin/* {\n\t\tadmin $2a$10$4dnozm./4QlRyuncOi.D7e7FhymHy7mtbYUdV80rCn73EfrOSqrb2\n\t}\n", 1))
	r.wantUser("/admin/", "")
}

func recipeOpenApp(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve(blocks["open-app"].text)
	for host, status := range map[string]int{"api.example.com": 401, "internal.example.com": 200} {
		request := r.Request("GET", "/page", "", "X-User: mallory", "X_User: mallory")
		request.Host = host + ":" + strconv.Itoa(r.Port)
		if a := r.Do(request); a.Status != status {
			t.Errorf("%s: %d %s", host, a.Status, a.Body)
		}
	}
	if got := r.lastReceived(); got["X-User"] != nil || got["X_user"] != nil {
		t.Errorf("the app takes the client for a user: %v", got)
	}

	// it needs no endpoint, and names none
	r.serve("internal.example.com {\n\tbearer_auth {\n\t\toff\n\t}\n\treverse_proxy localhost:9000\n}\n")
	r.wantBackend("/page", "Authorization: Bearer x")
	if r.lastReceived().Get("Authorization") == "" {
		t.Error("the token of another user is gone")
	}
}

func recipeNamedRoute(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	directly := blocks["named-route"].text
	route := strings.Replace(strings.Replace(directly, "&(edge) {\n", "&(edge) {\n\troute {\n", 1), "\n}\n", "\n\t}\n}\n", 1)
	for _, caddyfile := range []string{directly, route} {
		r.serve(caddyfile)
		r.wantLogin()
		r.wantStatus("/page", 401)
		r.wantUser("/page", "alice", r.bearer())
	}

	// what Caddy does to a handler beside a route
	r.serve("&(edge) {\n\troute {\n\t\timport tokens\n\t\tbearer_auth\n\t}\n\treverse_proxy localhost:9000\n}\n\napi.example.com {\n\tinvoke edge\n}\n")
	r.wantBody("/page", "", r.bearer())
}

func recipeMigration(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve(blocks["migration"].text)
	r.wantLogin()
	password, token := harness.Basic("alice", "correct horse"), r.bearer()
	r.wantUser("/page", "alice", password)
	r.wantUser("/page", "alice", token)
	for name, headers := range map[string][]string{
		"nothing":               nil,
		"a wrong password":      {harness.Basic("alice", "wrong")},
		"a bad token":           {token[:len(token)-4] + "AAAA"},
		"something like Bearer": {"Authorization: Bearerx y"},
	} {
		if a := r.Do(r.Request("GET", "/page", "", headers...)); a.Status != 401 {
			t.Errorf("%s: %d", name, a.Status)
		}
	}
	if a := r.Do(r.Request("GET", "/page", "", password, token)); a.Status != 400 {
		t.Errorf("a password and a token: %d", a.Status)
	}
	for _, line := range []string{"OPTIONS /token/x", "OPTIONS /token/..;/page", "OPTIONS //token/page", "GET /token/..;/../page", "GET /%74oken%2f..%2fpage"} {
		method, path, _ := strings.Cut(line, " ")
		if a := r.Exchange(r.Spelled(method, path, "Connection: close")); a.Status < 400 || a.Status > 404 {
			t.Errorf("%s is open: %d %s", line, a.Status, a.Body)
		}
	}
	if a := r.Exchange(r.Spelled("GET", "/x/../page", password, "Connection: close")); a.Status != 400 {
		t.Errorf("a dot segment beside a password: %d", a.Status)
	}

	// what the docs warn of
	r.serve(strings.Replace(blocks["migration"].text, "bearer_auth @token {", "bearer_auth {\n\t\toptional", 1))
	r.wantUser("/page", "", "Authorization: Bearerx y")
}

func recipeOtherSite(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve(blocks["other-site"].text)
	at := func(host string, request *http.Request) harness.Answer {
		request.Host = host + ":" + strconv.Itoa(r.Port)
		return r.Do(request)
	}
	a := at("login.example.com", r.loginRequest())
	a.Want(t, 200, "")
	if a := at("contacts.example.com", r.Request("GET", "/page", "")); a.Status != 401 || a.Header.Get("WWW-Authenticate") != `Bearer realm="staff"` {
		t.Errorf("got %d %v", a.Status, a.Header)
	}
	if a := at("contacts.example.com", r.Request("GET", "/page", "", "Authorization: Bearer "+a.Text(t, "access_token"))); string(a.Body) != "the app at /page" {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
	if got := r.lastReceived().Get("X-User"); got != "alice" {
		t.Errorf("the app takes the client for %q", got)
	}
	if err := r.TryReload("", "http://127.0.0.1:%PORT% {\n\tbearer_auth nobody\n}\n"); err == nil || !strings.Contains(err.Error(), `"nobody"`) {
		t.Errorf("a name that does not exist: %v", err)
	}
}

func recipeSeveral(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve(blocks["several"].text)
	r.wantLogin()
	login := func(scope string) string {
		a := r.Login("alice", "correct horse", "scope", scope)
		a.Want(t, 200, "")
		return "Authorization: Bearer " + a.Text(t, "access_token")
	}
	reader, writer := login("contacts.read"), login("contacts.write")
	r.wantUser("/page", "alice", reader)
	for token, status := range map[string]int{reader: 403, writer: 200} {
		if a := r.Do(r.Request("DELETE", "/page", "", token)); a.Status != status {
			t.Errorf("DELETE: %d, want %d", a.Status, status)
		}
	}

	// which of them hands the token on
	text := blocks["several"].text
	one := strings.Replace(text, "bearer_auth {\n", "bearer_auth {\n\t\tforward_token\n", 1)
	last := strings.Replace(text, "bearer_auth @changes {\n", "bearer_auth @changes {\n\t\tforward_token\n", 1)
	for caddyfile, forwarded := range map[string]bool{text: false, one: false, last: true} {
		r.serve(caddyfile)
		r.Do(r.Request("DELETE", "/page", "", writer))
		if got := r.lastReceived().Get("Authorization") != ""; got != forwarded {
			t.Errorf("the token is handed on: %v, by\n%s", got, caddyfile)
		}
	}
}

func recipeRequire(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	users := make([]string, 0, 5)
	for name, claims := range map[string]string{
		"alice": `"groups": ["ops"], "email": "alice@example.com"`,
		"bob":   `"groups": ["guests"], "email": "bob@example.com"`,
		"carol": `"groups": ["staff"], "email": "carol@mail.example.com"`,
		"dave":  `"groups": ["staff"], "email": "dave@example.com", "email_verified": false`,
		"erin":  `"email": "erin@example.com"`,
	} {
		users = append(users, `{"username": "`+name+`", "password_hash": "`+harness.HashBcrypt+`", "claims": {`+claims+`}}`)
	}
	r.Write("etc/users.json", `{"users": [`+strings.Join(users, ", ")+`]}`)
	r.serve(blocks["require"].text)
	for name, claim := range map[string]string{"bob": "groups", "carol": "email", "dave": "email", "erin": "groups"} {
		a := r.get("/contacts", r.Login(name, "correct horse").Text(t, "access_token"))
		if a.Status != 403 || a.Header.Get("WWW-Authenticate") != `Bearer realm="default", error="insufficient_scope"` {
			t.Errorf("%s: %d %s", name, a.Status, a.Header.Get("WWW-Authenticate"))
		}
		if lines := r.Logged(func(line map[string]any) bool { return line["user_id"] == name && line["claim_needed"] == claim }); len(lines) != 1 {
			t.Errorf("%s: the log does not say that the claim is %s", name, claim)
		}
	}
	r.wantUser("/contacts", "alice", r.bearer())
}
