package directory

import (
	"cmp"
	"fmt"
	"time"

	"go.uber.org/zap"
)

// Settings is how a server wants its sources joined.
type Settings struct {
	Options

	// How old what a source said may be for a request with an access token. Default:
	// [DefaultMaxAge].
	MaxAge time.Duration

	// A client that is the server itself: tokens and sessions can belong to it, and no
	// request can authenticate as it. No source may have a client of its id. Default:
	// none.
	OwnClient *Client

	// What the sources are warned of. Default: nothing is logged.
	Logger *zap.Logger

	// The calls of sources that have not returned, of all configs of the server.
	// Default: those of this config.
	Calls *Calls
}

func (s Settings) withDefaults() Settings {
	s.MaxAge = cmp.Or(s.MaxAge, DefaultMaxAge)
	if s.Logger == nil {
		s.Logger = zap.NewNop()
	}
	if s.Calls == nil {
		s.Calls = NewCalls()
	}
	return s
}

// boundsOf makes the bounds of the i-th source of users or of clients. Two sources may
// have one name.
func (s Settings) boundsOf(kind string, i int, name string) bounds {
	return bounds{name, fmt.Sprintf("%s %d %s", kind, i, name), s.Calls, s.Logger}
}
