package harness

import (
	"time"

	"github.com/caddygrant/caddy-grant/internal/allowance"
	"github.com/caddygrant/caddy-grant/internal/issuer"
	"github.com/caddygrant/caddy-grant/internal/livefile"
)

// This process looks more often at the files that it follows than the product does, and
// allows the writes of a session and the fetches of an issuer's keys sooner, since tests
// only wait for these. So does a process that is this program; another [Process] is as
// slow as the product.
func init() {
	livefile.Interval = 100 * time.Millisecond
	livefile.Rest = 50 * time.Millisecond
	allowance.WriteInterval = 250 * time.Millisecond
	issuer.AskInterval = 500 * time.Millisecond
}
