package directory

import (
	"cmp"
	"time"

	"go.uber.org/zap"
)

// Settings is how a server wants its sources joined.
type Settings struct {
	Options

	// How old what a source said may be for a request with an access token. Default:
	// [DefaultMaxAge].
	MaxAge time.Duration

	// What the sources are warned of. Default: nothing is logged.
	Logger *zap.Logger
}

func (s Settings) withDefaults() Settings {
	s.MaxAge = cmp.Or(s.MaxAge, DefaultMaxAge)
	if s.Logger == nil {
		s.Logger = zap.NewNop()
	}
	return s
}
