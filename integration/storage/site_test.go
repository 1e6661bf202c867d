// Package storage runs caddy-grant in a real Caddy on storages that are plugins, with
// the real thing behind them. It is a module of its own, so that what the plugins need
// is nothing that caddy-grant needs.
package storage

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

	_ "github.com/pberkel/caddy-storage-redis"

	_ "github.com/caddygrant/caddy-grant"
	"github.com/caddygrant/caddy-grant/internal/realserver"
)

// site is a Caddy in this process. There is one at a time.
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

// load starts Caddy with the lines of a storage, or reloads its config.
func (s *site) load(storage string) error {
	s.t.Helper()
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(fmt.Appendf(nil, `{
	admin off
	persist_config off
	skip_install_trust
	auto_https off
	%s
	log default {
		output file "%s/log.json"
		format json
	}
}
http://127.0.0.1:%d {
	token_endpoint {
		client app {
			public
		}
		user alice {SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=
		allow_weak_hashes
		throttle off
	}
}
`, storage, s.dir, s.port), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() {
		realserver.WaitForOldListeners(s.port)
		http.DefaultClient.CloseIdleConnections()
	}()
	return caddy.Load(config, true)
}

// answer is what there is to see of one.
type answer struct {
	status  int
	code    string // the error
	refresh string
	retry   string
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.code) }

// send posts a form. The error is of a connection that gave no whole answer.
func (s *site) send(path string, form url.Values) (answer, error) {
	form.Set("client_id", "app")
	response, err := http.PostForm(fmt.Sprintf("http://127.0.0.1:%d%s", s.port, path), form)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	var of struct {
		Error   string `json:"error"`
		Refresh string `json:"refresh_token"`
	}
	_ = json.Unmarshal(body, &of)
	return answer{response.StatusCode, of.Error, of.Refresh, response.Header.Get("Retry-After")}, nil
}

func (s *site) post(path string, form url.Values) answer {
	s.t.Helper()
	a, err := s.send(path, form)
	if err != nil {
		s.t.Errorf("POST %s: %v", path, err)
	}
	return a
}

func loginForm() url.Values {
	return url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {"password"}}
}

func refreshForm(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
}

func (s *site) login() string {
	s.t.Helper()
	a := s.post("/token", loginForm())
	if a.status != http.StatusOK {
		s.t.Fatalf("login: %s", a)
	}
	return a.refresh
}

func (s *site) refresh(token string) answer {
	s.t.Helper()
	return s.post("/token", refreshForm(token))
}

// refreshWhenUp tries again, as a client does that is told to: the plugin's own client
// takes a while to find the server.
func (s *site) refreshWhenUp(token string) (a answer) {
	s.t.Helper()
	for range 60 {
		if a = s.refresh(token); a.status != http.StatusServiceUnavailable {
			return a
		}
		time.Sleep(250 * time.Millisecond)
	}
	return a
}

func (s *site) revoke(token string) answer {
	s.t.Helper()
	return s.post("/token/revoke", url.Values{"token": {token}})
}

// session logs in and refreshes some times. It returns all refresh tokens, the current
// one last.
func (s *site) session(refreshes int) []string {
	s.t.Helper()
	tokens := []string{s.login()}
	for range refreshes {
		a := s.refresh(tokens[len(tokens)-1])
		if a.status != http.StatusOK {
			s.t.Fatalf("refresh: %s", a)
		}
		tokens = append(tokens, a.refresh)
	}
	return tokens
}

// awaitLog waits for a line of the log.
func (s *site) awaitLog(parts ...string) {
	s.t.Helper()
	for range 200 {
		file, err := os.Open(filepath.Join(s.dir, "log.json"))
		if err != nil {
			s.t.Fatal(err)
		}
		lines := bufio.NewScanner(file)
		found := false
		for lines.Scan() {
			has := true
			for _, part := range parts {
				has = has && strings.Contains(lines.Text(), part)
			}
			found = found || has
		}
		file.Close()
		if found {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Errorf("no line of the log has %q", parts)
}
