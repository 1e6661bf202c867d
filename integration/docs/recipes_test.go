package docs

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// recipeGroups execute the docs' section "Where it sits".
var recipeGroups = []group{
	{"beside try_files", []string{"snippet", "try-files"}, recipeTryFiles},
	{"a site-wide basic_auth", []string{"basic-auth"}, recipeBasicAuth},
	{"abort, error and respond", []string{"abort"}, recipeAbort},
	{"E6: CORS", []string{"cors"}, recipeCORS},
	{"behind a load balancer", []string{"load-balancer"}, recipeLoadBalancer},
	{"Docker without TLS", []string{"docker"}, recipeDocker},
}

// recipe is a site of the docs on this machine: with its files, an app behind it, and
// requests that come from any address.
type recipe struct {
	*harness.Site
	etc     string // what the docs call /etc/caddy
	www     string // what it calls /srv/www
	backend string // the address of what it calls localhost:9000

	received atomic.Pointer[http.Header] // by that app, at last
}

// newRecipe prepares the files that the docs take for granted: the user alice with
// the password "correct horse", and the secret of the client web.
func newRecipe(t *testing.T) *recipe {
	t.Helper()
	s := harness.NewSite(t)
	r := &recipe{Site: s, etc: filepath.Join(s.Dir, "etc"), www: filepath.Join(s.Dir, "www")}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.received.Store(&request.Header)
		fmt.Fprintf(w, "the app at %s", request.URL.Path)
	}))
	t.Cleanup(app.Close)
	r.backend = app.Listener.Addr().String()
	for _, dir := range []string{r.etc, r.www} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	r.Write("etc/users.htpasswd", "alice:"+harness.HashBcrypt+"\n")
	r.Write("etc/web.secret", "web-secret\n")
	r.Write("www/index.html", "the index")
	r.Write("www/app.js", "the script")
	return r
}

var (
	siteAddress = regexp.MustCompile(`(?m)^(?:http://)?((?:[a-z]+\.)?example\.com) \{$|^(?:http://localhost)?:8080 \{$`)
	siteOptions = regexp.MustCompile(`(?s)\A\{\n(.*?)\n\}\n`)
)

// serve starts a Caddyfile of the docs, with the docs' snippet before it.
func (r *recipe) serve(caddyfile string) {
	r.T.Helper()
	// what says from which address a connection comes
	const wrappers = "\n\t\tlistener_wrappers {\n\t\t\tproxy_protocol {\n\t\t\t\tallow 127.0.0.0/8\n\t\t\t}\n\t\t}\n"
	options := "servers {\n}"
	if match := siteOptions.FindStringSubmatch(caddyfile); match != nil {
		options = match[1]
		caddyfile = strings.TrimPrefix(caddyfile, match[0])
	}
	options = strings.Replace(options, "servers {", "servers {"+wrappers, 1)

	sites := caddyfile
	for _, b := range allBlocks(r.T) {
		if b.name == "snippet" {
			sites = b.text + sites
		}
	}
	address := "http://127.0.0.1:%PORT% {\n\tlog"
	if len(siteAddress.FindAllString(sites, -1)) > 1 {
		address = "http://$1:%PORT% {\n\tlog"
	}
	sites = siteAddress.ReplaceAllString(sites, address)
	sites = strings.NewReplacer("/etc/caddy/", r.etc+"/", "/run/credentials/caddy.service/", r.etc+"/", "/srv/www", r.www, "localhost:9000", r.backend).Replace(sites)
	// another port each time: the listener of a config before, as it closes, resets what
	// the system has handed it
	r.Port = harness.FreePort(r.T)
	r.Reload(options, sites)
}

// from sends a request as if it came from that address. It is nil if the server closed
// the connection without an answer.
func (r *recipe) from(address string, request *http.Request) *harness.Answer {
	r.T.Helper()
	client := &http.Client{CheckRedirect: stay, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, to)
			if err == nil {
				_, err = fmt.Fprintf(conn, "PROXY TCP4 %s 127.0.0.1 40000 %d\r\n", address, r.Port)
			}
			return conn, err
		},
	}}
	response, err := client.Do(request)
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		r.T.Fatal(err)
	}
	a := harness.Answer{Status: response.StatusCode, Header: response.Header, Body: body}
	return &a
}

