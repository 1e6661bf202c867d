package nodes

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

const (
	killsVariable = "CADDY_GRANT_KILLS"
	killClients   = 8
)

// G21, G12, J8, J10: a Caddy process is killed at random moments while clients refresh
// and others log out, and restarted: 5 times, or as often as the environment variable
// CADDY_GRANT_KILLS says. Clients repeat what got no answer, or 503. Nobody is logged
// out, no refresh token works twice outside the grace, and no revocation is lost. A
// lock whose holder was killed goes stale after 10 seconds; its client waits that long.
func TestNodesKilledUnderLoad(t *testing.T) {
	t.Parallel()
	kills := fromEnvironment(t, killsVariable, 5)
	c := newCluster(t)
	n := c.startNodes(1, "refresh_grace 30s")[0]
	load := &killLoad{node: n, end: make(chan struct{})}
	clients := make([]*chainClient, killClients)
	var wg sync.WaitGroup
	for i := range clients {
		login, err := n.logIn()
		if err != nil {
			t.Fatal(err)
		}
		clients[i] = &chainClient{load: load, current: login}
		wg.Go(clients[i].run)
	}
	leaver := &leavingClient{load: load}
	wg.Go(leaver.run)

	for kill := range kills {
		// so many answers after the last start, whatever the speed of the machine, and
		// a moment more
		enough := load.done.Load() + 1 + rand.Int64N(150)
		harness.Eventually(t, "clients go on", func() bool { return load.done.Load() >= enough })
		time.Sleep(time.Duration(rand.Int64N(int64(30 * time.Millisecond))))
		n.process.Kill()
		records := wantWholeRecords(t, c)
		t.Logf("kill %d: %d refreshes and revocations, %d repeated, %d records", kill+1, load.done.Load(), load.repeated.Load(), records)
		n.start()
	}
	close(load.end)
	wg.Wait() // every client has one more success

	refreshes, repeated := 0, 0
	for i, client := range clients {
		if client.failure != nil {
			t.Errorf("client %d: %v", i, client.failure)
		}
		refreshes += len(client.spent)
		repeated += client.repeated
	}
	if leaver.failure != nil {
		t.Error(leaver.failure)
	}
	t.Logf("%d kills, %d refreshes, %d tokens sent more than once, %d revocations", kills, refreshes, repeated, len(leaver.gone))
	if t.Failed() {
		return
	}

	// without a grace no spent token may work, and what was good before still does
	n.process.Stop()
	n.configure("refresh_grace 0s")
	n.start()
	for i, client := range clients {
		if err := client.replay(n, i); err != nil {
			t.Errorf("client %d: %v", i, err)
		}
	}
	for _, tk := range leaver.gone {
		if err := n.knowsEnd(tk); err != nil {
			t.Error(err)
		}
	}
	edgesRefuse(t, []*clusterNode{n}, leaver.gone...)
	wantWholeRecords(t, c)
}

// wantWholeRecords fails the test if something that the storage has of sessions is
// torn. It returns how many there are.
func wantWholeRecords(t *testing.T, c *cluster) int {
	t.Helper()
	files := c.sessionFiles()
	for _, path := range files {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var record map[string]any
		if err := json.Unmarshal(content, &record); err != nil || record["version"] == nil {
			t.Errorf("torn: %s has %q", filepath.Base(path), content)
		}
	}
	return len(files)
}

// killLoad is what the clients of one killed node share.
type killLoad struct {
	node           *clusterNode
	end            chan struct{} // closed when the last answer is to come
	done, repeated atomic.Int64
}

