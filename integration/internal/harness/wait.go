package harness

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// Eventually waits until ok is true, for at most three minutes: within a minute all
// nodes follow a rotation, and machines can be slow.
func Eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("still not so: %s", what)
}

// Patience is how long a test waits for an answer before it calls it missing.
const Patience = 2 * time.Minute

// UpgradesOver waits until the proxies of this process have no upgraded connection left.
// Caddy, as it ends, closes those that it has, also while it still copies them.
func UpgradesOver(t *testing.T) {
	t.Helper()
	Eventually(t, "all upgraded connections are over", func() bool {
		stacks := make([]byte, 16<<20)
		return !strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "reverseproxy.(*Handler).handleUpgradeResponse")
	})
}
