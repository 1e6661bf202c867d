package admin

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/adminapi"
	"github.com/caddygrant/caddy-grant/internal/sharedfailures"
)

// longWaits are longer than a test takes on any machine.
const longWaits = "throttle {\ndelay 1h 1h\n}"

// lock fails so often with an account that it has to wait, which it does not tell: the
// right password would be an attempt too.
func (n *node) lock(username string) {
	n.T.Helper()
	for i := range 5 {
		n.Login(username, fmt.Sprintf("wrong %d", i)).Want(n.T, http.StatusBadRequest, "invalid_grant")
	}
	n.wantLocked(username)
}

// lockToo does so at a node that may hear of another's failures before its own are enough.
func (n *node) lockToo(username string) {
	n.T.Helper()
	for i := range 5 {
		n.Login(username, fmt.Sprintf("wrong %d", i))
	}
	n.wantLocked(username)
}

func (n *node) wantLocked(username string) {
	n.T.Helper()
	if a := n.Login(username, "correct horse"); a.Status != http.StatusTooManyRequests {
		n.T.Fatalf("%s: %d %s, want 429", username, a.Status, a.Body)
	}
}

// An account that typed wrong passwords logs in again, at both nodes, and no other one.
func TestAnAccountIsUnlockedOnBothNodes(t *testing.T) {
	t.Parallel()
	a, b := startNodes(t, longWaits)
	a.lock("alice")
	b.lockToo("alice")
	b.lock("bob")
	a.lockToo("bob")
	if got := grantJSON[adminapi.Status](a, "status", "--server", "default"); got.Throttle.Pairs != 2 {
		t.Errorf("the status has %+v", got.Throttle)
	}
	out, _ := a.grant(0, "unlock", "alice")
	if !regexp.MustCompile(`^Unlocked user alice\. Other nodes learn of it within \d+m?s\.\n$`).MatchString(out) {
		t.Errorf("it prints %q", out)
	}
	a.Login("alice", "correct horse").Want(t, 200, "")
	harness.Eventually(t, "alice logs in at the other node", func() bool { return b.Login("alice", "correct horse").Status == 200 })
	a.wantLocked("bob")
	b.wantLocked("bob")
	if got := grantJSON[adminapi.Status](a, "status", "--server", "default"); got.Throttle.Pairs != 1 {
		t.Errorf("the status has %+v", got.Throttle)
	}
}

// What the other node had counted before it heard of the unlock is told to this one after
// the unlock, and locks nobody.
func TestAnUnlockHoldsAgainstWhatOtherNodesTellLate(t *testing.T) {
	t.Parallel()
	a, b := startNodes(t, longWaits+"\nrevocation_poll 10s")
	b.lock("alice")
	a.grant(0, "unlock", "alice")
	for until := time.Now().Add(sharedfailures.PublishEvery + sharedfailures.ReadEvery); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if got := grantJSON[adminapi.Status](a, "status", "--server", "default"); got.Throttle.Pairs != 0 {
			t.Fatalf("the status has %+v", got.Throttle)
		}
	}
	a.Login("alice", "correct horse").Want(t, 200, "")
}

// Failures after an unlock count, also at a node that learns of the unlock only then.
func TestFailuresAfterAnUnlockCount(t *testing.T) {
	t.Parallel()
	a, b := startNodes(t, longWaits)
	a.lock("alice")
	a.grant(0, "unlock", "alice")
	a.lock("alice")
	a.grant(0, "unlock", "alice")
	a.Login("alice", "correct horse").Want(t, 200, "")
	b.lock("bob")
	b.wantLocked("bob")
}

// A name that was mistyped may also be one that was attacked: it is unlocked, and said.
func TestAnAccountThatDoesNotExistIsUnlockedWithAWarning(t *testing.T) {
	t.Parallel()
	a := startNode(t, t.TempDir(), longWaits, "")
	a.lock("nobody")
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"unlock", "nobody"}, "Warning: there is no user nobody; failed logins under that name are forgotten all the same.\n"},
		{[]string{"unlock", "--client", "nobody"}, "Warning: there is no client nobody; failed logins under that name are forgotten all the same.\n"},
		{[]string{"unlock", "alice"}, ""},
		{[]string{"unlock", "--client", "web"}, ""},
		{[]string{"unlock", "--ip", "192.0.2.1"}, ""},
	} {
		if out, errs := a.grant(0, test.args...); !strings.HasPrefix(out, "Unlocked ") || errs != test.says {
			t.Errorf("%v: %q, %q", test.args, out, errs)
		}
	}
	a.Login("nobody", "correct horse").Want(t, http.StatusBadRequest, "invalid_grant")
	if got := grantJSON[adminapi.Unlocked](a, "unlock", "nobody"); !got.Unknown {
		t.Errorf("the JSON is %+v", got)
	}
}

func TestAClientIsUnlocked(t *testing.T) {
	t.Parallel()
	a, b := startNodes(t, longWaits)
	login := func(n *node, secret string) int {
		return n.Login("alice", "correct horse", "client_secret", secret).Status
	}
	for _, n := range []*node{a, b} {
		for i := range 5 {
			login(n, fmt.Sprintf("wrong %d", i))
		}
		if got := login(n, "web-secret"); got != http.StatusTooManyRequests {
			t.Fatalf("after wrong secrets: %d", got)
		}
	}
	a.grant(0, "unlock", "--client", "web")
	if got := login(a, "web-secret"); got != 200 {
		t.Errorf("after the unlock: %d", got)
	}
	harness.Eventually(t, "the client may ask at the other node", func() bool { return login(b, "web-secret") == 200 })
}

// An address that failed with many accounts.
func TestAnAddressIsUnlocked(t *testing.T) {
	t.Parallel()
	a, b := startNodes(t, "throttle {\nfailures 1\ndelay 1h 1h\n}")
	// by a public client: the failures of others are those of the client, not of an address
	login := func(n *node, username, password string) int {
		return n.Login(username, password, "client_id", "public", "client_secret", "").Status
	}
	for _, n := range []*node{a, b} {
		for i := range 10 {
			login(n, fmt.Sprintf("stranger%d", i), fmt.Sprintf("wrong %d", i))
		}
		if got := login(n, "alice", "correct horse"); got != http.StatusTooManyRequests {
			t.Fatalf("after wrong passwords: %d", got)
		}
	}
	a.grant(0, "unlock", "alice") // the address still has to wait
	if got := login(a, "alice", "correct horse"); got != http.StatusTooManyRequests {
		t.Fatalf("after the account was unlocked: %d", got)
	}
	out, _ := a.grant(0, "unlock", "--ip", "127.0.0.1")
	if want := regexp.MustCompile(`^Unlocked address 127\.0\.0\.1\. `); !want.MatchString(out) {
		t.Errorf("it prints %q", out)
	}
	if got := login(a, "alice", "correct horse"); got != 200 {
		t.Errorf("after the unlock: %d", got)
	}
	harness.Eventually(t, "alice logs in at the other node", func() bool { return login(b, "alice", "correct horse") == 200 })
}

func TestWhoCannotBeUnlocked(t *testing.T) {
	t.Parallel()
	a := startNode(t, t.TempDir(), "", "")
	for _, args := range [][]string{{"unlock"}, {"unlock", "--ip", "localhost"}, {"unlock", "alice", "--client", "web"}} {
		if _, errs := a.grant(1, args...); !regexp.MustCompile("^Error: ").MatchString(errs) {
			t.Errorf("%v: %s", args, errs)
		}
	}
}
