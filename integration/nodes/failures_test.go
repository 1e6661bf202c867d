package nodes

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// newCountingCluster has nodes with a public client, whose peers may come from
// anywhere.
func newCountingCluster(t *testing.T, number int, throttle string) (*cluster, []*clusterNode) {
	c := newCluster(t)
	c.options = harness.ThrottleOptions
	return c, c.startNodes(number, "allow_http\nclient app {\npublic\n}\nuser bob "+c.hash+"\nthrottle {\n"+throttle+"\n}")
}

// C5: one password guessed at through four nodes in turn is looked at as often as
// through one, plus what fits into the delay.
func TestNodesCountFailuresTogether(t *testing.T) {
	t.Parallel()
	const ceiling, number = 12, 4
	_, nodes := newCountingCluster(t, number, fmt.Sprintf("account_ceiling %d", ceiling))
	nodes[0].AppLogin(harness.HomeAddress, "alice", "password").Want(t, http.StatusOK, "")

	begun := time.Now()
	looked, atLast := 0, time.Duration(0)
	for i := 0; time.Since(begun) < 15*time.Second; i++ {
		n := nodes[i%number]
		a := n.AppLogin(harness.StrangerAddress(1+i%250), "alice", harness.WrongPassword())
		switch {
		case a.Status == http.StatusBadRequest:
			looked++
			atLast = time.Since(begun)
		case a.Status != http.StatusTooManyRequests:
			t.Fatalf("a wrong password: %d %s", a.Status, a.Body)
		}
		time.Sleep(250 * time.Millisecond)
	}
	t.Logf("%d passwords were looked at with a ceiling of %d, the last one after %v", looked, ceiling, atLast)
	const perNode = 2 * 5 * 4 / number // 5 seconds, or twice as long on a busy machine; 4 attempts a second
	if looked < ceiling || looked > ceiling+(number-1)*perNode {
		t.Errorf("%d passwords were looked at, want %d and at most %d that fit into the delay", looked, ceiling, (number-1)*perNode)
	}

	for i, n := range nodes { // the first of them has seen the owner at home
		harness.Eventually(t, fmt.Sprintf("the owner is known at node %d", i), func() bool {
			return n.AppLogin(harness.HomeAddress, "alice", harness.WrongPassword()).Status == http.StatusBadRequest
		})
	}
	nodes[3].AppLogin(harness.HomeAddress, "alice", "password").Want(t, http.StatusOK, "")
	for i, n := range nodes {
		harness.Eventually(t, fmt.Sprintf("the owner's login has forgiven the failures at node %d", i), func() bool {
			return n.AppLogin(harness.StrangerAddress(200+i), "alice", harness.WrongPassword()).Status == http.StatusBadRequest
		})
	}
}

// Failures of one source count together, too, and outlive the node that counted them.
func TestNodesThatAreKilledLeaveTheirFailuresToOthers(t *testing.T) {
	t.Parallel()
	c, nodes := newCountingCluster(t, 2, "failures 3\ndelay 10m 1h")
	wrong := func(n *clusterNode, username string) int {
		return n.AppLogin(harness.StrangerAddress(1), username, harness.WrongPassword()).Status
	}
	for range 3 {
		if status := wrong(nodes[0], "alice"); status != http.StatusBadRequest {
			t.Fatalf("a wrong password: %d", status)
		}
	}
	refused := func(n *clusterNode) func() bool {
		return func() bool {
			return n.AppLogin(harness.StrangerAddress(1), "alice", "password").Status == http.StatusTooManyRequests
		}
	}
	harness.Eventually(t, "the other node knows", refused(nodes[1]))
	for _, n := range nodes {
		n.process.Kill()
	}
	late := c.node("allow_http\nclient app {\npublic\n}\nuser bob " + c.hash + "\nthrottle {\nfailures 3\ndelay 10m 1h\n}").start()
	harness.Eventually(t, "a node that comes later knows", refused(late))
	if a := late.AppLogin(harness.StrangerAddress(1), "bob", "password"); a.Status != http.StatusOK {
		t.Errorf("another account: %d %s", a.Status, a.Body)
	}
}

// Nothing is written without a failure, and little with many.
func TestNodesWriteFailuresIntoOneObjectEach(t *testing.T) {
	t.Parallel()
	c, nodes := newCountingCluster(t, 2, "failures 5")
	objects := func() []string {
		found, err := filepath.Glob(filepath.Join(c.storage(), "grant", "*", "failures", "*-*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for _, n := range nodes {
		n.AppLogin(harness.HomeAddress, "alice", "password").Want(t, http.StatusOK, "")
	}
	time.Sleep(5 * time.Second)
	if found := objects(); len(found) != 0 {
		t.Errorf("without a failure there is %q", found)
	}
	for i := range 200 {
		nodes[i%2].AppLogin(harness.StrangerAddress(i), fmt.Sprint("nobody", i), "wrong")
	}
	harness.Eventually(t, "each node has one object with what it has counted", func() bool {
		size := int64(0)
		found := objects()
		for _, path := range found {
			if info, err := os.Stat(path); err == nil {
				size += info.Size()
			}
		}
		return len(found) == 2 && size > 200*3*20 && size < 200*3*40
	})
}
