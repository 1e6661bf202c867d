// Package integration tests caddy-grant in a real Caddy that listens on loopback.
package integration

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddygrant/caddy-grant"
)

// site is a Caddy in this process that serves one config. There is one at a time, since a
// process has one running config: tests that start one must not be parallel.
type site struct {
	t       *testing.T
	dir     string // of the test: %DIR% in configs
	port    int    // free when the test began: %PORT% in configs
	tlsPort int    // another one: %TLSPORT%
	client  *http.Client
}

// globalOptions keep the server off the machine: no admin API, nothing in the home.
const globalOptions = `{
	admin off
	persist_config off
	skip_install_trust
	https_port %TLSPORT%
	storage file_system "%DIR%/storage"
	log default {
		output file "%DIR%/log.json" {
			mode 0644
		}
		format json
		level DEBUG
	}
	%OPTIONS%
}
`

// start serves the sites of a Caddyfile until the test ends.
func start(t *testing.T, sites string) *site {
	t.Helper()
	s := newSite(t)
	s.reload("", sites)
	return s
}

// startWith does the same with more global options.
func startWith(t *testing.T, options, sites string) *site {
	t.Helper()
	s := newSite(t)
	s.reload(options, sites)
	return s
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), port: freePort(t), tlsPort: freePort(t)}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	s.client = &http.Client{Transport: transport, Timeout: time.Minute}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping Caddy: %v", err)
		}
	})
	return s
}

// reload changes the running config and fails the test if Caddy refuses it.
func (s *site) reload(options, sites string) {
	s.t.Helper()
	if err := s.tryReload(options, sites); err != nil {
		s.t.Fatalf("loading the config: %v", err)
	}
}

// tryReload changes the running config, even to an equal one.
func (s *site) tryReload(options, sites string) error {
	s.t.Helper()
	text := strings.Replace(globalOptions, "%OPTIONS%", options, 1) + sites
	config, err := adapt(s.expand(text))
	if err != nil {
		return err
	}
	return caddy.Load(config, true)
}

// expand replaces %DIR%, %PORT% and %TLSPORT%.
func (s *site) expand(text string) string {
	return strings.NewReplacer("%DIR%", s.dir, "%PORT%", strconv.Itoa(s.port), "%TLSPORT%", strconv.Itoa(s.tlsPort)).Replace(text)
}

// adapt turns a Caddyfile into JSON.
func adapt(caddyfile string) ([]byte, error) {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	return config, err
}

// write puts a file into the test's directory and returns its path.
func (s *site) write(name, content string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// address is the plain port's.
func (s *site) address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// url of a path on the plain port.
func (s *site) url(path string) string { return "http://" + s.address() + path }

// answer is a response, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
	json   map[string]any // nil if the body is not a JSON object
}

// do sends a request. While two configs overlap at a reload, Caddy resets connections that
// the old one had not accepted yet, and closes those that it had and that are new; those,
// and only those, are tried again.
func (s *site) do(r *http.Request) answer {
	s.t.Helper()
	response, err := s.client.Do(r)
	for try := 0; (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF)) && try < 3; try++ {
		if r.GetBody != nil {
			r.Body, _ = r.GetBody()
		}
		response, err = s.client.Do(r)
	}
	if err != nil {
		s.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatalf("reading the answer of %s %s: %v", r.Method, r.URL, err)
	}
	a := answer{status: response.StatusCode, header: response.Header, body: body}
	_ = json.Unmarshal(body, &a.json)
	return a
}

// request makes a request with a body and headers, given as "Name: value". A form is
// assumed where a body has no Content-Type.
func (s *site) request(method, path, body string, headers ...string) *http.Request {
	s.t.Helper()
	target := path
	if strings.HasPrefix(path, "/") {
		target = s.url(path)
	}
	r, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if http.CanonicalHeaderKey(name) == "Content-Type" {
			r.Header.Del("Content-Type")
		}
		r.Header.Add(name, value)
	}
	return r
}

// post sends a body to a path.
func (s *site) post(path, body string, headers ...string) answer {
	s.t.Helper()
	return s.do(s.request(http.MethodPost, path, body, headers...))
}

// login asks for a token with the password grant, as the client "web" with the secret
// "web-secret" of most configs here. Pairs of names and values are added to the form, or
// replace what is in it; an empty value takes a parameter out.
func (s *site) login(username, password string, pairs ...string) answer {
	s.t.Helper()
	form := url.Values{
		"grant_type": {"password"}, "username": {username}, "password": {password},
		"client_id": {"web"}, "client_secret": {"web-secret"},
	}
	for i := 0; i < len(pairs); i += 2 {
		if form.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			form.Del(pairs[i])
		}
	}
	return s.post("/token", form.Encode())
}

// basic is an Authorization header; id and secret are used as they are.
func basic(id, secret string) string {
	r := http.Request{Header: make(http.Header)}
	r.SetBasicAuth(id, secret)
	return "Authorization: " + r.Header.Get("Authorization")
}

// want fails the test unless the answer has that status and, if code is not empty, that
// error code.
func (a answer) want(t *testing.T, status int, code string) {
	t.Helper()
	got, _ := a.json["error"].(string)
	if a.status != status || got != code {
		t.Fatalf("got %d %q, want %d %q; body: %s", a.status, got, status, code, a.body)
	}
}

// text is a member of the JSON answer that must be a string.
func (a answer) text(t *testing.T, member string) string {
	t.Helper()
	value, ok := a.json[member].(string)
	if !ok {
		t.Fatalf("%s is not a string in %s", member, a.body)
	}
	return value
}

// logged returns the log lines so far for which keep is true.
func (s *site) logged(keep func(line map[string]any) bool) []map[string]any {
	s.t.Helper()
	content, err := os.ReadFile(filepath.Join(s.dir, "log.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	var lines []map[string]any
	scanner := bufio.NewScanner(bytes.NewReader(content))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var line map[string]any
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			s.t.Fatalf("log line is not JSON: %s", scanner.Bytes())
		}
		if keep(line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// rawLog is the whole log.
func (s *site) rawLog() string {
	s.t.Helper()
	content, err := os.ReadFile(filepath.Join(s.dir, "log.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(content)
}

// eventually waits until ok is true, for at most a minute and a half: within a minute all
// nodes follow a rotation, and machines can be slow.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("still not so: %s", what)
}

// Hashes of "correct horse", made by the tools of their names.
const (
	hashArgon2id = `$argon2id$v=19$m=47104,t=1,p=1$XpGAlxhBAzCw0tXVRWgB9A$K2/RtPx/qbRuCc8ACsfATUO3bF+Iy9ZbHRCGMRZoPU0`
	hashBcrypt   = `$2y$10$Ve7VhkpZV0UByf3CMebBJuo8MDfBvv6jpjBvBuj51me/1o5bfBHS.`
)

// basicSite has two clients and two users.
const basicSite = `http://127.0.0.1:%PORT% {
	log
	token_endpoint {
		scopes read write admin
		client web {
			secret web-secret
			scopes read write
		}
		client cli {
			public
		}
		user alice ` + hashBcrypt + `
		user bob ` + hashArgon2id + ` {
			id     u-2
			scopes read
			claim  email bob@example.com
		}
	}
	respond "the app"
}
`
