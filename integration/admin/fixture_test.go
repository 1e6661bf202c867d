// Package admin tests the admin API and its commands as operators use them: real Caddy
// processes that share a storage, and `caddy grant` as a process of its own.
package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// site is what a node serves. %LINES% is for more of the endpoint.
const site = `{
	admin %ADMIN%
	persist_config off
	storage file_system "%STORAGE%"
	log default {
		output file "%DIR%/log.json"
		format json
	}
}
http://127.0.0.1:%PORT%, http://localhost:%PORT% {
	token_endpoint {
		issuer https://auth.example.com
		client web {
			secret web-secret
		}
		client mobile {
			secret mobile-secret
		}
		client public {
			public
		}
		user alice ` + harness.HashCheap + `
		user bob ` + harness.HashCheapAnother + ` {
			id u-2
		}
		login_page
		%LINES%
	}
	bearer_auth /app*
	respond /app "in"
	respond "the app"
}
`

// node is a Caddy that shares its storage with others.
type node struct {
	*harness.Site
	process *harness.Process
	admin   string // address of its admin endpoint
	storage string // path
}

// startNodes starts two nodes on one storage, with more lines of the endpoint.
func startNodes(t *testing.T, lines string) (a, b *node) {
	t.Helper()
	storage := filepath.Join(t.TempDir(), "storage")
	return startNode(t, storage, lines, ""), startNode(t, storage, lines, "")
}

// startNode starts a node. Without an address its admin endpoint has a port of its own.
func startNode(t *testing.T, storage, lines, admin string) *node {
	t.Helper()
	if admin == "" {
		admin = fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
	}
	n := &node{Site: harness.NewSite(t), admin: admin, storage: storage}
	config := n.Write("node.caddyfile", n.text(lines))
	n.process = harness.StartQuickProcess(t, config)
	return n
}

// text is the Caddyfile of the node.
func (n *node) text(lines string) string {
	if !strings.Contains(lines, "revocation_poll") {
		lines += "\nrevocation_poll 1s"
	}
	return n.Expand(strings.NewReplacer("%ADMIN%", n.admin, "%STORAGE%", n.storage, "%LINES%", lines).Replace(site))
}

// in is the node for a test of its own.
func (n *node) in(t *testing.T) *node {
	other := *n
	other.Site = n.For(t)
	return &other
}

// grant runs `caddy grant` with the admin endpoint of the node, and returns what it
// prints. It fails the test unless the exit status is as wanted.
func (n *node) grant(status int, args ...string) (stdout, stderr string) {
	n.T.Helper()
	return grant(n.T, status, append(args, "--address", n.admin)...)
}

func grant(t *testing.T, status int, args ...string) (stdout, stderr string) {
	t.Helper()
	stdout, stderr, got := grantAny(t, args...)
	if got != status {
		t.Fatalf("caddy grant %q: exit status %d, want %d\n%s%s", args, got, status, stdout, stderr)
	}
	return stdout, stderr
}

// grantAny is grant for any exit status.
func grantAny(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := harness.CaddyCommand(t.Context(), t, t.TempDir(), append([]string{"grant"}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// grantJSON is grant for a command that prints JSON.
func grantJSON[T any](n *node, args ...string) (value T) {
	n.T.Helper()
	out, _ := n.grant(0, append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), &value); err != nil {
		n.T.Fatalf("%v in %s", err, out)
	}
	return value
}

// audited are the audit lines so far with a message.
func (n *node) audited(message string) []map[string]any {
	n.T.Helper()
	return n.Logged(func(line map[string]any) bool { return line["logger"] == "grant.admin" && line["msg"] == message })
}

// session is a login, of a client with tokens or of a browser with a cookie.
type session struct {
	name    string
	client  string // its id; empty for a browser
	access  string
	refresh string
	cookie  string
	id      string // `sid`; empty for a browser
}

// login begins a session of a client with tokens.
func (n *node) login(username, client string) *session {
	n.T.Helper()
	s := &session{name: username + " with " + client, client: client}
	return s.with(n.T, n.As(client).Login(n.T, username))
}

func (s *session) with(t *testing.T, tokens harness.TokenPair) *session {
	t.Helper()
	_, claims := harness.Decoded(t, tokens.Access)
	s.access, s.refresh = tokens.Access, tokens.Refresh
	s.id, _ = claims["sid"].(string)
	return s
}

// browser begins a session on the login page.
func (n *node) browser(username string) *session {
	n.T.Helper()
	host := fmt.Sprintf("localhost:%d", n.Port)
	r := n.Request(http.MethodPost, "/token/login", url.Values{"username": {username}, "password": {"correct horse"}}.Encode(),
		"Origin: http://"+host, "Sec-Fetch-Site: same-origin")
	r.Host = host
	response, err := n.Client.Transport.RoundTrip(r)
	if err != nil {
		n.T.Fatal(err)
	}
	response.Body.Close()
	if cookies := response.Cookies(); response.StatusCode == http.StatusSeeOther && len(cookies) == 1 {
		return &session{name: username + " in a browser", cookie: cookies[0].Name + "=" + cookies[0].Value}
	}
	n.T.Fatalf("logging in on the page: %d %v", response.StatusCode, response.Header)
	return nil
}

// passes tells whether bearer_auth lets a request of the session pass.
func (n *node) passes(s *session) bool {
	n.T.Helper()
	r := n.Request(http.MethodGet, "/app", "")
	r.Host = fmt.Sprintf("localhost:%d", n.Port)
	if s.cookie != "" {
		r.Header.Set("Cookie", s.cookie)
	} else {
		r.Header.Set("Authorization", "Bearer "+s.access)
	}
	switch a := n.Do(r); a.Status {
	case http.StatusOK:
		return true
	case http.StatusUnauthorized:
		return false
	default:
		n.T.Fatalf("%s: %d %s", s.name, a.Status, a.Body)
		return false
	}
}

// active is what introspection says of a token of a session.
func (n *node) active(s *session, token string) bool {
	n.T.Helper()
	a := n.As(s.client).Introspect(token)
	active, ok := a.JSON["active"].(bool)
	if a.Status != http.StatusOK || !ok {
		n.T.Fatalf("introspecting: %d %s", a.Status, a.Body)
	}
	return active
}

// wantOver fails the test unless a session is over at the node.
func (n *node) wantOver(s *session) {
	n.T.Helper()
	if n.passes(s) {
		n.T.Errorf("%s passes bearer_auth, though the session is over", s.name)
	}
	if s.cookie != "" {
		return
	}
	if n.active(s, s.access) || n.active(s, s.refresh) {
		n.T.Errorf("%s: introspection says that a token of a session that is over is active", s.name)
	}
	n.As(s.client).Refresh(s.refresh).Want(n.T, http.StatusBadRequest, "invalid_grant")
}

// wantGoing fails the test unless a session goes on at the node.
func (n *node) wantGoing(s *session) {
	n.T.Helper()
	if !n.passes(s) {
		n.T.Errorf("%s does not pass bearer_auth, though the session goes on", s.name)
	}
	if s.cookie != "" {
		return
	}
	if !n.active(s, s.access) || !n.active(s, s.refresh) {
		n.T.Errorf("%s: introspection says that a token of a session that goes on is not active", s.name)
	}
	s.with(n.T, n.As(s.client).Refreshed(n.T, s.refresh))
}
