package docs

import (
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// example is a process that runs a directory of examples in a clean copy of it.
type example struct {
	*harness.Site
	*harness.Process
	backend string // where the app behind it is to listen
	second  string // the port of its other site, which its files call 8081
}

// exercises is what each example is for.
var exercises = map[string]func(*testing.T, *example){
	"htpasswd":      exampleHtpasswd,
	"json-files":    exampleJSONFiles,
	"shared-server": exampleSharedServer,
	"hs256":         exampleHS256,
	"load-balancer": exampleLoadBalancer,
	"cors":          exampleCORS,
	"swagger-ui":    exampleSwaggerUI,
	"fastapi":       exampleFastAPI,

	"edge":            exampleEdge,
	"from-basic-auth": exampleFromBasicAuth,
	"login-page":      exampleLoginPage,
	"sessions":        exampleSessions,

	"outside-issuer": exampleOutsideIssuer,
	"services":       exampleServices,
	"api-keys":       exampleAPIKeys,

	"from-apache":    exampleMoved("from-apache"),
	"from-lighttpd":  exampleMoved("from-lighttpd"),
	"from-nginx":     exampleMoved("from-nginx"),
	"from-traefik":   exampleMoved("from-traefik"),
	"from-authelia":  exampleMoved("from-authelia"),
	"basic-upstream": exampleMoved("basic-upstream"),
}

// notForCaddy are examples for other programs, or for a Caddy with other plugins, which
// tests of their own exercise.
var notForCaddy = map[string]bool{"compose": true, "events": true, "fail2ban": true, "grafana": true, "postman": true, "prometheus": true, "systemd": true}

// Every example starts as its comment says, and does what it is for. A directory that
// nothing exercises fails the test.
func TestExamples(t *testing.T) {
	for _, dir := range readDir(t, repo.Path("examples")) {
		if exercises[dir] == nil && !notForCaddy[dir] {
			t.Errorf("nothing exercises examples/%s", dir)
		}
	}
	for name, exercise := range exercises {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each is a process of its own
			e := startExample(t, name)
			exercise(t, e)
			e.Stop()
			for _, line := range harness.WarningsIn(e.Printed()) {
				t.Errorf("it is warned of: %v", line)
			}
			for _, file := range readDir(t, e.Dir) {
				if file != "examples" && file != ".caddy-grant-example" {
					t.Errorf("it left %s behind", file)
				}
			}
		})
	}
}

func startExample(t *testing.T, name string) *example {
	t.Helper()
	s := harness.NewSite(t)
	if err := os.CopyFS(filepath.Join(s.Dir, "examples", name), os.DirFS(repo.Path("examples/"+name))); err != nil {
		t.Fatal(err)
	}
	config := "examples/" + name + "/Caddyfile"
	text := repo.Read(t, config)
	if command := "go run ./cmd/caddy run --config " + config; !strings.Contains(text, "#     "+command+"\n") {
		t.Errorf("%s does not say how to run it: %s", config, command)
	}
	backend := "127.0.0.1:" + strconv.Itoa(harness.FreePort(t))
	second := strconv.Itoa(harness.FreePort(t))
	s.Write(config, strings.NewReplacer("8080", strconv.Itoa(s.Port), "8081", second, "127.0.0.1:9000", backend).Replace(text))
	return &example{Site: s, Process: harness.StartProcess(t, s.Dir, config), backend: backend, second: second}
}

// ask sends a request to a host of the example.
func (e *example) ask(host, method, path, body string, headers ...string) harness.Answer {
	e.Site.T.Helper()
	r := e.Request(method, path, body, headers...)
	r.Host = host + ":" + strconv.Itoa(e.Port)
	return e.Do(r)
}

// token asks for a token at a host, with more headers.
func (e *example) token(host, client, secret, username, scope string, headers ...string) harness.Answer {
	e.Site.T.Helper()
	form := url.Values{"grant_type": {"password"}, "username": {username}, "password": {username + "-password"}}
	if secret == "" {
		form.Set("client_id", client)
	} else {
		headers = append(headers, harness.Basic(client, secret))
	}
	if scope != "" {
		form.Set("scope", scope)
	}
	return e.ask(host, "POST", "/token", form.Encode(), headers...)
}

// comment runs the curl command of the example's comment, which gets a token.
func (e *example) comment(name string) map[string]any {
	e.Site.T.Helper()
	var answer map[string]any
	unmarshal(e.Site.T, e.comments(name)[0], &answer)
	return answer
}

