package postgres_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/postgres"
	"github.com/caddygrant/caddy-grant/sessions/sessionstest"
)

// struck are the engines of the suite, each with a pool of its own.
type struck struct {
	mutex sync.Mutex
	of    map[sessions.Engine]*sessionstest.Strikes
}

func (s *struck) open(t *testing.T, server, url string) sessions.Engine {
	t.Helper()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	// another timeout, another pool
	settings := postgres.Postgres{URL: url, MaxConnections: 5 + len(s.of)%8, Timeout: caddy.Duration(5*time.Second) + caddy.Duration(len(s.of))}
	if err := settings.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	of := &sessionstest.Strikes{IsCall: isCall}
	settings.Dial(func(next pgconn.DialFunc) pgconn.DialFunc {
		return func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := next(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return of.Conn(conn), nil
		}
	})
	engine, err := settings.OpenSessions(server, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		of.End()
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	if s.of == nil {
		s.of = make(map[sessions.Engine]*sessionstest.Strikes)
	}
	s.of[engine] = of
	return engine
}

// isCall tells whether a message executes a prepared statement: Bind.
func isCall(message []byte) bool { return len(message) > 0 && message[0] == 'B' }

func (s *struck) strike(t *rapid.T, e sessions.Engine) (context.Context, bool, func()) {
	return s.strikesOf(e).Draw(t)
}

func (s *struck) strikesOf(e sessions.Engine) *sessionstest.Strikes {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.of[e]
}

func TestStrikesBefallCalls(t *testing.T) {
	url, _ := sharedServer(t).database(t)
	all := new(struck)
	sessionstest.TestStrikes(t, all.open(t, "main", url), func(t *testing.T) (sessions.Engine, *sessionstest.Strikes) {
		e := all.open(t, "main", url)
		return e, all.strikesOf(e)
	})
}
