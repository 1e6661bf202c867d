package events

import (
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
