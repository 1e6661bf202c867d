package postgres_test

import (
	"context"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/postgres"
)

// load is clients that exchange the tokens of some sessions at two nodes, several the
// same ones at once.
type load struct {
	t       *testing.T
	engines []sessions.Engine
	clients sync.WaitGroup
	end     chan struct{}

	mu     sync.Mutex
	won    map[token]string // the answer that won each generation
	newest map[sessions.ID]uint64
	ended  map[sessions.ID]bool
	failed int
}

type token struct {
	sessions.ID
	generation uint64
}

func startLoad(t *testing.T, url string, timeout time.Duration) *load {
	l := &load{t: t, end: make(chan struct{}), won: make(map[token]string), newest: make(map[sessions.ID]uint64), ended: make(map[sessions.ID]bool)}
	var epoch string
	for i := range 2 {
		engine := openedAs(t, "main", postgres.Postgres{URL: url, MaxConnections: 10 + i, Timeout: caddy.Duration(timeout)}, zap.NewNop())
		l.engines, epoch = append(l.engines, engine), epochOf(t, engine)
	}
	for range 8 {
		id := newID(epoch)
		for i := range 4 {
			l.clients.Go(func() { l.exchange(id, l.engines[i%2]) })
		}
	}
	l.clients.Go(func() {
		for l.goes() {
			id := newID(epoch)
			if err := l.engines[0].Revoke(context.Background(), id); err != nil {
				l.fails(err)
				continue
			}
			l.mu.Lock()
			l.ended[id] = true
			l.mu.Unlock()
		}
	})
	return l
}

func (l *load) goes() bool {
	select {
	case <-l.end:
		return false
	default:
		return true
	}
}

func (l *load) fails(err error) {
	if isState(err) {
		l.t.Error(err)
	}
	l.mu.Lock()
	l.failed++
	l.mu.Unlock()
	time.Sleep(5 * time.Millisecond)
}

// exchange takes the newest token that it sees, as the others do.
func (l *load) exchange(id sessions.ID, engine sessions.Engine) {
	for l.goes() {
		l.mu.Lock()
		acknowledged := l.newest[id]
		l.mu.Unlock()
		state, err := engine.Load(context.Background(), id)
		if err != nil {
			l.fails(err)
			continue
		}
		if state.Generation < acknowledged {
			l.t.Errorf("generation %d, after %d was acknowledged", state.Generation, acknowledged)
			return
		}
		next, answer := state.Generation+1, newAnswer()
		after, err := engine.Swap(context.Background(), id, next, answer)
		if err != nil {
			l.fails(err)
			continue
		}
		if !wonAs(after, next, answer) {
			if after.Generation < next || after.Revoked || after.Over {
				l.t.Errorf("a swap to %d that lost: %+v", next, after)
			}
			continue
		}
		l.mu.Lock()
		if other, twice := l.won[token{id, next}]; twice {
			l.t.Errorf("%s and %s won generation %d", answer, other, next)
		}
		l.won[token{id, next}] = answer
		l.newest[id] = max(l.newest[id], next)
		l.mu.Unlock()
	}
}

// goesOn waits until more exchanges were acknowledged.
func (l *load) goesOn() {
	l.t.Helper()
	wins := func() int { l.mu.Lock(); defer l.mu.Unlock(); return len(l.won) }
	until := wins() + 100
	for range 3000 {
		if wins() >= until {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	l.t.Fatal("the exchanges do not go on")
}

// stop ends the load, and looks for all that was acknowledged.
func (l *load) stop() {
	l.t.Helper()
	close(l.end)
	l.clients.Wait()
	for id, generation := range l.newest {
		if state := loaded(l.t, l.engines[0], id); state.Generation < generation || state.Generation == generation && state.Answer != l.won[token{id, generation}] {
			l.t.Errorf("%+v, after %d by %s was acknowledged", state, generation, l.won[token{id, generation}])
		}
	}
	ids, _ := follow(l.t, l.engines[1], "")
	seen := make(map[sessions.ID]bool)
	for _, id := range ids {
		seen[id] = true
	}
	for id := range l.ended {
		if !seen[id] || !loaded(l.t, l.engines[1], id).Revoked {
			l.t.Errorf("%s is in the feed: %v", id, seen[id])
		}
	}
	l.t.Logf("%d exchanges and %d ends were acknowledged, %d calls failed", len(l.won), len(l.ended), l.failed)
	if len(l.won) == 0 || len(l.ended) == 0 {
		l.t.Error("the load did nothing")
	}
}

func TestNothingIsLostOrWorksTwiceWhenPostgresIsKilled(t *testing.T) {
	s := newServer(t)
	url, _ := s.database(t)
	l := startLoad(t, url, 2*time.Second)
	for range 5 {
		l.goesOn()
		s.kill()
		s.start()
	}
	l.goesOn()
	l.stop()
	if l.failed == 0 {
		t.Error("no call failed: the test tests nothing")
	}
}

// A server process that is killed has all others start again, with what is on the disk.
func TestNothingIsLostOrWorksTwiceWhenABackendIsKilled(t *testing.T) {
	s := newServer(t)
	url, _ := s.database(t)
	db := connect(t, url)
	l := startLoad(t, url, 2*time.Second)
	for range 5 {
		l.goesOn()
		_ = syscall.Kill(backend(t, db), syscall.SIGKILL)
		s.awaits()
		db.Reset()
	}
	l.goesOn()
	l.stop()
	if l.failed == 0 {
		t.Error("no call failed: the test tests nothing")
	}
}

// backend is the process of a connection of the load. The pid is one of a child of the
// server of this test.
func backend(t *testing.T, db *pgxpool.Pool) int {
	t.Helper()
	return value[int](t, db, `SELECT pid FROM pg_stat_activity WHERE application_name = 'caddy-grant' AND datname = current_database() ORDER BY random() LIMIT 1`)
}

// An administrator, or a pooler's end, closes connections in the middle of statements:
// calls are made again.
func TestConnectionsThatAreEndedCostNoCall(t *testing.T) {
	s := newServer(t)
	url, db := s.database(t)
	l := startLoad(t, url, 30*time.Second) // so that none fails for another reason
	for range 10 {
		l.goesOn()
		run(t, db, `SELECT pg_terminate_backend($1)`, backend(t, db))
	}
	l.goesOn()
	l.stop()
	if l.failed > 0 {
		t.Errorf("%d calls failed", l.failed)
	}
}

func TestAPauseOfPostgresLosesNothing(t *testing.T) {
	s := newServer(t)
	url, _ := s.database(t)
	l := startLoad(t, url, 2*time.Second)
	l.goesOn()
	s.signal(syscall.SIGSTOP)
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if _, err := l.engines[0].Load(ctx, newID(sessions.NewEpoch())); err == nil {
			t.Error("a server that stands still answered")
		}
		cancel()
	}
	time.Sleep(7 * time.Second)
	s.signal(syscall.SIGCONT)
	l.goesOn()
	l.stop()
	if l.failed == 0 {
		t.Error("no call failed: the test tests nothing")
	}
}
