package session

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	engine "github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/sessionstest"
)

// engineSite is a site whose sessions may live in an engine in memory, which the test's
// configs call %ENGINE%. Its edge learns soon of what other nodes revoke.
type engineSite struct {
	*harness.Site
	name   string // of the engine's server
	text   string
	memory *sessionstest.Memory
}

// newEngineSite serves nothing until reload.
func newEngineSite(t *testing.T) *engineSite {
	t.Helper()
	text := strings.Replace(harness.SessionConfig(t, "%SETTINGS%"), "revocation_poll 5m", "revocation_poll 100ms", 1)
	return &engineSite{Site: harness.NewSite(t), name: t.Name(), text: text, memory: harness.Memory(t.Name())}
}

// onEngine serves a site with these lines of the endpoint.
func onEngine(t *testing.T, settings string) *engineSite {
	t.Helper()
	s := newEngineSite(t)
	s.reload(settings)
	return s
}

func (s *engineSite) config(settings string) string {
	return strings.Replace(s.text, "%SETTINGS%", strings.ReplaceAll(settings, "%ENGINE%", "memory "+s.name), 1)
}

// reload changes the lines, and returns when requests go to the new config.
func (s *engineSite) reload(settings string) {
	s.T.Helper()
	s.Reload("", s.config(settings))
	s.settle()
}

// settle is that of all sites, also where a login is answered 503.
func (s *engineSite) settle() {
	s.T.Helper()
	s.Client.CloseIdleConnections()
	s.Relogin("alice", "correct horse")
}

// folder is the authorization server's in the storage.
func (s *engineSite) folder() string {
	s.T.Helper()
	paths, err := filepath.Glob(filepath.Join(harness.StorageOf(s.Site), "grant", "default-*"))
	if err != nil || len(paths) != 1 {
		s.T.Fatalf("the storage has %v: %v", paths, err)
	}
	return filepath.Base(paths[0])
}

// elsewhere is another node of the same server, as far as the engine is concerned.
func (s *engineSite) elsewhere() *sessionstest.Node {
	s.T.Helper()
	node := s.memory.Open("default")
	s.T.Cleanup(func() { node.Close() })
	return node
}

// inEngine is the ID of a token's session as the engine has it.
func inEngine(t *testing.T, token string) engine.ID {
	t.Helper()
	parts := strings.Split(harness.TextClaim(t, token, "sid"), "-")
	if len(parts) != 4 || parts[2] != "memory" {
		t.Fatalf("sid %q", parts)
	}
	id, ok := engine.ParseID(parts[0] + "-" + parts[1] + "-" + parts[3])
	if !ok {
		t.Fatalf("sid %q", parts)
	}
	return id
}

// livesIn fails the test unless a token's session lives there, "" being the storage.
func livesIn(t *testing.T, token, engine string) {
	t.Helper()
	sid := harness.TextClaim(t, token, "sid")
	parts := strings.Split(sid, "-")
	if in := strings.Join(parts[2:min(3, len(parts))], ""); in != engine {
		t.Fatalf("%s lives in %q, want %q", sid, in, engine)
	}
}

// wantUnavailable fails the test unless whatever asks for a session is answered 503, and
// the log says what to do about it.
func (s *engineSite) wantUnavailable(session harness.TokenPair, remedy string) {
	s.T.Helper()
	for name, ask := range map[string]func() harness.Answer{
		"refresh":               func() harness.Answer { return s.Web().Refresh(session.Refresh) },
		"introspection":         func() harness.Answer { return s.Web().Introspect(session.Refresh) },
		"introspection, access": func() harness.Answer { return s.Web().Introspect(session.Access) },
		"revocation":            func() harness.Answer { return s.Web().Revoke(session.Refresh) },
		"bearer_auth": func() harness.Answer {
			return s.Do(s.Request(http.MethodGet, "/app", "", harness.Bearer(session.Access)))
		},
	} {
		before := len(s.errors())
		a := ask()
		code, _ := a.JSON["error"].(string)
		if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || name != "bearer_auth" && code != "temporarily_unavailable" {
			s.T.Errorf("%s: got %d %s, Retry-After %q", name, a.Status, a.Body, a.Header.Get("Retry-After"))
		}
		if lines := strings.Join(s.errors()[before:], "\n"); !strings.Contains(lines, `add "`+remedy+`"`) {
			s.T.Errorf("%s: no %q in the log: %s", name, remedy, lines)
		}
		if reason := s.LastReason(); name == "bearer_auth" && reason != "its session is in an engine that the config does not know" {
			s.T.Errorf("bearer_auth: the reason is %q", reason)
		}
	}
}

// errors are the lines of the log at the level of errors, as they are.
func (s *engineSite) errors() (lines []string) {
	s.T.Helper()
	for _, line := range s.Logged(func(line map[string]any) bool { return line["level"] == "error" }) {
		text, err := json.Marshal(line)
		if err != nil {
			s.T.Fatal(err)
		}
		lines = append(lines, strings.ReplaceAll(string(text), `\"`, `"`))
	}
	return lines
}

// awaitError waits for an error in the log that has all of the texts.
func (s *engineSite) awaitError(texts ...string) {
	s.T.Helper()
	harness.Eventually(s.T, "the log has "+strings.Join(texts, ", "), func() bool {
		for _, line := range s.errors() {
			has := true
			for _, text := range texts {
				has = has && strings.Contains(line, text)
			}
			if has {
				return true
			}
		}
		return false
	})
}

// validate is what `caddy validate` does.
func (s *engineSite) validate(settings string) error {
	s.T.Helper()
	adapted, err := harness.Adapt(s.Expand(harness.WithoutPKI + s.config(settings)))
	if err != nil {
		return err
	}
	var config caddy.Config
	if err := json.Unmarshal(adapted, &config); err != nil {
		s.T.Fatal(err)
	}
	return caddy.Validate(&config)
}

// stored are the paths of what the storage has of sessions, but for notes of who owns
// them.
func (s *engineSite) stored() (found []string) {
	s.T.Helper()
	for _, pattern := range []string{"sessions/*/*", "revocations/*/*"} {
		paths, err := filepath.Glob(filepath.Join(harness.StorageOf(s.Site), "grant", "*", pattern))
		if err != nil {
			s.T.Fatal(err)
		}
		found = append(found, paths...)
	}
	return found
}
