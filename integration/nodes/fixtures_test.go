// Package nodes tests processes that share a storage: keys, restarts, being killed, and
// a storage that hangs.
package nodes

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// cluster is Caddy processes, its nodes, that serve one authorization server from one
// storage directory.
type cluster struct {
	t    *testing.T
	dir  string // the storage is below it
	hash string // of the password "password"; the same on all nodes, since `cver` comes from it
	app  string // address of an app behind the nodes; empty for one in Caddy

	options string // more global options
}

// clusterNode is one of them. Its methods, unlike those of a site, may be called by any
// goroutine: they end no test.
type clusterNode struct {
	*harness.Site
	cluster *cluster
	process *harness.Process
	config  string // path
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	return &cluster{t: t, dir: t.TempDir(), hash: harness.CheapHash(t, "password")}
}

// node prepares a node whose token endpoint has the given lines too. It has a port, and
// nothing listens there yet.
func (c *cluster) node(lines string) *clusterNode {
	c.t.Helper()
	n := &clusterNode{Site: harness.NewSite(c.t), cluster: c}
	transport := n.Client.Transport.(*http.Transport)
	transport.MaxIdleConnsPerHost = 64 // else most of many requests at a time open a connection each
	n.configure(lines)
	return n
}

// configure writes the config for the next start.
func (n *clusterNode) configure(lines string) {
	n.cluster.t.Helper()
	respond := `respond "the app"`
	if n.cluster.app != "" {
		respond = "reverse_proxy " + n.cluster.app
	}
	n.config = n.Write("node.caddyfile", n.Expand(`{
	admin off
	persist_config off
	storage file_system "`+n.cluster.storage()+`"
	`+n.cluster.options+`
}
http://127.0.0.1:%PORT% {
	token_endpoint {
		client web {
			secret web-secret
		}
		user alice `+n.cluster.hash+`
		`+lines+`
	}
	bearer_auth /app
	`+respond+`
}
`))
}

// start starts a node that is not running.
func (n *clusterNode) start() *clusterNode {
	n.cluster.t.Helper()
	n.Client.CloseIdleConnections()
	n.process = harness.StartProcess(n.cluster.t, n.Dir, n.config)
	return n
}

// startNodes starts that many nodes with the same lines.
func (c *cluster) startNodes(number int, lines string) []*clusterNode {
	c.t.Helper()
	nodes := make([]*clusterNode, number)
	for i := range nodes {
		nodes[i] = c.node(lines).start()
	}
	return nodes
}

func (c *cluster) storage() string { return filepath.Join(c.dir, "storage") }

// sessionFiles are the paths of what the storage has of sessions: records, markers and
// the feed, without what a crash may leave behind.
func (c *cluster) sessionFiles() []string {
	c.t.Helper()
	var found []string
	for _, pattern := range []string{"sessions/*/*", "revocations/*/*"} {
		paths, err := filepath.Glob(filepath.Join(c.storage(), "grant", "*", pattern))
		if err != nil {
			c.t.Fatal(err)
		}
		for _, path := range paths {
			// a temporary file has a number for its name
			if len(filepath.Base(path)) >= 40 {
				found = append(found, path)
			}
		}
	}
	return found
}

// record is the path of a session's record, which need not be there.
func (c *cluster) record(tk tokens) string {
	c.t.Helper()
	day, random, _ := strings.Cut(tk.session, "-")
	servers, err := filepath.Glob(filepath.Join(c.storage(), "grant", "default-*"))
	if err != nil || len(servers) != 1 {
		c.t.Fatalf("servers in storage: %q, %v", servers, err)
	}
	return filepath.Join(servers[0], "sessions", day, random)
}

// lock is the path of the file that locks the exchange of a session's generation while
// it is there.
func (c *cluster) lock(tk tokens) string {
	c.t.Helper()
	key, err := filepath.Rel(c.storage(), c.record(tk))
	if err != nil {
		c.t.Fatal(err)
	}
	return filepath.Join(c.storage(), "locks", fmt.Sprintf("%s.%d.lock", strings.ReplaceAll(key, "/", ""), tk.generation))
}

// tokens are what a login or a refresh gave, and what the refresh token says of itself.
type tokens struct {
	access, refresh string
	session         string // `sid`
	generation      uint64 // `gen`
}

// tokensIn reads an answer that should be a success.
func tokensIn(a harness.Answer) (tokens, error) {
	access, _ := a.JSON["access_token"].(string)
	refresh, _ := a.JSON["refresh_token"].(string)
	parts := strings.Split(refresh, ".")
	if a.Status != http.StatusOK || access == "" || len(parts) != 3 {
		return tokens{}, fmt.Errorf("no tokens in answer %d %s", a.Status, a.Body)
	}
	decoded, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return tokens{}, fmt.Errorf("claims of a refresh token: %w", err)
	}
	var claims struct {
		Session    string `json:"sid"`
		Generation uint64 `json:"gen"`
	}
	if err := json.Unmarshal(decoded, &claims); err != nil {
		return tokens{}, fmt.Errorf("claims of a refresh token: %w", err)
	}
	return tokens{access: access, refresh: refresh, session: claims.Session, generation: claims.Generation}, nil
}

