package redis

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

func init() { goredis.SetLogger(quiet{log.New(os.Stderr, "redis: ", log.LstdFlags|log.Lshortfile)}) }

// quiet is the log of the client, which other modules may use too, without what each
// failed call repeats: that a connection could not be made. Callers get it as an error.
type quiet struct{ log *log.Logger }

// Printf implements the client's interface.
func (q quiet) Printf(_ context.Context, format string, values ...any) {
	if strings.Contains(format, "failed to dial") {
		return
	}
	_ = q.log.Output(2, fmt.Sprintf(format, values...))
}