// stay returns a redirect as the answer that it is.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// loginRequest is the request of a correct login.
func (r *recipe) loginRequest(headers ...string) *http.Request {
	r.T.Helper()
	return r.Request("POST", "/token", "grant_type=password&username=alice&password=correct+horse",
		append([]string{harness.Basic("web", "web-secret")}, headers...)...)
}

func (r *recipe) wantLogin() {
	r.T.Helper()
	login := r.Do(r.loginRequest())
	login.Want(r.T, 200, "")
	for _, path := range []string{"/token/introspect", "/token/revoke"} {
		r.Post(path, "token="+login.Text(r.T, "refresh_token"), harness.Basic("web", "web-secret")).Want(r.T, 200, "")
	}
	if jwks := r.Do(r.Request("GET", "/token/jwks", "")); jwks.Status != 200 || jwks.JSON["keys"] == nil {
		r.T.Errorf("the keys: %d %s", jwks.Status, jwks.Body)
	}
	if a := r.Do(r.Request("GET", "/.well-known/oauth-authorization-server", "")); a.Status != 200 || a.JSON["issuer"] == nil {
		r.T.Errorf("the metadata: %d %s", a.Status, a.Body)
	}
}

func (r *recipe) wantBody(path, want string, headers ...string) {
	r.T.Helper()
	if a := r.Do(r.Request("GET", path, "", headers...)); a.Status != 200 || string(a.Body) != want {
		r.T.Errorf("%s: %d %q, want %q", path, a.Status, a.Body, want)
	}
}

func (r *recipe) wantBackend(path string, headers ...string) {
	r.T.Helper()
	r.wantBody(path, "the app at "+path, headers...)
}

func (r *recipe) wantStatus(path string, want int, headers ...string) {
	r.T.Helper()
	if a := r.Do(r.Request("GET", path, "", headers...)); a.Status != want {
		r.T.Errorf("%s: %d %s, want %d", path, a.Status, a.Body, want)
	}
}

// bearer logs in and returns the header to call the app with.
func (r *recipe) bearer() string {
	r.T.Helper()
	a := r.Do(r.loginRequest())
	a.Want(r.T, 200, "")
	return "Authorization: Bearer " + a.Text(r.T, "access_token")
}

// lastReceived is what the app received last.
func (r *recipe) lastReceived() http.Header {
	r.T.Helper()
	received := r.received.Load()
	if received == nil {
		r.T.Fatal("the app received nothing")
	}
	return *received
}

// wantUser sends a request with a client's own identity headers, and expects that the
// app gets that one in their place, or none.
func (r *recipe) wantUser(path, want string, headers ...string) {
	r.T.Helper()
	r.received.Store(nil)
	r.Do(r.Request("GET", path, "", append(headers, "X-User: mallory", "X_User: mallory")...))
	received := r.lastReceived()
	if got := received.Get("X-User"); got != want || received["X_user"] != nil {
		r.T.Errorf("%s: the app takes the client for %q, want %q: %v", path, got, want, received)
	}
}

func recipeTryFiles(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve(blocks["try-files"].text)
	r.wantLogin()
	r.wantBody("/", "the index")
	r.wantBody("/some/page", "the index")
	r.wantBody("/app.js", "the script")
	r.wantStatus("/api/contacts", 401)
	r.wantUser("/api/contacts", "alice", r.bearer())

	// what the recipe is against
	r.serve("app.example.com {\n\troot * /srv/www\n\timport tokens\n\ttry_files {path} /index.html\n\tfile_server\n}\n")
	if a := r.Do(r.loginRequest()); a.JSON != nil {
		t.Errorf("try_files left the endpoint alone: %d %s", a.Status, a.Body)
	}
	r.serve("app.example.com {\n\troot * /srv/www\n\timport tokens\n\tbearer_auth /api/*\n\ttry_files {path} /index.html\n\tfile_server\n}\n")
	if a := r.Do(r.Request("GET", "/api/contacts", "")); a.Status == 401 {
		t.Error("try_files left the check alone")
	}
}