// comments runs the paragraphs of commands with curl in the example's comment, and
// returns what each of them printed.
func (e *example) comments(name string) []string {
	e.Site.T.Helper()
	var printed []string
	for _, paragraph := range e.paragraphs(name) {
		if strings.Contains(paragraph, "curl ") {
			printed = append(printed, shell(e.Site.T, e.Dir, paragraph, ""))
		}
	}
	if len(printed) == 0 {
		e.Site.T.Fatalf("the comment of %s has no curl", name)
	}
	return printed
}

// paragraphs are the commands in the example's comment, with what go run builds as
// caddy.
func (e *example) paragraphs(name string) []string {
	e.Site.T.Helper()
	content, err := os.ReadFile(filepath.Join(e.Dir, "examples", name, "Caddyfile"))
	if err != nil {
		e.Site.T.Fatal(err)
	}
	var paragraphs []string
	inside := false
	for line := range strings.Lines(string(content)) {
		line, code := strings.CutPrefix(line, "#     ")
		switch {
		case code && inside:
			paragraphs[len(paragraphs)-1] += line
		case code:
			paragraphs = append(paragraphs, line)
		}
		inside = code
	}
	for i, paragraph := range paragraphs {
		paragraphs[i] = strings.ReplaceAll(paragraph, "go run ./cmd/caddy ", "caddy ")
	}
	return paragraphs
}

func exampleHtpasswd(t *testing.T, e *example) {
	if answer := e.comment("htpasswd"); answer["token_type"] != "Bearer" {
		t.Errorf("got %v", answer)
	}
	e.token("localhost", "web", "demo-secret", "bob", "").Want(t, 200, "")
	e.token("localhost", "web", "demo-secret", "carol", "").Want(t, 400, "invalid_grant")
	if a := e.ask("localhost", "GET", "/", ""); a.Status != 200 || !strings.Contains(string(a.Body), "A static page") {
		t.Errorf("the static page: %d %s", a.Status, a.Body)
	}
	shell(t, e.Dir, "htpasswd -i -B -C 12 examples/htpasswd/users.htpasswd carol", "carol-password")
	harness.Eventually(t, "carol can log in", func() bool {
		return e.token("localhost", "web", "demo-secret", "carol", "").Status == 200
	})

	e.Write("examples/htpasswd/web.secret", "another-secret\n")
	e.reload("htpasswd")
	e.token("localhost", "web", "demo-secret", "bob", "").Want(t, 401, "invalid_client")
	e.token("localhost", "web", "another-secret", "bob", "").Want(t, 200, "")
}

// reload runs the command of the example's comment, which must get to this process.
func (e *example) reload(name string) {
	e.Site.T.Helper()
	config := "examples/" + name + "/Caddyfile"
	if command := "go run ./cmd/caddy reload --force --config " + config; !strings.Contains(repo.Read(e.Site.T, config), "#     "+command+"\n") {
		e.Site.T.Errorf("%s does not say how to reload it: %s", config, command)
	}
	shell(e.Site.T, e.Dir, "caddy reload --force --config "+config, "")
}

func exampleJSONFiles(t *testing.T, e *example) {
	if answer := e.comment("json-files"); answer["scope"] != "contacts.read contacts.write" {
		t.Errorf("got %v", answer)
	}
	const both = "contacts.read contacts.write"
	a := e.token("localhost", "web", "demo-secret", "bob", both)
	a.Want(t, 200, "")
	var claims map[string]any
	unmarshal(t, decodePart(t, a.Text(t, "access_token"), 1), &claims)
	if a.Text(t, "scope") != "contacts.read" || claims["sub"] != "u-1002" || claims["email"] != "bob@example.com" {
		t.Errorf("bob got %v", claims)
	}
	e.token("localhost", "web", "demo-secret", "mallory", "").Want(t, 400, "invalid_grant")
	a = e.token("localhost", "kiosk", "", "alice", "")
	a.Want(t, 200, "")
	if a.JSON["expires_in"] != 900.0 || a.JSON["scope"] != "contacts.read" {
		t.Errorf("kiosk got %s", a.Body)
	}
	e.token("localhost", "kiosk", "", "alice", both).Want(t, 400, "invalid_scope")
}

