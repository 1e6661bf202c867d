package admin

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

// Where storage fails, the operator is told so, and that it is safe to repeat the command.
func TestAnOperatorIsToldThatStorageFails(t *testing.T) {
	t.Parallel()
	a := startNode(t, t.TempDir()+"/storage", longWaits, "")
	s := a.login("alice", "web")
	a.lock("bob")
	gone := a.storage + ".gone"
	if err := os.Rename(a.storage, gone); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.storage, []byte("not a directory"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"revoke", "--user", "alice"}, {"revoke", "--session", s.id}, {"rotate-key"}, {"sessions", "alice"}} {
		if out, errs := a.grant(1, args...); out != "" || !strings.HasPrefix(errs, "Error: ") || !strings.Contains(errs, "storage") {
			t.Errorf("%v prints %s%s", args, out, errs)
		}
	}
	if _, errs := a.grant(1, "unlock", "bob"); !strings.Contains(errs, "here it is unlocked") {
		t.Errorf("unlock prints %s", errs)
	}
	a.Login("bob", "correct horse").Want(t, 200, "") // a login needs no storage, and nor does this node's memory
	a.grant(0, "status")
	failed := a.audited("change failed")
	if len(failed) != 4 {
		t.Fatalf("audit lines: %v", failed)
	}
	for _, line := range failed {
		if line["level"] != "error" || line["status"] != 503.0 {
			t.Errorf("an audit line is %v", line)
		}
	}

	if err := os.Remove(a.storage); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(gone, a.storage); err != nil {
		t.Fatal(err)
	}
	a.grant(0, "revoke", "--user", "alice")
	a.wantOver(s)
}

// An operator who unlocks an account and an address gets both at this node.
func TestWhatCannotBeToldIsUnlockedHereAsAWhole(t *testing.T) {
	t.Parallel()
	a := startNode(t, t.TempDir()+"/storage", "throttle {\nfailures 1\ndelay 1h 1h\n}", "")
	login := func(username, password string) int {
		return a.Login(username, password, "client_id", "public", "client_secret", "").Status
	}
	for i := range 10 {
		login(fmt.Sprintf("stranger%d", i), fmt.Sprintf("wrong %d", i))
	}
	if got := login("alice", "correct horse"); got != http.StatusTooManyRequests {
		t.Fatalf("after wrong passwords: %d", got)
	}
	gone := a.storage + ".gone"
	if err := os.Rename(a.storage, gone); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.storage, []byte("not a directory"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs := a.grant(1, "unlock", "alice", "--ip", "127.0.0.1"); !strings.Contains(errs, "here it is unlocked") {
		t.Errorf("unlock prints %s", errs)
	}
	if got := login("alice", "correct horse"); got != 200 {
		t.Errorf("after the unlock: %d", got)
	}
}

// Operators at both nodes do not undo or hide what others do.
func TestOperatorsAtBothNodesAtTheSameTime(t *testing.T) {
	t.Parallel()
	a, b := startNodes(t, "")
	requests := []adminapi.RevokeRequest{{User: "alice"}, {Subject: "u-2"}, {Client: "web"}, {Client: "mobile"}, {All: true}}
	sessions := []*session{a.login("alice", "web"), b.login("bob", "mobile"), a.browser("alice")}
	var wg sync.WaitGroup
	for i, request := range requests {
		for _, n := range []*node{a, b} {
			client := n.client(t)
			wg.Go(func() {
				if _, err := client.Server("default").Revoke(t.Context(), request); err != nil {
					t.Errorf("request %d: %v", i, err)
				}
			})
		}
	}
	wg.Wait()
	for _, n := range []*node{a, b} {
		harness.Eventually(t, "the node knows of all revocations", func() bool {
			known := make(map[string]bool)
			for _, mark := range grantJSON[adminapi.Status](n, "status", "--server", "default").Ended {
				known[mark.Scope+" "+mark.Of] = true
			}
			return known["user alice"] && known["user u-2"] && known["client web"] && known["client mobile"] && known["server "]
		})
		for _, s := range sessions {
			n.wantOver(s)
		}
		n.wantGoing(n.login("alice", "web"))
	}
}
