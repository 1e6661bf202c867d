package directory

import (
	"sync"

	"go.uber.org/zap"
)

// Calls counts the calls of a server's sources that have not returned, over all of its
// configs. A source that hangs for good would otherwise hold more with every reload. A
// new config still has places of its own, since a reload may be what fixes the source.
type Calls struct {
	mu     sync.Mutex
	totals map[string]chan struct{} // by source and what is called
}

// NewCalls returns the count for the configs of one server.
func NewCalls() *Calls { return &Calls{totals: make(map[string]chan struct{})} }

// of is the count of calls of one kind.
func (c *Calls) of(source, what string) chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := source + "\x00" + what
	if c.totals[key] == nil {
		c.totals[key] = make(chan struct{}, maxCallsInAll)
	}
	return c.totals[key]
}

// bounds makes the bounds of a source.
type bounds struct {
	name   string // of the source
	key    string // that it has in every config
	calls  *Calls
	logger *zap.Logger
}

func (b bounds) on(what string) *bound { return newBound(b.name, b.logger, b.calls.of(b.key, what)) }

// maxCallsInAll is maxCalls for all configs of a server together.
const maxCallsInAll = 3 * maxCalls
