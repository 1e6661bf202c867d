package redis

import (
	"context"
	"fmt"
	"strings"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
)

func init() { goredis.SetLogger(quiet{}) }

// quiet writes what the client says into Caddy's log, rather than to standard error. Other
// modules may use the client too. What each failed call repeats is left out: that a
// connection could not be made. Callers get it as an error.
type quiet struct{}

// Printf implements the client's interface.
func (quiet) Printf(_ context.Context, format string, values ...any) {
	if strings.Contains(format, "failed to dial") {
		return
	}
	caddy.Log().Named("redis").Info("the client of Redis says", zap.String("message", firstLine(fmt.Sprintf(format, values...))))
}
