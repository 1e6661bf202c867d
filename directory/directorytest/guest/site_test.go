package guest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
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
	"github.com/caddygrant/caddy-grant/internal/realserver"
)

// site is a Caddy in this process. There is one at a time.
type site struct {
	t    *testing.T
	dir  string
	port int
}

func newSite(t *testing.T, lines string) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), port: freePort(t)}
	t.Setenv("XDG_DATA_HOME", s.dir)
	config, err := s.adapt(lines)
	if err != nil {
		t.Fatal(err)
	}
	s.load(config)
	return s
}

func (s *site) load(config []byte) {
	s.t.Helper()
	s.t.Cleanup(func() { _ = caddy.Stop() })
	if err := caddy.Load(config, true); err != nil {
		s.t.Fatal(err)
	}
	realserver.WaitForOldListeners(s.port)
	http.DefaultClient.CloseIdleConnections() // of the Caddy before
}

// adapt makes the config of a site whose token endpoint has these lines.
func (s *site) adapt(lines string) ([]byte, error) {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(fmt.Appendf(nil, `{
	admin off
	persist_config off
	skip_install_trust
	auto_https off
	storage file_system %[1]s/storage
	log default {
		output file %[1]s/log.json
		format json
	}
}
http://127.0.0.1:%[2]d {
	token_endpoint {
		%[3]s
		source_max_age 1s
		log_usernames
	}
	handle /app {
		bearer_auth
		respond "{http.auth.user.id} of {http.auth.user.client_id}"
	}
}
`, s.dir, s.port, lines), map[string]any{"filename": "Caddyfile"})
	return config, err
}

// answer is what there is to see of one.
type answer struct {
	status int
	body   string
	json   map[string]any
}

func (a answer) text(name string) string { text, _ := a.json[name].(string); return text }

func (a answer) want(t *testing.T, status int, code string) answer {
	t.Helper()
	if a.status != status || a.text("error") != code {
		t.Fatalf("%d %s, want %d %s", a.status, a.body, status, code)
	}
	return a
}

func (s *site) do(r *http.Request) (a answer) {
	s.t.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a.status, a.body = response.StatusCode, string(body)
	_ = json.Unmarshal(body, &a.json)
	return a
}

// post sends a form as the confidential client web, unless it names another.
func (s *site) post(path string, form ...string) answer {
	s.t.Helper()
	values := url.Values{"client_id": {"web"}, "client_secret": {"s3cret"}}
	for i := 0; i < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d%s", s.port, path), strings.NewReader(values.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.do(r)
}

func (s *site) login(username, password string, form ...string) answer {
	s.t.Helper()
	return s.post("/token", append([]string{"grant_type", "password", "username", username, "password", password}, form...)...)
}

func (s *site) refresh(token string) answer {
	s.t.Helper()
	return s.post("/token", "grant_type", "refresh_token", "refresh_token", token)
}

func (s *site) introspect(token string) answer {
	s.t.Helper()
	return s.post("/token/introspect", "token", token)
}

// app is a request with an access token.
func (s *site) app(token string) answer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/app", s.port), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return s.do(r)
}

// logged is the lines of the log that have all parts.
func (s *site) logged(parts ...string) (lines []string) {
	s.t.Helper()
	content, err := os.ReadFile(filepath.Join(s.dir, "log.json"))
	if err != nil {
		s.t.Fatal(err)
	}
next:
	for line := range strings.Lines(string(content)) {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				continue next
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// eventually waits for what takes a moment.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not so: %s", what)
		}
	}
}

// claims are those of an access token.
func claims(t *testing.T, token string) (claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("token %q", token)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		t.Fatalf("payload %q: %v", payload, err)
	}
	return claims
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
