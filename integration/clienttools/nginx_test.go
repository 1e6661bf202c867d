package clienttools

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// nginxConfig is around a recipe, and keeps nginx in a directory.
const nginxConfig = `daemon off;
worker_processes 1;
pid %DIR%/nginx.pid;
error_log stderr;
events {
}
http {
	access_log off;
	client_body_temp_path %DIR%/body;
	proxy_temp_path %DIR%/proxy;
	fastcgi_temp_path %DIR%/fastcgi;
	uwsgi_temp_path %DIR%/uwsgi;
	scgi_temp_path %DIR%/scgi;
	%HTTP%
}
`

// startNginx runs Debian's nginx with a recipe for its http block.
func startNginx(t *testing.T, address, config string) {
	t.Helper()
	dir := t.TempDir()
	text := strings.ReplaceAll(strings.Replace(nginxConfig, "%HTTP%", config, 1), "%DIR%", dir)
	text = strings.ReplaceAll(text, "/etc/nginx", dir)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text, "ssl_certificate") {
		certificate(t, dir)
	}
	args := []string{nginx(t), "-p", dir, "-e", "stderr", "-c", filepath.Join(dir, "nginx.conf")}
	if os.Getuid() == 0 { // else its workers are nobody's, who cannot write there
		args = append(args, "-g", "user root;")
	}
	daemon(t, dir, address, args...)
}

// nginx is where Debian has it, which is not in the path of every user.
func nginx(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("nginx"); err == nil {
		return path
	}
	return "/usr/sbin/nginx"
}

// certificate makes the files of the recipe with openssl.
func certificate(t *testing.T, dir string) {
	t.Helper()
	printed, err := command(t, dir, nil, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
		"-subj", "/CN=api.example.com", "-days", "1", "-keyout", "api.example.com.key", "-out", "api.example.com.crt")
	if err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
}

// proxiedSite is Caddy's sites of a recipe, an app, and a proxy that asks the one
// before it sends a request to the other.
type proxiedSite struct {
	*harness.Site
	app     *harness.App
	address string // the proxy's
	sites   string // Caddy's
	client  *http.Client
}

func startNginxSite(t *testing.T) *proxiedSite {
	t.Helper()
	s := &proxiedSite{Site: harness.NewSite(t), app: harness.NewApp(t), address: freeAddress(t)}
	endpoint, check := harness.FreePort(t), harness.FreePort(t)
	options, sites := split(t, recipe(t, "nginx-caddy",
		":9080", fmt.Sprint(":", endpoint), ":9081", fmt.Sprint(":", check), "/etc/caddy", etc(t)))
	s.sites = sites
	s.Reload(options, sites)
	startNginx(t, s.address, recipe(t, "nginx-server",
		"listen 443 ssl", "listen "+s.address+" ssl", "127.0.0.1:9000", s.app.In("%APP%"),
		":9080", fmt.Sprint(":", endpoint), ":9081", fmt.Sprint(":", check)))
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(transport.CloseIdleConnections)
	s.client = &http.Client{Transport: transport, Timeout: harness.Patience}
	return s
}

// ask sends a request to the proxy, with the path as it is written.
func (s *proxiedSite) ask(t *testing.T, method, path, body string, headers ...string) harness.Answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "https://"+s.address+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.URL.Opaque = "//" + s.address + path
	request.Host = "api.example.com"
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header[name] = append(request.Header[name], value) // as it is spelled
	}
	response, err := s.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var content bytes.Buffer
	if _, err := io.Copy(&content, response.Body); err != nil {
		t.Fatal(err)
	}
	return harness.Answer{Status: response.StatusCode, Header: response.Header, Body: content.Bytes()}
}

// token logs in through the proxy and returns the header with the token.
func (s *proxiedSite) token(t *testing.T, scope string) string {
	t.Helper()
	form := url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {password}, "scope": {scope}}
	a := s.ask(t, "POST", "/token", form.Encode(), harness.FormType, harness.Basic("web", "web-secret"))
	_, rest, found := strings.Cut(string(a.Body), `"access_token":"`)
	if a.Status != 200 || !found {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	token, _, _ := strings.Cut(rest, `"`)
	return "Authorization: Bearer " + token
}

