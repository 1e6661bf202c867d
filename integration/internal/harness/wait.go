package harness

import (
	"testing"
	"time"
)

// Eventually waits until ok is true, for at most a minute and a half: within a minute
// all nodes follow a rotation, and machines can be slow.
func Eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("still not so: %s", what)
}

// Patience is how long a test waits for an answer before it calls it missing.
const Patience = 30 * time.Second