// insist repeats a request until there is an answer other than 503. The error says that
// there was none in time. repeated tells whether the node may have seen it twice.
func (l *killLoad) insist(ask func() (harness.Answer, error)) (a harness.Answer, repeated bool, err error) {
	for deadline := time.Now().Add(watchdog); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		a, err = ask()
		if err == nil && a.Status == http.StatusOK && a.JSON == nil {
			err = fmt.Errorf("an answer without JSON: %s", a.Body)
		}
		if err == nil && a.Status != http.StatusServiceUnavailable {
			l.done.Add(1)
			return a, repeated, nil
		}
		repeated = true
		l.repeated.Add(1)
	}
	return a, repeated, errors.Join(errors.New("no answer"), err)
}

func (l *killLoad) ended() bool {
	select {
	case <-l.end:
		return true
	default:
		return false
	}
}

// chainClient refreshes again and again, each time with what it got last.
type chainClient struct {
	load     *killLoad
	current  tokens
	spent    []tokens
	repeated int
	failure  error
}

func (c *chainClient) run() {
	for last := false; !last; {
		last = c.load.ended()
		used := c.current
		a, repeated, err := c.load.insist(func() (harness.Answer, error) { return c.load.node.tryRefresh(used.refresh) })
		if err == nil {
			c.current, err = tokensIn(a)
		}
		if err == nil && (c.current.session != used.session || c.current.generation != used.generation+1) {
			err = fmt.Errorf("after generation %d of %s came %d of %s", used.generation, used.session, c.current.generation, c.current.session)
		}
		if err != nil {
			c.failure = fmt.Errorf("after %d refreshes: %w", len(c.spent), err)
			return
		}
		if repeated {
			c.repeated++
		}
		c.spent = append(c.spent, used)
		// else every client is killed while it has its lock, and stands still for 10
		// seconds
		time.Sleep(time.Duration(rand.Int64N(int64(40 * time.Millisecond))))
	}
}

// replay uses spent tokens where there is no grace. The first one ends the session, so
// each client begins with another one. Before, the current one must be good.
func (c *chainClient) replay(n *clusterNode, number int) error {
	next, err := n.refresh(c.current)
	if err != nil {
		return fmt.Errorf("logged out: %w", err)
	}
	spent := append(c.spent, c.current)
	first := len(spent) - 1 - number // the latest, the one before, and so on, or any
	if number > killClients/2 || first < 0 {
		first = rand.IntN(len(spent))
	}
	if err := n.refusesRefresh(spent[first]); err != nil {
		return fmt.Errorf("a spent token: %w", err)
	}
	if err := n.knowsEnd(next); err != nil {
		return fmt.Errorf("after reuse: %w", err)
	}
	for range 20 {
		if err := n.refusesRefresh(spent[rand.IntN(len(spent))]); err != nil {
			return fmt.Errorf("a spent token of a session that is over: %w", err)
		}
	}
	return nil
}

// leavingClient logs in, refreshes and logs out, again and again.
type leavingClient struct {
	load    *killLoad
	gone    []tokens
	failure error
}

func (c *leavingClient) run() {
	n := c.load.node
	for last := false; !last; {
		last = c.load.ended()
		a, _, err := c.load.insist(func() (harness.Answer, error) { return n.Attempt("alice", "password") })
		login, parseErr := tokensIn(a)
		if err = errors.Join(err, parseErr); err != nil {
			c.failure = fmt.Errorf("logging in: %w", err)
			return
		}
		a, _, err = c.load.insist(func() (harness.Answer, error) { return n.tryRefresh(login.refresh) })
		tk, parseErr := tokensIn(a)
		if err = errors.Join(err, parseErr); err != nil {
			c.failure = fmt.Errorf("refreshing: %w", err)
			return
		}
		a, _, err = c.load.insist(func() (harness.Answer, error) { return n.ask("/token/revoke", "token", tk.refresh) })
		if err == nil && a.Status != http.StatusOK {
			err = fmt.Errorf("%d %s", a.Status, a.Body)
		}
		if err != nil {
			c.failure = fmt.Errorf("logging out: %w", err)
			return
		}
		c.gone = append(c.gone, tk)
		time.Sleep(20 * time.Millisecond) // a login costs a hash, and this is about refreshing
	}
}
