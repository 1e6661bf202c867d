// Package command tests the commands of `caddy grant` as processes.
package command

import (
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