func exampleSharedServer(t *testing.T, e *example) {
	if got := e.comments("shared-server")[0]; got != "calendar, hello alice\n" {
		t.Errorf("got %q", got)
	}
	a := e.token("contacts.localhost", "web", "demo-secret", "alice", "")
	a.Want(t, 200, "")
	keys := string(e.ask("contacts.localhost", "GET", "/token/jwks", "").Body)
	for app, status := range map[string]int{"contacts": 200, "calendar": 200, "mail": 200, "photos": 200, "admin": 403} {
		host := app + ".localhost"
		if got := string(e.ask(host, "GET", "/token/jwks", "").Body); got != keys {
			t.Errorf("the keys of %s are %s", app, got)
		}
		if got := e.ask(host, "GET", "/", ""); got.Status != 401 {
			t.Errorf("%s is open: %d", app, got.Status)
		}
		got := e.ask(host, "GET", "/", "", "Authorization: Bearer "+a.Text(t, "access_token"), "X-User: mallory")
		if got.Status != status || status == 200 && string(got.Body) != app+", hello alice\n" {
			t.Errorf("%s: %d %s", app, got.Status, got.Body)
		}
	}
	e.token("admin.localhost", "web", "demo-secret", "alice", "admin").Want(t, 400, "invalid_scope")
	a = e.token("admin.localhost", "ops", "demo-secret-of-ops", "alice", "admin")
	a.Want(t, 200, "")
	if got := e.ask("admin.localhost", "GET", "/", "", "Authorization: Bearer "+a.Text(t, "access_token")); got.Status != 200 {
		t.Errorf("ops: %d %s", got.Status, got.Body)
	}
}

func exampleHS256(t *testing.T, e *example) {
	answer := e.comment("hs256")
	secret, err := os.ReadFile(filepath.Join(e.Dir, "examples/hs256/hs256.secret"))
	if err != nil {
		t.Fatal(err)
	}
	token, _ := answer["access_token"].(string)
	var claims jwt.RegisteredClaims
	if _, err := jwt.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return secret, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired(), jwt.WithIssuer("http://localhost:"+strconv.Itoa(e.Port))); err != nil || claims.Subject != "alice" {
		t.Errorf("the app does not accept %v: %v", claims, err)
	}
	if a := e.ask("localhost", "GET", "/token/jwks", ""); strings.TrimSpace(string(a.Body)) != `{"keys":[]}` {
		t.Errorf("published: %s", a.Body)
	}

	// what the comment says about tokens that the app mints: they are good at the edge if
	// it has seen one of the user, and otherwise not
	seen, header := make(jwt.MapClaims), make(map[string]any)
	unmarshal(t, decodePart(t, token, 0), &header)
	unmarshal(t, decodePart(t, token, 1), &seen)
	for name, test := range map[string]struct {
		change func(jwt.MapClaims)
		status int
	}{
		"the server's own": {func(jwt.MapClaims) {}, 200},
		"a copied cver": {func(c jwt.MapClaims) {
			c["scope"], c["exp"], c["jti"] = "everything", time.Now().Add(999*time.Hour).Unix(), "mine"
		}, 200},
		"a sid of its own":   {func(c jwt.MapClaims) { c["sid"] = "20991231-" + strings.Repeat("a", 40) }, 200},
		"a sid that is none": {func(c jwt.MapClaims) { c["sid"] = "mine" }, 401},
		"without cver":       {func(c jwt.MapClaims) { delete(c, "cver") }, 401},
		"another cver":       {func(c jwt.MapClaims) { c["cver"] = strings.Repeat("A", 22) }, 401},
		"without a sid":      {func(c jwt.MapClaims) { delete(c, "sid") }, 401},
	} {
		claims := maps.Clone(seen)
		test.change(claims)
		minted := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
		minted.Header["kid"] = header["kid"]
		signed, err := minted.SignedString(secret)
		if err != nil {
			t.Fatal(err)
		}
		if a := e.ask("localhost", "GET", "/edge", "", "Authorization: Bearer "+signed); a.Status != test.status {
			t.Errorf("%s: %d, want %d", name, a.Status, test.status)
		}
	}

	// and about sessions
	revoke := func(token, secret string) int {
		return e.ask("localhost", "POST", "/token/revoke", "token="+token, harness.Basic("web", secret)).Status
	}
	for _, test := range []struct {
		typ    string
		sub    any
		status int // what is unknown is as good as revoked
	}{{"refresh+jwt", seen["sub"], 200}, {"JWT", "nobody", 200}, {"JWT", seen["sub"], 401}} {
		typ, status := test.typ, test.status
		minted := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
			"sub": test.sub, "cid": "web", "jti": "x", "sid": seen["sid"], "cver": "x", "username": "x", "exp": 1, "iss": seen["iss"],
		})
		minted.Header["kid"], minted.Header["typ"] = header["kid"], typ
		signed, err := minted.SignedString(secret)
		if err != nil {
			t.Fatal(err)
		}
		if got := revoke(signed, "wrong"); got != 401 {
			t.Errorf("revoking without the secret of the client: %d", got)
		}
		if got := revoke(signed, "demo-secret"); got != 200 {
			t.Errorf("revoking with a minted token: %d", got)
		}
		if a := e.ask("localhost", "GET", "/edge", "", "Authorization: Bearer "+token); a.Status != status {
			t.Errorf("after revoking by a minted token of typ %s: %d, want %d", typ, a.Status, status)
		}
	}
}