// nginx asks Caddy about every request, and the app gets what was let through, with the
// user's name and without the token.
func TestNginxAsksAboutEveryRequest(t *testing.T) {
	need(t, "openssl")
	s := startNginxSite(t)
	reader, writer := s.token(t, "contacts.read"), s.token(t, "contacts.read contacts.write")

	a := s.ask(t, "GET", "/contacts?q=1", "", reader)
	if got := s.app.One(t); a.Status != 200 || got.URI != "/contacts?q=1" || got.Header.Get("Authorization") != "" {
		t.Errorf("%d: the app got %+v", a.Status, got)
	} else {
		got.WantIdentity(t, "X-User", "alice")
	}
	a = s.ask(t, "POST", "/contacts", "a body", writer)
	if got := s.app.One(t); a.Status != 200 || got.Method != "POST" || got.Body != "a body" {
		t.Errorf("%d: the app got %+v", a.Status, got)
	}
	if a := s.ask(t, "HEAD", "/contacts", "", reader); a.Status != 200 || s.app.One(t).Method != "HEAD" {
		t.Errorf("HEAD: %d", a.Status)
	}

	// an identity of the client's own never arrives, in whatever spelling
	for _, name := range []string{"X-User", "x-user", "X_User", "X.User", "X-USER"} {
		for path, want := range map[string]string{"/contacts": "alice", "/healthz": ""} {
			headers := []string{name + ": mallory"}
			if want != "" {
				headers = append(headers, reader)
			}
			if a := s.ask(t, "GET", path, "", headers...); a.Status != 200 {
				t.Errorf("%s %s: %d", name, path, a.Status)
			} else {
				s.app.One(t).WantIdentity(t, "X-User", want)
			}
		}
	}
}

// What Caddy refuses does not reach the app, and the client gets Caddy's status,
// challenge and time to wait.
func TestNginxPassesRefusalsOn(t *testing.T) {
	need(t, "openssl")
	s := startNginxSite(t)
	reader := s.token(t, "contacts.read")
	for _, test := range []struct {
		method, path, token string
		status              int
		challenge           string
	}{
		{"GET", "/contacts", "", 401, `Bearer realm="default"`},
		{"GET", "/contacts", "Authorization: Bearer x", 401, `Bearer realm="default", error="invalid_token"`},
		{"GET", "/contacts", "Authorization: Basic eDp5", 401, `Bearer realm="default"`},
		{"POST", "/contacts", reader, 403, `Bearer realm="default", error="insufficient_scope", scope="contacts.write"`},
		{"DELETE", "/contacts", reader, 403, `Bearer realm="default", error="insufficient_scope", scope="contacts.write"`},
		{"GET", "/contacts?access_token=x", "", 400, `Bearer realm="default", error="invalid_request"`},
		{"GET", "/contacts", "Authorization: Bearer", 400, `Bearer realm="default", error="invalid_request"`},
		// the check sees the path as it is written, as the app does
		{"GET", "/healthz/../contacts", "", 401, `Bearer realm="default"`},
		{"GET", "/healthz/%2e%2e/contacts", "", 401, `Bearer realm="default"`},
		{"GET", "/healthz%2f..%2fcontacts", "", 401, `Bearer realm="default"`},
		{"GET", "/contacts/../healthz", "", 401, `Bearer realm="default"`},
		{"GET", "//healthz", "", 401, `Bearer realm="default"`},
		// and nobody can ask nginx for the answer alone
		{"GET", "/_check", reader, 404, ""},
		{"GET", "/_check", "", 404, ""},
	} {
		var headers []string
		if test.token != "" {
			headers = append(headers, test.token)
		}
		a := s.ask(t, test.method, test.path, "", headers...)
		if challenge := strings.Join(a.Header.Values("WWW-Authenticate"), "|"); a.Status != test.status || challenge != test.challenge {
			t.Errorf("%s %s with %.25q: %d %q, want %d %q", test.method, test.path, test.token, a.Status, challenge, test.status, test.challenge)
		}
	}
	if s.app.Reached() {
		t.Errorf("the app received %+v", s.app.Take())
	}

	// a Caddy that cannot check, and then none at all
	unavailable := strings.Replace(s.sites, "\troute {\n", "\troute {\n\t\theader Retry-After 7\n\t\terror 503\n", 1)
	s.Reload("", unavailable)
	if a := s.ask(t, "GET", "/contacts", "", reader); a.Status != 503 || a.Header.Get("Retry-After") != "7" {
		t.Errorf("a check that is not possible: %d %v", a.Status, a.Header)
	}
	s.Reload("", "http://127.0.0.1:%PORT% {\n\trespond hello\n}\n")
	if a := s.ask(t, "GET", "/contacts", "", reader); a.Status != 503 {
		t.Errorf("without Caddy: %d", a.Status)
	}
	if s.app.Reached() {
		t.Errorf("the app received %+v", s.app.Take())
	}
}

// The endpoint counts failures for the client's own address: nginx names it, and what
// the client claims counts for nothing.
func TestNginxNamesTheClientsAddress(t *testing.T) {
	need(t, "openssl")
	s := startNginxSite(t)
	from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 5)}}
	s.client.Transport.(*http.Transport).DialContext = from.DialContext
	form := harness.UserForm("username", "alice", "password", harness.WrongPassword())
	s.ask(t, "POST", "/token", form, harness.FormType, harness.Basic("web", "web-secret"), "X-Forwarded-For: 203.0.113.9")
	if address := s.LastRefusal()["client_ip"]; address != "127.0.0.5" {
		t.Errorf("the client's address is %v", address)
	}
}
