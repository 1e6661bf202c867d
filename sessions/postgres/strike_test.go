package postgres_test

import (
	"context"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/postgres"
)

// strikes are what befalls the connections of one engine in the middle of its calls.
type strikes struct {
	mutex sync.Mutex
	way   string // "" for none
	left  int    // how many statements it befalls
	late  []*struckConn
}

// The ways are those in which a network fails.
const (
	struckBefore = "cut before the statement"
	struckAfter  = "cut before the answer"
	struckLate   = "cut, and the statement arrives later"
	struckHangs  = "hangs, and the statement arrives later"

	hangTime = 20 * time.Millisecond // which callers wait
)

// dial makes connections that can be struck.
func (s *strikes) dial(next pgconn.DialFunc) pgconn.DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := next(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &struckConn{Conn: conn, strikes: s}, nil
	}
}

// take is what befalls a message: the one that executes a prepared statement, Bind.
func (s *strikes) take(message []byte) string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.left == 0 || len(message) == 0 || message[0] != 'B' {
		return ""
	}
	s.left--
	return s.way
}

func (s *strikes) set(way string, left int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.way, s.left = way, left
}

// arrive has late statements arrive, or never.
func (s *strikes) arrive(arrives bool) {
	s.mutex.Lock()
	late := s.late
	s.late = nil
	s.mutex.Unlock()
	for _, c := range late {
		if arrives {
			_ = c.Conn.SetDeadline(time.Now().Add(5 * time.Second))
			if _, err := c.Conn.Write(c.held); err == nil {
				_, _ = c.Conn.Read(make([]byte, 4096)) // it has run
			}
		}
		_ = c.Conn.Close()
	}
}

// struckConn is a connection to PostgreSQL, which is no longer used once it was struck.
// The driver may read in another goroutine than that which writes.
type struckConn struct {
	net.Conn
	strikes *strikes

	mutex sync.Mutex
	way   string
	held  []byte
}

func (c *struckConn) struck() string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.way
}

// isHeld tells whether arrive has the connection.
func (c *struckConn) isHeld() bool { return c.struck() == struckLate || c.struck() == struckHangs }

func (c *struckConn) Write(message []byte) (int, error) {
	if c.struck() != "" { // such as the driver's farewell
		return 0, io.ErrUnexpectedEOF
	}
	way := c.strikes.take(message)
	c.mutex.Lock()
	c.way, c.held = way, slices.Clone(message)
	c.mutex.Unlock()
	switch way {
	case struckBefore:
		_ = c.Conn.Close()
		return 0, io.ErrUnexpectedEOF
	case struckLate, struckHangs:
		c.strikes.mutex.Lock()
		c.strikes.late = append(c.strikes.late, c)
		c.strikes.mutex.Unlock()
		return len(message), nil
	}
	return c.Conn.Write(message)
}

func (c *struckConn) Read(answer []byte) (int, error) {
	n, err := 0, error(nil)
	if !c.isHeld() {
		n, err = c.Conn.Read(answer)
	}
	switch c.struck() {
	case "":
		return n, err
	case struckHangs:
		time.Sleep(hangTime)
		return 0, os.ErrDeadlineExceeded
	case struckAfter:
		_ = c.Conn.Close()
	}
	return 0, io.EOF
}

// SetDeadline and Close leave alone what arrive has.
func (c *struckConn) SetDeadline(at time.Time) error {
	if c.isHeld() {
		return nil
	}
	return c.Conn.SetDeadline(at)
}

func (c *struckConn) Close() error {
	if c.isHeld() {
		return nil
	}
	return c.Conn.Close()
}

// struck are the engines of the suite, each with a pool of its own.
type struck struct {
	mutex sync.Mutex
	of    map[sessions.Engine]*strikes
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
	of := new(strikes)
	settings.Dial(of.dial)
	engine, err := settings.OpenSessions(server, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		of.arrive(false)
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	if s.of == nil {
		s.of = make(map[sessions.Engine]*strikes)
	}
	s.of[engine] = of
	return engine
}

func (s *struck) strikesOf(e sessions.Engine) *strikes {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.of[e]
}

// strike draws what befalls the next call of an engine, at its first attempt or at all.
func (s *struck) strike(t *rapid.T, e sessions.Engine) (context.Context, bool, func()) {
	of := s.strikesOf(e)
	way := rapid.SampledFrom([]string{"", "", "", struckBefore, struckAfter, struckLate, struckHangs}).Draw(t, "strike")
	attempts := rapid.SampledFrom([]int{1, 1, 100}).Draw(t, "attempts")
	arrives := rapid.SampledFrom([]string{"before", "after", "later", "never"}).Draw(t, "late statements arrive")
	if arrives == "before" {
		of.arrive(true)
	}
	ctx, end := context.WithCancel(t.Context())
	if way == struckHangs {
		ctx, end = context.WithTimeout(t.Context(), hangTime)
	}
	of.set(way, attempts)
	return ctx, way != "", func() {
		end()
		of.set("", 0)
		if arrives == "after" || arrives == "never" {
			of.arrive(arrives == "after")
		}
	}
}

// A strike is one: else the suite would test no more than that calls succeed.
func TestStrikesBefallCalls(t *testing.T) {
	url, _ := sharedServer(t).database(t)
	all := new(struck)
	other := all.open(t, "main", url)
	epoch := epochOf(t, other)
	for way, arrived := range map[string]uint64{struckBefore: 0, struckAfter: 1, struckLate: 0, struckHangs: 0} {
		e := all.open(t, "main", url)
		of := all.strikesOf(e)
		befall := func(attempts int) (sessions.ID, error) {
			id := newID(epoch)
			swap(t, e, newID(epoch), 1, newAnswer()) // the statement is prepared
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			of.set(way, attempts)
			go func() { _, err := e.Swap(ctx, id, 1, newAnswer()); done <- err }()
			for way == struckHangs && !of.isHeld() {
				time.Sleep(time.Millisecond)
			}
			if way == struckHangs {
				cancel()
			}
			err := <-done
			of.set("", 0)
			return id, err
		}
		if way != struckHangs {
			if id, err := befall(1); err != nil || loaded(t, other, id).Generation != 1 {
				t.Errorf("%s, at the first attempt: %v", way, err)
			}
		}
		id, err := befall(100)
		if err == nil {
			t.Errorf("%s: no error", way)
		}
		if state := loaded(t, other, id); state.Generation != arrived {
			t.Errorf("%s: generation %d, want %d", way, state.Generation, arrived)
		}
		of.arrive(true)
		if way == struckLate || way == struckHangs {
			arrived = 1
		}
		if state := loaded(t, other, id); state.Generation != arrived {
			t.Errorf("%s, later: generation %d, want %d", way, state.Generation, arrived)
		}
	}
}

func (s *strikes) isHeld() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.late) > 0
}
