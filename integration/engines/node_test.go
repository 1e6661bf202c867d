package engines

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/realserver"
)

// fleet is Caddy processes, its nodes, that share a storage. Each serves two authorization
// servers: one with a grace, and one without.
type fleet struct {
	t       *testing.T
	storage string
	hash    string // of the password "password"; the same on all nodes, since `cver` comes from it
}

// node is one of them. Methods that have no T end no test, and may be called by any
// goroutine.
type node struct {
	*harness.Site
	fleet    *fleet
	admin    string
	process  *harness.Process
	config   string // path
	reloaded int
}

// servers are the paths of the endpoints, with what bearer_auth checks for each.
const (
	withGrace, withoutGrace = "/token", "/strict"
	nodeSite                = `{
	admin %ADMIN%
	persist_config off
	storage file_system "%STORAGE%"
}
http://127.0.0.1:%PORT% {
	token_endpoint {
		refresh_grace 2m
		%LINES%
	}
	token_endpoint /strict {
		name strict
		%LINES%
	}
	bearer_auth /app/token
	bearer_auth /app/strict strict
	respond "the app"
}
`
	serverLines = `client web {
			secret web-secret
		}
		user alice %HASH%
		throttle off
		revocation_poll 200ms
		access_token_ttl %TTL%
		sessions %SESSIONS%`
)

func newFleet(t *testing.T) *fleet {
	t.Helper()
	need(t)
	return &fleet{t: t, storage: filepath.Join(t.TempDir(), "storage"), hash: harness.CheapHash(t, "password")}
}

// start starts a node whose sessions live there, such as "redis redis://127.0.0.1:6379".
func (f *fleet) start(sessions string) *node {
	f.t.Helper()
	n := &node{Site: harness.NewSite(f.t), fleet: f, admin: fmt.Sprintf("127.0.0.1:%d", harness.FreePort(f.t))}
	n.Client.Transport.(*http.Transport).MaxIdleConnsPerHost = 64 // else most of many requests at a time open a connection each
	n.configure(sessions)
	n.restart()
	return n
}

// configure writes a config, another one each time.
func (n *node) configure(sessions string) (text string) {
	n.fleet.t.Helper()
	n.reloaded++
	text = n.Expand(strings.NewReplacer("%LINES%", serverLines).Replace(nodeSite))
	text = strings.NewReplacer("%ADMIN%", n.admin, "%STORAGE%", n.fleet.storage, "%HASH%", n.fleet.hash,
		"%TTL%", fmt.Sprintf("%dm", 10+n.reloaded%2), "%SESSIONS%", sessions).Replace(text)
	n.config = n.Write("node.caddyfile", text)
	return text
}

// restart starts a node that is not running, and returns when its config does.
func (n *node) restart() {
	n.fleet.t.Helper()
	n.Client.CloseIdleConnections()
	n.process = harness.StartQuickProcess(n.fleet.t, n.config)
}

// errors are the last lines of the node's log that have an error.
func (n *node) errors() string {
	var lines []string
	for line := range strings.Lines(n.process.Printed()) {
		if strings.Contains(line, `"error":`) && !strings.Contains(line, "http.log") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-5):], "")
}

// kill ends the node as when its machine fails.
func (n *node) kill() { n.process.Kill() }

// reload changes where sessions live, or another setting.
func (n *node) reload(sessions string) {
	n.fleet.t.Helper()
	r, err := http.NewRequestWithContext(n.fleet.t.Context(), http.MethodPost, "http://"+n.admin+"/load", strings.NewReader(n.configure(sessions)))
	if err != nil {
		n.fleet.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "text/caddyfile")
	response, err := n.Client.Do(r)
	if err != nil {
		n.fleet.t.Fatalf("reloading: %v\n%s", err, n.process.Printed())
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK {
		n.fleet.t.Fatalf("reloading: %d %s", response.StatusCode, body)
	}
	realserver.WaitForOldListeners(n.Port)
	n.Client.CloseIdleConnections()
}

// tokens are what a login or a refresh gave, and what the refresh token says of itself.
type tokens struct {
	server          string // its path
	access, refresh string
	session         string // `sid`
	generation      uint64 // `gen`
}

// answer is what there is to see of one.
type answer struct {
	status int
	code   string // the error
	text   string
	tokens tokens // of a success
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.text) }

func (a answer) unavailable() bool { return a.status == http.StatusServiceUnavailable }

func (a answer) refused() bool {
	return a.status == http.StatusBadRequest && a.code == "invalid_grant"
}

