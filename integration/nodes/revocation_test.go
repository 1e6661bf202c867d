package nodes

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// J6, J8, I22: a revocation at one node is known at once to all that ask the storage,
// and to the edge of the other node within seconds, by the feed.
func TestNodesLearnOfRevocations(t *testing.T) {
	t.Parallel()
	nodes := newCluster(t).startNodes(2, "")
	a, b := nodes[0], nodes[1]
	for name, token := range map[string]func(tokens) string{
		"a refresh token": func(tk tokens) string { return tk.refresh },
		"an access token": func(tk tokens) string { return tk.access },
	} {
		t.Run("revoked by "+name, func(t *testing.T) {
			get := wanted(t)
			login := get(a.logIn())
			latest := get(b.refresh(login))
			other := get(b.logIn())
			edgesAccept(t, nodes, login, latest, other)

			if err := a.revoke(token(latest)); err != nil {
				t.Fatal(err)
			}
			wantLearned(t, a, b, latest, login)
			edgesAccept(t, nodes, other)
		})
	}

	// G9, G10
	t.Run("reuse that one node finds ends the access tokens at the other", func(t *testing.T) {
		get := wanted(t)
		login := get(a.logIn())
		latest := get(a.refresh(login))
		edgesAccept(t, nodes, login, latest)
		if err := a.refusesRefresh(login); err != nil {
			t.Fatal(err)
		}
		wantLearned(t, a, b, latest, login)
	})
}

// wantLearned fails the test unless both nodes know that a session is over which ended
// at the first. The second is not asked for a refresh before its edge knows by itself:
// a node that is asked may learn from that.
func wantLearned(t *testing.T, here, there *clusterNode, over ...tokens) {
	t.Helper()
	for _, tk := range over {
		if status, err := here.edge(tk.access); err != nil || status != http.StatusUnauthorized {
			t.Fatalf("the edge of the node where the session ended answers %d, %v", status, err)
		}
		for _, token := range []string{tk.access, tk.refresh} {
			if active, err := there.active(token); err != nil || active {
				t.Fatalf("introspection at the other node says %v, %v", active, err)
			}
		}
	}
	edgesRefuse(t, []*clusterNode{there}, over...)
	for i, n := range []*clusterNode{there, here} {
		for _, tk := range over {
			if err := n.knowsEnd(tk); err != nil {
				t.Fatalf("node %d: %v", i, err)
			}
		}
	}
}

// I22, G18: neither a node that comes later nor one that comes back lets a revoked
// token pass, from its first answer on. 503 is what it may say before it has read the
// feed.
func TestNodesComeBackWithRevocations(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	nodes := c.startNodes(2, "")
	a, b, get := nodes[0], nodes[1], wanted(t)
	revoked := get(a.refresh(get(a.logIn())))
	reused := get(a.logIn())
	successor := get(b.refresh(reused))
	good := get(a.logIn())
	edgesAccept(t, nodes, revoked, reused, successor, good)

	b.process.Stop() // it is down while all happens
	if err := a.revoke(revoked.access); err != nil {
		t.Fatal(err)
	}
	if err := a.refusesRefresh(reused); err != nil {
		t.Fatal(err)
	}

	back := func(name string, n *clusterNode) {
		t.Helper()
		for _, tk := range []tokens{revoked, successor} {
			defer watchEdge(t, name, n, tk)()
		}
		n.start()
		harness.Eventually(t, name+" serves", func() bool {
			status, err := n.edge(good.access)
			return err == nil && status == http.StatusOK
		})
		for _, tk := range []tokens{revoked, reused, successor} {
			if err := n.knowsEnd(tk); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	back("the node that was down", b)
	back("a new node", c.node(""))
	a.process.Stop()
	back("the node that revoked, restarted", a)
	a.process.Kill()
	back("the node that revoked, killed", a)
	b.process.Stop()
	a.process.Stop()
	back("a node that starts while no other runs", a)
	if _, err := a.refresh(good); err != nil {
		t.Error(err)
	}
}

// watchEdge asks a node with a token of a session that is over, again and again, from
// before it starts. The function that it returns waits for some answers and fails the
// test if one was anything but 401 or 503.
func watchEdge(t *testing.T, name string, n *clusterNode, over tokens) (end func()) {
	t.Helper()
	ended, answered := make(chan struct{}), make(chan struct{}, 1)
	statuses := make(map[int]int)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			// while nothing listens there is no answer
			if status, err := n.edge(over.access); err == nil {
				statuses[status]++
				if status == http.StatusUnauthorized && statuses[status] == 3 {
					answered <- struct{}{}
				}
			}
			select {
			case <-ended:
				return
			case <-time.After(time.Millisecond):
			}
		}
	})
	return func() {
		t.Helper()
		select {
		case <-answered:
		case <-time.After(watchdog):
			t.Errorf("%s: too few answers of 401", name)
		}
		close(ended)
		wg.Wait()
		for status := range statuses {
			if status != http.StatusUnauthorized && status != http.StatusServiceUnavailable {
				t.Errorf("%s: answers to a token that is over by status: %v", name, statuses)
			}
		}
		t.Logf("%s: answers to a token that is over by status: %v", name, statuses)
	}
}