func recipeBasicAuth(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve(blocks["basic-auth"].text)
	r.wantLogin()
	if a := r.Do(r.Request("GET", "/page", "")); a.Status != 401 {
		t.Errorf("the app is open: %d", a.Status)
	}
	r.wantBackend("/page", harness.Basic("admin", "admin-password"))

	for _, line := range []string{"OPTIONS /token/x", "OPTIONS /token/..;/page", "OPTIONS //token/page", "GET /token/..;/../page", "GET /%74oken%2f..%2fpage"} {
		method, path, _ := strings.Cut(line, " ")
		if a := r.Exchange(r.Spelled(method, path, "Connection: close")); a.Status != 401 && a.Status != 404 || strings.Contains(string(a.Body), "the app") {
			t.Errorf("%s is open: %d %s", line, a.Status, a.Body)
		}
	}

	// what the recipe is against
	r.serve(strings.Replace(strings.Replace(blocks["basic-auth"].text, "\troute {\n", "", 1), "\t}\n}\n", "}\n", 1))
	if a := r.Do(r.loginRequest()); a.Status != 401 || a.JSON != nil {
		t.Errorf("basic_auth left the endpoint alone: %d %s", a.Status, a.Body)
	}
}

func recipeAbort(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve(blocks["abort"].text)
	r.wantLogin()
	r.wantBackend("/page")
	if a := r.from("198.51.100.1", r.Request("GET", "/page", "")); a == nil || a.Status != 200 {
		t.Errorf("another address is locked out: %v", a)
	}
	for _, request := range []*http.Request{r.loginRequest(), r.Request("GET", "/token/jwks", ""), r.Request("GET", "/page", "")} {
		if a := r.from("192.0.2.7", request); a != nil {
			t.Errorf("%s %s got through: %d", request.Method, request.URL.Path, a.Status)
		}
	}

	r.serve("api.example.com {\n\t@blocked remote_ip 192.0.2.0/24\n\tabort @blocked\n\timport tokens\n}\n")
	if a := r.from("192.0.2.7", r.Request("GET", "/token/jwks", "", "X-Forwarded-Proto: https")); a == nil {
		t.Error("abort comes before the endpoint")
	}
}

