// Package engines runs nodes, which are Caddy processes, on the session engines that
// are modules of their own, with the real Redis and the real PostgreSQL behind them. It is
// a module of its own, so that what the engines need is nothing that caddy-grant needs.
package engines

import (
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"

	_ "github.com/caddygrant/caddy-grant/sessions/postgres"
	_ "github.com/caddygrant/caddy-grant/sessions/redis"
)

// TestMain makes the program of the tests a Caddy that has the engines.
func TestMain(m *testing.M) { harness.Main(m) }