// ask sends a form as the client "web", once.
func (n *clusterNode) ask(path string, pairs ...string) (harness.Answer, error) {
	form := url.Values{"client_id": {"web"}, "client_secret": {"web-secret"}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	response, err := n.Client.PostForm(n.URL(path), form)
	if err != nil {
		return harness.Answer{}, err
	}
	return read(response)
}

func read(response *http.Response) (harness.Answer, error) {
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return harness.Answer{}, fmt.Errorf("reading an answer: %w", err)
	}
	a := harness.Answer{Status: response.StatusCode, Header: response.Header, Body: body}
	_ = json.Unmarshal(body, &a.JSON)
	return a, nil
}

func (n *clusterNode) tryRefresh(refresh string) (harness.Answer, error) {
	return n.ask("/token", "grant_type", "refresh_token", "refresh_token", refresh)
}

// settled asks until there is another answer than 503, as clients should.
func settled(ask func() (harness.Answer, error)) (harness.Answer, error) {
	for deadline := time.Now().Add(watchdog); ; time.Sleep(200 * time.Millisecond) {
		a, err := ask()
		if err == nil && a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") == "" {
			return a, fmt.Errorf("503 without Retry-After: %s", a.Body)
		}
		if err != nil || a.Status != http.StatusServiceUnavailable {
			return a, err
		}
		if time.Now().After(deadline) {
			return a, fmt.Errorf("still 503: %s", a.Body)
		}
	}
}

func (n *clusterNode) logIn() (tokens, error) {
	a, err := settled(func() (harness.Answer, error) { return n.Attempt("alice", "password") })
	if err != nil {
		return tokens{}, err
	}
	return tokensIn(a)
}

func (n *clusterNode) refresh(tk tokens) (tokens, error) {
	a, err := settled(func() (harness.Answer, error) { return n.tryRefresh(tk.refresh) })
	if err != nil {
		return tokens{}, err
	}
	next, err := tokensIn(a)
	if err == nil && (next.session != tk.session || next.generation != tk.generation+1) {
		err = fmt.Errorf("from generation %d of %s came generation %d of %s", tk.generation, tk.session, next.generation, next.session)
	}
	return next, err
}

func (n *clusterNode) revoke(token string) error {
	a, err := settled(func() (harness.Answer, error) { return n.ask("/token/revoke", "token", token) })
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("revoking: %d %s", a.Status, a.Body)
	}
	return err
}

// active is what introspection says of a token.
func (n *clusterNode) active(token string) (bool, error) {
	a, err := settled(func() (harness.Answer, error) { return n.ask("/token/introspect", "token", token) })
	if err != nil {
		return false, err
	}
	active, ok := a.JSON["active"].(bool)
	if a.Status != http.StatusOK || !ok {
		return false, fmt.Errorf("introspecting: %d %s", a.Status, a.Body)
	}
	return active, nil
}

// edge is the status that an access token gets from bearer_auth.
func (n *clusterNode) edge(access string) (int, error) {
	r, err := http.NewRequest(http.MethodGet, n.URL("/app"), nil)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", "Bearer "+access)
	response, err := n.Client.Do(r)
	if err != nil {
		return 0, err
	}
	_, err = read(response)
	return response.StatusCode, err
}

// refusesRefresh is nil if a refresh token is worth nothing at the token endpoint.
func (n *clusterNode) refusesRefresh(tk tokens) error {
	a, err := settled(func() (harness.Answer, error) { return n.tryRefresh(tk.refresh) })
	if err == nil && (a.Status != http.StatusBadRequest || a.JSON["error"] != "invalid_grant") {
		err = fmt.Errorf("refresh with generation %d of %s: %d %s", tk.generation, tk.session, a.Status, a.Body)
	}
	return err
}

// knowsEnd is nil if a session is over, as the endpoints of the node say: what they
// read is in storage.
func (n *clusterNode) knowsEnd(tk tokens) error {
	for kind, token := range map[string]string{"refresh": tk.refresh, "access": tk.access} {
		active, err := n.active(token)
		if err != nil {
			return err
		}
		if active {
			return fmt.Errorf("the %s token of generation %d of %s is active", kind, tk.generation, tk.session)
		}
	}
	return n.refusesRefresh(tk)
}

// edgesRefuse waits until the edges of all nodes refuse what belongs to sessions that
// are over. Other nodes learn that within revocation_poll, usually.
func edgesRefuse(t *testing.T, nodes []*clusterNode, over ...tokens) {
	t.Helper()
	for i, n := range nodes {
		harness.Eventually(t, fmt.Sprintf("the edge of node %d refuses %d tokens", i, len(over)), func() bool {
			for _, tk := range over {
				if status, err := n.edge(tk.access); err != nil || status != http.StatusUnauthorized {
					return false
				}
			}
			return true
		})
	}
}

// edgesAccept fails the test unless the edges of all nodes let tokens pass.
func edgesAccept(t *testing.T, nodes []*clusterNode, good ...tokens) {
	t.Helper()
	for i, n := range nodes {
		for _, tk := range good {
			if status, err := n.edge(tk.access); err != nil || status != http.StatusOK {
				t.Fatalf("the edge of node %d answers a good token with %d, %v", i, status, err)
			}
		}
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

// fromEnvironment is a number that .ci/run may raise.
func fromEnvironment(t *testing.T, variable string, normally int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return normally
	}
	number, err := strconv.Atoi(text)
	if err != nil || number < 1 {
		t.Fatalf("%s=%s is not a number of rounds", variable, text)
	}
	return number
}

// watchdog is longer than anything may take here.
const watchdog = 3 * time.Minute