// ask sends a form as the client, once. The error is of a request that got no whole
// answer.
func (n *node) ask(server, endpoint string, pairs ...string) (answer, error) {
	form := url.Values{"client_id": {"web"}, "client_secret": {"web-secret"}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	response, err := n.Client.PostForm(n.URL(server+endpoint), form)
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
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal(body, &of); err != nil {
		return answer{}, fmt.Errorf("an answer without JSON: %d %s", response.StatusCode, body)
	}
	a := answer{status: response.StatusCode, code: of.Error, text: strings.TrimSpace(string(body))}
	if a.unavailable() && response.Header.Get("Retry-After") == "" {
		return a, fmt.Errorf("503 without Retry-After: %s", body)
	}
	if of.Refresh != "" {
		a.text = "with tokens"
		a.tokens, err = read(server, of.Access, of.Refresh)
	}
	return a, err
}

func read(server, access, refresh string) (tokens, error) {
	tk := tokens{server: server, access: access, refresh: refresh}
	parts := strings.Split(refresh, ".")
	if len(parts) != 3 || access == "" {
		return tk, errors.New("no tokens in an answer")
	}
	decoded, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return tk, err
	}
	var claims struct {
		Session    string `json:"sid"`
		Generation uint64 `json:"gen"`
	}
	err = json.Unmarshal(decoded, &claims)
	tk.session, tk.generation = claims.Session, claims.Generation
	return tk, err
}

func (n *node) tryLogin(server string) (answer, error) {
	return n.ask(server, "", "grant_type", "password", "username", "alice", "password", "password")
}

func (n *node) tryRefresh(tk tokens) (answer, error) {
	return n.ask(tk.server, "", "grant_type", "refresh_token", "refresh_token", tk.refresh)
}

func (n *node) tryRevoke(tk tokens) (answer, error) {
	return n.ask(tk.server, "/revoke", "token", tk.refresh)
}

// settled asks until there is an answer other than 503, as clients should.
func settled(ask func() (answer, error)) (a answer, err error) {
	for deadline := time.Now().Add(watchdog); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if a, err = ask(); err == nil && !a.unavailable() {
			return a, nil
		}
	}
	return a, errors.Join(fmt.Errorf("no answer, at last %s", a), err)
}

// logIn begins a session.
func (n *node) logIn(server string) (tokens, error) {
	a, err := settled(func() (answer, error) { return n.tryLogin(server) })
	if err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("logging in: %s", a)
	}
	return a.tokens, err
}

// refresh exchanges a token that is good.
func (n *node) refresh(tk tokens) (tokens, error) {
	a, err := settled(func() (answer, error) { return n.tryRefresh(tk) })
	if err == nil && (a.status != http.StatusOK || a.tokens.session != tk.session || a.tokens.generation != tk.generation+1) {
		err = fmt.Errorf("refresh with generation %d of %s: %s", tk.generation, tk.session, a)
	}
	return a.tokens, err
}

// refuses is nil if a refresh token is worth nothing.
func (n *node) refuses(tk tokens) error {
	a, err := settled(func() (answer, error) { return n.tryRefresh(tk) })
	if err == nil && !a.refused() {
		err = fmt.Errorf("refresh with generation %d of %s: %s, want invalid_grant", tk.generation, tk.session, a)
	}
	return err
}

// revoke ends a session.
func (n *node) revoke(tk tokens) error {
	a, err := settled(func() (answer, error) { return n.tryRevoke(tk) })
	if err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("revoking: %s", a)
	}
	return err
}

// edge is the status that an access token gets from bearer_auth, 0 without an answer.
func (n *node) edge(tk tokens) int {
	r, err := http.NewRequest(http.MethodGet, n.URL("/app"+tk.server), nil)
	if err != nil {
		return 0
	}
	r.Header.Set("Authorization", "Bearer "+tk.access)
	response, err := n.Client.Do(r)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

// edgesRefuse waits until the edges of all nodes refuse what belongs to sessions that are
// over.
func edgesRefuse(t *testing.T, nodes []*node, over []tokens) {
	t.Helper()
	for i, n := range nodes {
		harness.Eventually(t, fmt.Sprintf("the edge of node %d refuses %d tokens", i, len(over)), func() bool {
			for _, tk := range over {
				if n.edge(tk) != http.StatusUnauthorized {
					return false
				}
			}
			return true
		})
	}
}

// wanted returns a function that takes what a node gives, or ends the test.
func wanted(t *testing.T) func(tokens, error) tokens {
	return func(tk tokens, err error) tokens {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return tk
	}
}

// watchdog is longer than anything may take here.
const watchdog = 3 * time.Minute
