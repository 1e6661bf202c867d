// Package login tests the login page and its sessions as people with browsers meet
// them: which requests a cookie lets through, where a browser is sent, and what the
// pages of other sites can do.
package login

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/clock"
)

func TestMain(m *testing.M) {
	clock.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	harness.Main(m)
}

// ahead is how much later it is for the server than for everything else.
var ahead atomic.Int64

// later moves the server's clock until the test ends.
func later(t *testing.T, by time.Duration) {
	t.Helper()
	before := ahead.Add(int64(by)) - int64(by)
	t.Cleanup(func() { ahead.Store(before) })
}
