package harness

import (
	"testing"

	"github.com/caddygrant/caddy-grant/internal/realserver"
)

// FreePort returns a TCP port of the loopback that nothing listens on, another one each
// time, in all tests that run side by side.
func FreePort(t *testing.T) int {
	t.Helper()
	port, err := realserver.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}
