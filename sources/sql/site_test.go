package sql_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddygrant/caddy-grant"
	"github.com/caddygrant/caddy-grant/directory/directorytest"
	"github.com/caddygrant/caddy-grant/internal/realserver"
)

// site is a Caddy in this process, with a token endpoint and an app behind bearer_auth.
// There is one at a time.
type site struct {
	t    *testing.T
	dir  string
	port int
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), port: freePort(t)}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping Caddy: %v", err)
		}
	})
	return s
}

// options are those of every Caddy of these tests, which logs to a file.
func (s *site) options() string {
	return fmt.Sprintf(`{
	admin off
	persist_config off
	skip_install_trust
	auto_https off
	storage file_system "%[1]s/storage"
	log default {
		output file "%[1]s/log.json"
		format json
		level DEBUG
	}
}
`, s.dir)
}

// maxAge is short here, so that tests do not wait for it.
const maxAge = time.Second

// adapt makes a config of the lines of a token_endpoint. Those for the client may be
// left out.
func (s *site) adapt(lines string) ([]byte, error) {
	s.t.Helper()
	if !strings.Contains(lines, "clients sql") {
		lines += "\nclient app {\npublic\n}\n"
	}
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(fmt.Appendf(nil, `%s
http://127.0.0.1:%d {
	token_endpoint {
		%s
		source_max_age %v
		throttle off
		password_checks {
			cache off
		}
	}
	bearer_auth
	respond "{http.auth.user.id} {http.auth.user.scope}"
}
`, s.options(), s.port, lines, maxAge), map[string]any{"filename": "Caddyfile"})
	return config, err
}

// load starts Caddy, or reloads its config.
func (s *site) load(lines string) error {
	s.t.Helper()
	config, err := s.adapt(lines)
	if err != nil {
		return err
	}
	defer realserver.WaitForOldListeners(s.port)
	return caddy.Load(config, true)
}

func (s *site) mustLoad(lines string) {
	s.t.Helper()
	if err := s.load(lines); err != nil {
		s.t.Fatal(err)
	}
}

// client makes a connection for each request, since a reload closes those that are
// idle.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// answer is what there is to see of one.
type answer struct {
	status         int
	code           string // the error
	access, fresh  string // tokens
	body, retry    string
	authentication string // the challenge
}

func (a answer) String() string { return strings.TrimSpace(fmt.Sprintf("%d %s", a.status, a.code)) }

func (s *site) post(path string, form url.Values) answer {
	s.t.Helper()
	if !form.Has("client_id") {
		form.Set("client_id", "app")
	}
	request, err := http.NewRequest(http.MethodPost, s.url(path), strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.do(request)
}

func (s *site) url(path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", s.port, path) }

func (s *site) do(request *http.Request) answer {
	s.t.Helper()
	response, err := client.Do(request)
	if err != nil {
		s.t.Errorf("%s %s: %v", request.Method, request.URL, err)
		return answer{}
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	var of struct {
		Error   string `json:"error"`
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	_ = json.Unmarshal(body, &of)
	return answer{
		response.StatusCode, of.Error, of.Access, of.Refresh, string(body), response.Header.Get("Retry-After"),
		response.Header.Get("WWW-Authenticate"),
	}
}

func (s *site) login(name, password string, more ...string) answer {
	s.t.Helper()
	form := url.Values{"grant_type": {"password"}, "username": {name}, "password": {password}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return s.post("/token", form)
}

// enter logs in and must succeed.
func (s *site) enter(name string) answer {
	s.t.Helper()
	a := s.login(name, directorytest.Password)
	if a.status != http.StatusOK {
		s.t.Fatalf("login of %s: %s", name, a)
	}
	return a
}

func (s *site) refresh(token string) answer {
	s.t.Helper()
	return s.post("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// app asks for what is behind bearer_auth.
func (s *site) app(token string) answer {
	s.t.Helper()
	request, err := http.NewRequest(http.MethodGet, s.url("/"), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	return s.do(request)
}

func want(t *testing.T, what string, got answer, expected string) {
	t.Helper()
	if got.String() != expected {
		t.Errorf("%s: %s, want %s", what, got, expected)
	}
}

// becomes asks until the answer is as expected, and tells how long that took.
func becomes(t *testing.T, what string, limit time.Duration, expected string, ask func() answer) time.Duration {
	t.Helper()
	begun := time.Now()
	for {
		got := ask()
		if got.String() == expected {
			return time.Since(begun)
		}
		if time.Since(begun) > limit {
			t.Fatalf("%s: still %s after %v, want %s", what, got, limit, expected)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (s *site) log() string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "log.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// logged waits for a line of the log that has all the parts.
func (s *site) logged(parts ...string) string {
	s.t.Helper()
	for range 50 {
		lines := bufio.NewScanner(strings.NewReader(s.log()))
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			has := true
			for _, part := range parts {
				has = has && strings.Contains(lines.Text(), part)
			}
			if has {
				return lines.Text()
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Errorf("no line of the log has %q:\n%s", parts, s.log())
	return ""
}

// keeps fails if one of the secrets is in a text.
func keeps(t *testing.T, where, text string, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%s: %q is in %s", where, secret, text)
		}
	}
}
