package keys

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// node is a process of a server whose storage others share. Its files are its own.
type node struct {
	live
	config  string
	process *harness.Process
}

// nodeSite is [liveSite] with another storage.
const nodeSite = "{\n\tadmin off\n\tpersist_config off\n\tstorage file_system \"%STORAGE%\"\n}\n"

// newNode prepares a node with these owners.
func newNode(t *testing.T, storage, hash string, keys ring, users, clients, file string) *node {
	t.Helper()
	n := &node{live: live{Site: harness.NewSite(t), ring: keys, hash: hash}}
	n.write(users, clients)
	n.Write("keys.txt", file)
	n.config = n.Write("node.caddyfile", n.Expand(strings.ReplaceAll(nodeSite, "%STORAGE%", storage)+liveSite))
	return n
}

func (n *node) start() *node {
	n.T.Helper()
	n.Client.CloseIdleConnections()
	n.process = harness.StartQuickProcess(n.T, n.config)
	return n
}

// settled waits until a node knows what has ended: 503 until then.
func (n *node) settled(name string) int {
	n.T.Helper()
	var status int
	harness.Eventually(n.T, "the node knows what has ended", func() bool {
		status = n.status("/app", name)
		return status != http.StatusServiceUnavailable
	})
	return status
}

// A restart, and a node that did not run when the owner left, must not bring a key back
// to another owner of the name.
func TestAKeyStaysEndedAtAllNodesAndAfterARestart(t *testing.T) {
	t.Parallel()
	keys, storage, hash := make(ring), t.TempDir(), harness.CheapHash(t, "correct horse")
	all, clients := list(user("alice", ``), user("bob", `, "id": "u-2"`), user("carol", ``)), list(batch, other)
	file := keys.lines("alices", "user=alice", "bobs", "user_id=u-2", "carols", "user=carol", "nightly", "client=batch")
	first := newNode(t, storage, hash, keys, all, clients, file).start()
	running := newNode(t, storage, hash, keys, all, clients, file).start() // at which no owner ever leaves
	for _, n := range []*node{first, running} {
		if got := n.settled("alices"); got != 200 {
			t.Fatalf("got %d", got)
		}
		n.wantAll(200, "bobs", "carols", "nightly")
	}

	first.write(list(user("carol", ``)), list(other))
	first.soon("/app", "alices", 401)
	first.soon("/app", "nightly", 401)
	first.soon("/app", "bobs", 401)
	running.soon("/app", "alices", 401) // by the notice in storage
	running.soon("/app", "nightly", 401)
	running.wantAll(200, "bobs", "carols")

	first.process.Stop()
	first.write(all, clients)
	first.start()
	late := newNode(t, storage, hash, keys, all, clients, file).start()
	for _, n := range []*node{first, late} {
		if got := n.settled("alices"); got != 401 {
			t.Errorf("a new alice has the key of the old one: got %d", got)
		}
		n.wantAll(401, "alices", "nightly")
		n.wantAll(200, "bobs", "carols")
	}
	running.process.Kill()
	running.start()
	if got := running.settled("alices"); got != 401 {
		t.Errorf("after a restart: got %d", got)
	}
}

// wantAll is want without a look at the log, which a process prints.
func (n *node) wantAll(status int, names ...string) {
	n.T.Helper()
	for _, name := range names {
		if got := n.status("/app", name); got != status {
			n.T.Errorf("%s: got %d, want %d", name, got, status)
		}
	}
}

// What cannot be known is not granted: without the storage nothing tells whether a key
// has ended, unless it was read before.
func TestKeysAreNotTakenBeforeTheStorageWasRead(t *testing.T) {
	t.Parallel()
	keys, hash := make(ring), harness.CheapHash(t, "correct horse")
	file := keys.lines("alices", "user=alice")
	blocked := t.TempDir() + "/file" // where a directory should be
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n := newNode(t, blocked, hash, keys, list(user("alice", ``)), list(batch), file).start()
	for range 3 {
		if got := n.status("/app", "alices"); got != http.StatusServiceUnavailable {
			t.Fatalf("got %d without a storage, want 503", got)
		}
	}
}
