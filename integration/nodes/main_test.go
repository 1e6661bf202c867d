package nodes

import (
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Most tests wait for processes of their own, such as for locks that go stale.
func TestMain(m *testing.M) { harness.Main(m) }