func exampleLoadBalancer(t *testing.T, e *example) {
	if answer := e.comment("load-balancer"); answer["token_type"] != "Bearer" {
		t.Errorf("got %v", answer)
	}
	e.token("api.example.com", "web", "demo-secret", "alice", "", "X-Forwarded-Proto: http").Want(t, 400, "invalid_request")
	var lines []string
	for line := range strings.Lines(e.Printed()) {
		if strings.Contains(line, "handled request") {
			lines = append(lines, line)
		}
	}
	var first struct {
		Request struct {
			ClientIP string `json:"client_ip"`
		} `json:"request"`
		UserID    string `json:"user_id"`
		GrantType string `json:"grant_type"`
	}
	if len(lines) != 2 {
		t.Fatalf("the access log is\n%s", e.Printed())
	}
	unmarshal(t, lines[0], &first)
	if first.Request.ClientIP != "203.0.113.7" || first.UserID != "alice" || first.GrantType != "password" {
		t.Errorf("the access log has %+v", first)
	}
	if !strings.Contains(lines[1], `"oauth_error":"invalid_request"`) {
		t.Errorf("the access log has %s", lines[1])
	}
}

func exampleCORS(t *testing.T, e *example) {
	const origin = "http://localhost:3000"
	if got := e.comments("cors")[0]; !strings.HasPrefix(got, "HTTP/1.1 204") || !strings.Contains(got, "Access-Control-Allow-Origin: "+origin) {
		t.Errorf("the pre-flight of the comment: %s", got)
	}
	a := e.token("localhost", "page", "", "alice", "", "Origin: "+origin)
	a.Want(t, 200, "")
	if a.Header.Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("the page cannot read its token: %v", a.Header)
	}
	for status, headers := range map[int][]string{200: {"Authorization: Bearer " + a.Text(t, "access_token")}, 401: nil} {
		a := e.ask("localhost", "GET", "/api/contacts", "", append(headers, "Origin: "+origin)...)
		if a.Status != status || a.Header.Get("Access-Control-Allow-Origin") != origin || status == 200 && string(a.Body) != "hello alice" {
			t.Errorf("the API: %d %v %s", a.Status, a.Header, a.Body)
		}
	}
	if a := e.ask("localhost", "OPTIONS", "/api/contacts", "", "Origin: "+origin); a.Status != 401 {
		t.Errorf("an OPTIONS that is not a pre-flight: %d", a.Status)
	}
	a = e.token("localhost", "page", "", "mallory", "", "Origin: "+origin)
	a.Want(t, 400, "invalid_grant")
	if a.Header.Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("the page cannot read the error: %v", a.Header)
	}
	if expose := a.Header.Get("Access-Control-Expose-Headers"); !strings.Contains(expose, "Retry-After") {
		t.Errorf("the page cannot read how long to wait, only %s", expose)
	}
	a = e.ask("localhost", "OPTIONS", "/token", "", "Origin: "+origin, "Access-Control-Request-Method: POST")
	if a.Status != http.StatusNoContent || a.Header.Get("Access-Control-Allow-Origin") != origin ||
		!strings.Contains(a.Header.Get("Access-Control-Allow-Headers"), "X-Requested-With") {
		t.Errorf("pre-flight: %d %v", a.Status, a.Header)
	}
	if a := e.token("localhost", "page", "", "alice", "", "Origin: http://localhost:3001"); a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("another page can read it: %v", a.Header)
	}
}
