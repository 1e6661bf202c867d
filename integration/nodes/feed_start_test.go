package nodes

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

func init() {
	caddy.RegisterModule(gatedFeed{})
}

// gatedFeed is a file storage whose feed of revocations cannot be read before a gate
// opens, as where it is large, and whose sessions cannot be read while they fail.
type gatedFeed struct {
	Root string `json:"root"`
	Gate string `json:"gate"`

	*certmagic.FileStorage `json:"-"`
	gate                   *feedGate
}

type feedGate struct {
	open  chan struct{}
	fails atomic.Bool
	asked atomic.Int64 // how often a record was read
}

var feedGates sync.Map // name → *feedGate

func (gatedFeed) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.storage.gated_feed", New: func() caddy.Module { return new(gatedFeed) }}
}

func (g *gatedFeed) CertMagicStorage() (certmagic.Storage, error) {
	gate, ok := feedGates.Load(g.Gate)
	if !ok {
		return nil, errors.New("no such gate")
	}
	g.gate, g.FileStorage = gate.(*feedGate), &certmagic.FileStorage{Path: g.Root}
	return g, nil
}

func (g *gatedFeed) List(ctx context.Context, key string, recursive bool) ([]string, error) {
	if strings.Contains(key, "/revocations/") {
		select {
		case <-g.gate.open:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return g.FileStorage.List(ctx, key, recursive)
}

func (g *gatedFeed) Load(ctx context.Context, key string) ([]byte, error) {
	if strings.Contains(key, "/sessions/") {
		g.gate.asked.Add(1)
		if g.gate.fails.Load() {
			return nil, errors.New("the storage of this test fails as it was told")
		}
	}
	return g.FileStorage.Load(ctx, key)
}

// I22: a new process that has not read the feed yet lets good tokens pass and revoked
// ones not, from its first answer on: it asks storage for their sessions.
func TestAFeedThatTakesLongToReadKeepsNoRequestWaiting(t *testing.T) {
	site := harness.WebSite("user alice " + harness.CheapHash(t, "password"))
	site = strings.Replace(site, "respond", "bearer_auth /app\n\trespond", 1)
	s := harness.NewSite(t)
	load := func(gate *feedGate) {
		t.Helper()
		config, err := harness.Adapt(s.Expand(harness.WithoutPKI + site))
		if err != nil {
			t.Fatal(err)
		}
		if gate != nil {
			feedGates.Store(s.Dir, gate)
			var members map[string]any
			if err := json.Unmarshal(config, &members); err != nil {
				t.Fatal(err)
			}
			members["storage"] = map[string]string{"module": "gated_feed", "root": harness.StorageOf(s), "gate": s.Dir}
			if config, err = json.Marshal(members); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Load(config); err != nil {
			t.Fatal(err)
		}
	}
	access := func() string { return s.Relogin("alice", "password").Text(t, "access_token") }
	edge := func(token string) int {
		t.Helper()
		return s.Do(s.Request("GET", "/app", "", "Authorization: Bearer "+token)).Status
	}
	revoke := func(token string) {
		t.Helper()
		s.Post("/token/revoke", "token="+token, harness.Basic("web", "web-secret")).Want(t, 200, "")
	}
	load(nil)
	revoked, good, another := access(), access(), access()
	revoke(revoked)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}

	gate := &feedGate{open: make(chan struct{})}
	load(gate)
	for range 3 {
		if status := edge(revoked); status != http.StatusUnauthorized {
			t.Errorf("a revoked token gets %d", status)
		}
		if status := edge(good); status != http.StatusOK {
			t.Errorf("a good token gets %d", status)
		}
	}
	revoke(good)
	if status := edge(good); status != http.StatusUnauthorized {
		t.Errorf("a token that was revoked since gets %d", status)
	}
	gate.fails.Store(true)
	if status := edge(another); status != http.StatusServiceUnavailable || s.LastReason() != "the revoked sessions have not been read yet" {
		t.Errorf("while storage fails a token gets %d, %q", status, s.LastReason())
	}
	gate.fails.Store(false)
	if status := edge(another); status != http.StatusOK {
		t.Errorf("after that it gets %d", status)
	}

	close(gate.open)
	harness.Eventually(t, "the feed is read", func() bool {
		return len(s.Logged(func(line map[string]any) bool { return line["msg"] == "read the revocations" })) > 0
	})
	asked := gate.asked.Load()
	for token, want := range map[string]int{revoked: 401, good: 401, another: 200, access(): 200} {
		if status := edge(token); status != want {
			t.Errorf("then a token gets %d, want %d", status, want)
		}
	}
	if gate.asked.Load() != asked {
		t.Error("storage is still asked")
	}
}

// J8: what was revoked stays revoked under a config that gives access tokens a shorter
// life, also in a new process and days later.
func TestNodesAShorterLifetimeRevivesNoToken(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	n := c.node("access_token_ttl 29d").start()
	get := wanted(t)
	revoked, reused, good := get(n.logIn()), get(n.logIn()), get(n.logIn())
	if err := n.revoke(revoked.access); err != nil {
		t.Fatal(err)
	}
	latest := get(n.refresh(reused))
	if err := n.refusesRefresh(reused); err != nil {
		t.Fatal(err)
	}
	n.process.Stop()

	// three days and more revocations later
	feed, err := filepath.Glob(filepath.Join(c.storage(), "grant", "*", "revocations"))
	if err != nil || len(feed) != 1 {
		t.Fatal(feed, err)
	}
	hours, err := os.ReadDir(feed[0])
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	hourAgo := func(hours int) string {
		return filepath.Join(feed[0], time.Now().Add(-time.Duration(hours)*time.Hour).UTC().Format("2006010215"))
	}
	for i, hour := range hours {
		must(os.Rename(filepath.Join(feed[0], hour.Name()), hourAgo(72+i)))
	}
	for i := range 5 {
		must(os.MkdirAll(hourAgo(i), 0o700))
		name := time.Now().AddDate(0, 1, 0).UTC().Format("20060102-") + strings.Repeat(string(rune('a'+i)), 40)
		must(os.WriteFile(filepath.Join(hourAgo(i), name), nil, 0o600))
	}

	n.configure("access_token_ttl 1h")
	n.start()
	other := c.node("access_token_ttl 1h\nrevocation_poll 100ms").start()
	for range 3 {
		for _, n := range []*clusterNode{n, other} {
			for _, tk := range []tokens{revoked, reused, latest} {
				if status, err := n.edge(tk.access); err != nil || status != http.StatusUnauthorized {
					t.Errorf("the edge answers %d, %v", status, err)
				}
				if err := n.knowsEnd(tk); err != nil {
					t.Error(err)
				}
			}
		}
		time.Sleep(time.Second) // and some polls later
	}
	edgesAccept(t, []*clusterNode{n, other}, good)
}
