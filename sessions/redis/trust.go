package redis

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddygrant/caddy-grant/sessions"
)

// trust says which processes have all that was acknowledged. A Redis that restarts
// without an append-only file may come back with a snapshot of some minutes ago, epoch
// included. So where one has no such file, only the processes that ran when the epoch
// was made are trusted. A connection is to one process for as long as it lives, so it is
// enough to ask when it is made.
type trust struct {
	mutex  sync.Mutex
	known  bool // an examination has found what follows
	runs   []string
	failed error // what the last examination found instead
	again  time.Time
}

// runsOf reads what the root has: nothing where all have an append-only file.
func runsOf(text string) []string { return strings.Fields(text) }

// trusts tells whether a process has all that was acknowledged.
func trusts(runs []string, p *process) bool {
	if len(runs) == 0 {
		return p.aof
	}
	return slices.Contains(runs, p.run)
}

// admit is called for each new connection for sessions, also in goroutines of the client.
func (e *engine) admit(ctx context.Context, conn *goredis.Conn) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	p, err := askProcess(ctx, conn)
	if errors.Is(err, sessions.ErrUnsuitable) {
		return &refusal{strings.TrimPrefix(failure(err).Error(), "redis: ")}
	}
	if err != nil {
		return err
	}
	if p.mode == "sentinel" {
		return nil
	}
	e.trust.mutex.Lock()
	defer e.trust.mutex.Unlock()
	if e.trust.known && trusts(e.trust.runs, &p) {
		return nil
	}
	e.trust.known = false // another node may have made an epoch: look again
	return &refusal{"it has no append-only file and was restarted, or another process has taken its place: what it has may be old. Load Caddy's config again, after which all of its sessions are over and logins work"}
}

// trusted returns nil if it is known which processes are trusted, and looks if not.
func (e *engine) trusted(ctx context.Context) error {
	e.trust.mutex.Lock()
	known, failed, again := e.trust.known, e.trust.failed, e.trust.again
	e.trust.mutex.Unlock()
	if known {
		return nil
	}
	if failed != nil && time.Now().Before(again) {
		return failed
	}
	select {
	case e.making <- struct{}{}:
		defer func() { <-e.making }()
	case <-ctx.Done():
		return ctx.Err()
	}
	_, err := e.examine(ctx)
	return err
}

// trusting remembers what an examination has found. One that failed changes nothing for
// the connections that there are.
func (e *engine) trusting(found *examination, err error) {
	e.trust.mutex.Lock()
	defer e.trust.mutex.Unlock()
	if err == nil {
		e.trust.known, e.trust.failed, e.trust.runs = true, nil, found.runs
		return
	}
	e.trust.failed, e.trust.again = nil, time.Now().Add(examineAgain)
	if !timedOut(err) { // which the next caller may have more of
		e.trust.failed = err
	}
}

// examineAgain is how long a failed examination stands for the calls of sessions.
const examineAgain = 500 * time.Millisecond
