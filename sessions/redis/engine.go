package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/batch"
)

// engine has the sessions of one server.
type engine struct {
	keys     *keys
	clients  *clients
	pipeline *batch.Queue[scriptCall, reply] // nil: a cluster
	timeout  time.Duration
	logger   *zap.Logger

	trust  trust
	making chan struct{}   // holds one, taken by the call that examines Redis
	seen   bool            // the epoch was there once; guarded by making
	alive  map[string]bool // processes that were trusted at the last look; guarded by making
	warned atomic.Bool

	allowed atomic.Bool // the user of Redis had all rights when they were last tried

	sweeping   chan struct{} // holds one
	swept      sweepPlace    // guarded by sweeping
	sweepAgain time.Duration
}

func newEngine(settings *settings, server string, logger *zap.Logger) *engine {
	e := &engine{
		keys:       newKeys(settings.prefix, server),
		timeout:    settings.timeout,
		logger:     logger,
		making:     make(chan struct{}, 1),
		sweeping:   make(chan struct{}, 1),
		swept:      sweepPlace{begun: time.Now()},
		sweepAgain: sweepAgain,
	}
	e.clients = newClients(settings, e.admit)
	if settings.cluster == nil {
		e.pipeline = newPipeline(e)
	}
	return e
}

// Load implements [sessions.Engine].
func (e *engine) Load(ctx context.Context, id sessions.ID) (sessions.State, error) {
	return e.state(ctx, id, scriptLoad)
}

// Swap implements [sessions.Engine].
func (e *engine) Swap(ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
	if next == 0 || len(answer) != answerLength || strings.Trim(answer, "0123456789abcdef") != "" {
		return sessions.State{}, fmt.Errorf("redis: generation %d, or the name of the exchange, is not valid", next)
	}
	return e.state(ctx, id, scriptSwap, strconv.FormatUint(next-1, 10), strconv.FormatUint(next, 10), answer)
}

// answerLength is the length of the name of an exchange.
const answerLength = 32

// Revoke implements [sessions.Engine]. The third step saves the feed from repeats: what
// matters is done before it.
func (e *engine) Revoke(ctx context.Context, id sessions.ID) error {
	if !id.IsValid() {
		return errID
	}
	_, err := waiting(ctx, e, e.timeout, func(ctx context.Context) (struct{}, error) {
		said, err := e.say(ctx, scriptRevoke, e.keys.of(id), append(e.arguments(id), "1")...)
		if err == nil && said == "1" {
			if said, err = e.say(ctx, scriptFeedAdd, []string{e.keys.root, e.keys.feed}, id.String()); err == nil && said != saidLost {
				_, _ = e.say(ctx, scriptRevoke, e.keys.of(id), append(e.arguments(id), "2")...)
			}
		}
		switch {
		case err != nil:
			return struct{}{}, err
		case said == saidLost:
			return struct{}{}, errLost
		case said == saidOther:
			return struct{}{}, sessions.ErrOtherEpoch
		}
		return struct{}{}, nil
	})
	return err
}

// Close implements [sessions.Engine].
func (e *engine) Close() error { return e.clients.close() }

// arguments are those that all scripts of a session begin with.
func (e *engine) arguments(id sessions.ID) []any {
	return append(make([]any, 0, 8), id.Epoch, id.Day, id.Over().UnixMilli(), id.Random)
}

// state runs a script of a session and reads the state that it returns.
func (e *engine) state(ctx context.Context, id sessions.ID, script *goredis.Script, more ...any) (sessions.State, error) {
	if !id.IsValid() {
		return sessions.State{}, errID
	}
	said, err := e.sayInTime(ctx, script, e.keys.of(id), append(e.arguments(id), more...)...)
	if err != nil {
		return sessions.State{}, err
	}
	switch said {
	case saidLost:
		return sessions.State{}, errLost
	case saidOther:
		return sessions.State{}, sessions.ErrOtherEpoch
	case saidOver:
		return sessions.State{Over: true}, nil
	case saidDamaged:
		return sessions.State{}, sessions.ErrDamaged
	}
	return parseState(said)
}

// sayInTime is say, and waits for timeout at most.
func (e *engine) sayInTime(ctx context.Context, script *goredis.Script, keys []string, args ...any) (string, error) {
	if e.pipeline != nil {
		of, err := e.pipeline.Do(ctx, scriptCall{script, keys, args})
		if err != nil {
			return "", failure(err)
		}
		text, err := said(of.value, of.err)
		return text, failure(err)
	}
	return waiting(ctx, e, e.timeout, func(ctx context.Context) (string, error) {
		return e.say(ctx, script, keys, args...)
	})
}

// parseState reads generation, answer, age in milliseconds, and whether it is revoked.
func parseState(text string) (sessions.State, error) {
	parts := strings.Split(text, ":")
	if len(parts) != 4 {
		return sessions.State{}, sessions.ErrDamaged
	}
	generation, err := strconv.ParseUint(parts[0], 10, 64)
	if err != nil {
		return sessions.State{}, sessions.ErrDamaged
	}
	age, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil || age < 0 || age > int64(maxAge/time.Millisecond) {
		return sessions.State{}, sessions.ErrDamaged
	}
	return sessions.State{
		Generation: generation,
		Answer:     parts[1],
		Age:        time.Duration(age) * time.Millisecond,
		Revoked:    parts[3] != "0",
	}, nil
}

// maxAge is the highest age that can be true.
const maxAge = 100 * 365 * 24 * time.Hour

// Interface guard
var _ sessions.Engine = (*engine)(nil)