func recipeCORS(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve(blocks["cors"].text)
	r.wantLogin()
	r.wantUser("/page", "alice", r.bearer())
	const origin = "https://app.example.com"

	a := r.Do(r.Request("OPTIONS", "/page", "", "Origin: "+origin, "Access-Control-Request-Method: DELETE", "Access-Control-Request-Headers: authorization"))
	if a.Status != 204 || a.Header.Get("Access-Control-Allow-Origin") != origin || !strings.Contains(a.Header.Get("Access-Control-Allow-Methods"), "DELETE") {
		t.Errorf("pre-flight for the app: %d %v", a.Status, a.Header)
	}
	if a := r.Do(r.Request("OPTIONS", "/page", "", "Origin: "+origin)); a.Status != 401 {
		t.Errorf("an OPTIONS that is not a pre-flight: %d", a.Status)
	}
	a = r.Do(r.Request("GET", "/page", "", "Origin: "+origin))
	if a.Status != 401 || a.Header.Get("Access-Control-Allow-Origin") != origin || a.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("the page cannot read the refusal: %d %v", a.Status, a.Header)
	}

	a = r.Do(r.Request("OPTIONS", "/token", "", "Origin: "+origin, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization,content-type,x-requested-with"))
	if a.Status != 204 || a.Header.Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("pre-flight: %d %v", a.Status, a.Header)
	}
	for _, name := range []string{"Authorization", "Content-Type", "X-Requested-With"} {
		if allowed := a.Header.Get("Access-Control-Allow-Headers"); !strings.Contains(allowed, name) {
			t.Errorf("a page cannot send %s, only %s", name, allowed)
		}
	}
	if expose := a.Header.Get("Access-Control-Expose-Headers"); expose != "WWW-Authenticate, Retry-After, Deprecation, Sunset, Link" {
		t.Errorf("a page can read %q", expose)
	}
	for _, test := range []struct {
		name     string
		request  *http.Request
		status   int
		readable bool
	}{
		{"success", r.loginRequest("Origin: " + origin), 200, true},
		{"wrong secret", r.Request("POST", "/token", "grant_type=password&client_id=web&client_secret=x", "Origin: "+origin), 400, true},
		{"no grant_type", r.Request("POST", "/token", "a=b", "Origin: "+origin), 400, true},
		{"wrong method", r.Request("GET", "/token", "", "Origin: "+origin), 405, true},
		{"the keys", r.Request("GET", "/token/jwks", "", "Origin: "+origin), 200, true},
		{"another origin", r.loginRequest("Origin: https://evil.example.com"), 200, false},
		{"no origin", r.loginRequest(), 200, false},
		{"as browsers send it", r.loginRequest(append(harness.FetchHeaders("same-site", "cors")[:3], "Origin: "+origin)...), 200, true},
		{"from another site", r.loginRequest(append(harness.FetchHeaders("cross-site", "cors")[:3], "Origin: "+origin)...), 200, true},
		{"a form", r.loginRequest(append(harness.FetchHeaders("cross-site", "navigate")[:3], "Origin: "+origin)...), 403, true},
	} {
		a := r.Do(test.request)
		if allowed := a.Header.Get("Access-Control-Allow-Origin"); a.Status != test.status || (allowed == origin) != test.readable {
			t.Errorf("%s: %d, Access-Control-Allow-Origin %q", test.name, a.Status, allowed)
		}
		if a.Header.Get("Vary") != "Origin" {
			t.Errorf("%s: Vary %q", test.name, a.Header.Get("Vary"))
		}
		if a.JSON == nil {
			t.Errorf("%s: %s", test.name, a.Body)
		}
	}
}

func recipeLoadBalancer(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve(blocks["load-balancer"].text)
	for _, test := range []struct {
		peer    string
		headers []string
		status  int
	}{
		{"10.1.2.3", []string{"X-Forwarded-Proto: https", "X-Forwarded-For: 203.0.113.7"}, 200},
		{"10.1.2.3", []string{"X-Forwarded-Proto: http", "X-Forwarded-For: 203.0.113.7"}, 400},
		{"10.1.2.3", nil, 400},
		{"198.51.100.1", []string{"X-Forwarded-Proto: https", "X-Forwarded-For: 10.1.2.3"}, 400},
		{"127.0.0.1", nil, 200},
		{"127.0.0.1", []string{"X-Forwarded-Proto: http"}, 400},
	} {
		a := r.from(test.peer, r.loginRequest(test.headers...))
		if a == nil || a.Status != test.status {
			t.Errorf("from %s with %v: %+v, want %d", test.peer, test.headers, a, test.status)
		}
	}
	if lines := r.Logged(func(line map[string]any) bool { return line["msg"] == "token issued" }); len(lines) != 2 || lines[0]["client_ip"] != "203.0.113.7" {
		t.Errorf("the log does not have the client's address: %v", lines)
	}
	for _, line := range r.Logged(func(line map[string]any) bool { return line["msg"] == "request refused" }) {
		if remedy, _ := line["remedy"].(string); line["reason"] != "not_secure" || !strings.Contains(remedy, "trusted_proxies") {
			t.Errorf("the log does not say what to do: %v", line)
		}
	}
	r.wantBackend("/page")
}

func recipeDocker(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve(blocks["docker"].text)
	if a := r.from("172.17.0.1", r.loginRequest()); a == nil || a.Status != 200 {
		t.Errorf("through the bridge: %+v", a)
	}
	r.serve(strings.Replace(blocks["docker"].text, "allow_http", "", 1))
	if a := r.from("172.17.0.1", r.loginRequest()); a == nil || a.Status != 400 || !strings.Contains(string(a.Body), "this endpoint needs HTTPS") {
		t.Errorf("without allow_http: %+v", a)
	}
}
