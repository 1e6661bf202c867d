package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/sessions"
)

// channel is that of NOTIFY: its payload is the name of the server.
const channel = "caddy_grant_revocations"

// Wake listens on a connection of its own, beside the pool.
func (e *engine) Wake(ctx context.Context) <-chan struct{} {
	woken := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(mayConnect(ctx))
	go func() {
		select {
		case <-ctx.Done():
		case <-e.ended:
			cancel()
		}
	}()
	go func() {
		defer cancel()
		for wait := leastWait; ; wait = min(2*wait, mostWait) {
			if e.pool.unprepared.Load() {
				// PostgreSQL would tell the pooler, which has no one to tell
				e.logger.Info("revocations of other nodes are seen at the next poll: a pooler of transactions lies before PostgreSQL, through which it cannot wake")
				return
			}
			heard, err := e.listen(ctx, woken)
			if heard {
				wait = leastWait
			}
			e.logger.Debug("no longer listening for revocations", zap.Error(meaning(ctx, e.pool, err)))
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
		}
	}()
	return woken
}

// listen wakes until the connection breaks. heard says that there was one.
func (e *engine) listen(ctx context.Context, woken chan<- struct{}) (heard bool, err error) {
	defer recovered(&err)
	config := e.pool.Config().ConnConfig
	config.OnNotification = nil // which pgx replaces by its own
	within := func(do func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(ctx, e.pool.timeout)
		defer cancel()
		return do(ctx)
	}
	var conn *pgx.Conn
	err = within(func(ctx context.Context) (err error) {
		conn, err = pgx.ConnectConfig(ctx, config)
		return err
	})
	if err != nil {
		return false, err
	}
	defer within(conn.Close)
	err = within(func(ctx context.Context) error {
		_, err := conn.Exec(ctx, "LISTEN "+channel, pgx.QueryExecModeSimpleProtocol)
		return err
	})
	if err != nil {
		return false, err
	}
	wake(woken) // for what was revoked before
	for {
		quiet, cancel := context.WithTimeout(ctx, quietTime)
		notification, err := conn.WaitForNotification(quiet)
		cancel()
		switch {
		case err == nil && notification.Payload == e.server:
			wake(woken)
		case err == nil: // of another server
		case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
			if err := within(conn.Ping); err != nil {
				return true, err
			}
		default:
			return true, err
		}
	}
}

func wake(woken chan<- struct{}) {
	select {
	case woken <- struct{}{}:
	default: // not looked at yet
	}
}

const (
	leastWait = time.Second
	mostWait  = time.Minute
	quietTime = time.Minute // after which a connection may be dead
)

// Interface guard
var _ sessions.Waker = (*engine)(nil)
