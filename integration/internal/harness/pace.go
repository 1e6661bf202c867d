package harness

import (
	"time"

	"github.com/caddygrant/caddy-grant/internal/livefile"
)

// What this process follows it looks at more often than the product does, since most tests
// that change a file only wait for that. A [Process] is as slow as the product.
func init() {
	livefile.Interval = 100 * time.Millisecond
	livefile.Rest = 50 * time.Millisecond
}
