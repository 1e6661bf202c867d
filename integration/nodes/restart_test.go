package nodes

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// G18: sessions outlive a restart, and so does the knowledge of what was used.
func TestNodesRestart(t *testing.T) {
	t.Parallel()
	n := newCluster(t).startNodes(1, "")[0]
	get := wanted(t)
	restart := func() {
		t.Helper()
		n.process.Stop()
		n.start()
	}
	lives, replayed, early := get(n.logIn()), get(n.logIn()), get(n.logIn())
	unused := get(n.logIn())
	lives = get(n.refresh(lives))
	first := get(n.refresh(replayed))
	second := get(n.refresh(first))
	used := get(n.refresh(early))

	restart()
	lives = get(n.refresh(lives))
	unused = get(n.refresh(unused))
	if err := n.refusesRefresh(early); err != nil { // the login's token, one behind
		t.Error(err)
	}
	if err := n.knowsEnd(used); err != nil {
		t.Errorf("replay across a restart ended nothing: %v", err)
	}
	if err := n.refusesRefresh(replayed); err != nil { // two behind
		t.Error(err)
	}
	wantLogged(t, n, "refresh_token_reused", 2)

	restart()
	for _, tk := range []tokens{second, first, replayed, used, early} {
		if err := n.knowsEnd(tk); err != nil {
			t.Error(err)
		}
	}
	edgesRefuse(t, []*clusterNode{n}, replayed, first, second, early, used)
	edgesAccept(t, []*clusterNode{n}, get(n.refresh(lives)), get(n.refresh(unused)))
}

// G12, G18: the grace goes on across a restart, and ends.
func TestNodesRestartWithinTheGrace(t *testing.T) {
	t.Parallel()
	const grace = 5 * time.Second
	n := newCluster(t).startNodes(1, "refresh_grace 30s")[0]
	get := wanted(t)
	login, other := get(n.logIn()), get(n.logIn())
	get(n.refresh(login))
	spent := other
	other = get(n.refresh(other))

	n.process.Kill() // the clients did not get the answers
	n.start()
	again := get(n.refresh(login)) // the first generation again, as refresh checks
	get(n.refresh(again))

	// and outside of it, here since it is a shorter one now, a retry is reuse
	n.process.Stop()
	n.configure("refresh_grace " + grace.String())
	n.start()
	time.Sleep(grace)
	if err := n.refusesRefresh(spent); err != nil {
		t.Error(err)
	}
	if err := n.knowsEnd(other); err != nil {
		t.Error(err)
	}
}

// An old backup of the storage takes back what is known of sessions. Tokens that are
// ahead of it end their session, those that it knows go on, and users log in again.
func TestNodesRestoreABackup(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	n := c.startNodes(1, "")[0]
	get := wanted(t)
	backup := c.dir + "/backup"
	resting := get(n.refresh(get(n.logIn())))
	untouched := get(n.logIn())
	moved := get(n.refresh(get(n.logIn()))) // has a record in the backup
	begun := get(n.logIn())                 // has none
	before := moved

	n.process.Stop()
	if err := os.CopyFS(backup, os.DirFS(c.storage())); err != nil {
		t.Fatal(err)
	}
	n.start()
	moved = get(n.refresh(get(n.refresh(moved))))
	begun = get(n.refresh(begun))
	after := get(n.refresh(get(n.logIn())))
	edgesAccept(t, []*clusterNode{n}, moved, begun, after)

	n.process.Stop()
	for _, err := range []error{os.Rename(c.storage(), c.dir+"/lost"), os.Rename(backup, c.storage())} {
		if err != nil {
			t.Fatal(err)
		}
	}
	n.start()
	for name, tk := range map[string]tokens{
		"with an older record": moved, "with no record": begun, "that the backup never knew": after,
	} {
		if err := n.refusesRefresh(tk); err != nil {
			t.Errorf("a session %s: %v", name, err)
		}
		if err := n.knowsEnd(tk); err != nil {
			t.Errorf("a session %s: %v", name, err)
		}
		if status, err := n.edge(tk.access); err != nil || status != http.StatusUnauthorized {
			t.Errorf("a session %s: the edge answers %d, %v", name, status, err)
		}
	}
	wantLogged(t, n, "session_rolled_back", 3)
	// what was spent since the backup does not come back with it
	if err := n.knowsEnd(before); err != nil {
		t.Error(err)
	}
	resting, untouched = get(n.refresh(resting)), get(n.refresh(untouched))
	login := get(n.logIn())
	edgesAccept(t, []*clusterNode{n}, resting, untouched, login, get(n.refresh(login)))
}

// wantLogged fails the test unless a node has refused that many requests for a reason
// since it started.
func wantLogged(t *testing.T, n *clusterNode, reason string, times int) {
	t.Helper()
	if got := strings.Count(n.process.Printed(), `"reason":"`+reason+`"`); got != times {
		t.Errorf("reason %s is %d times in the log, want %d", reason, got, times)
	}
}
