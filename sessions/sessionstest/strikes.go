package sessionstest

import (
	"context"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caddygrant/caddy-grant/sessions"
)

// Strikes are what befalls the connections of one engine in the middle of its calls, for
// the hook Strike of [Engines]: an engine over a network has its client make connections
// of [Strikes.Conn].
type Strikes struct {
	// IsCall tells whether a message is one that a call of the engine is about. Others
	// pass, such as those that open a connection.
	IsCall func(message []byte) bool

	mutex sync.Mutex
	way   string
	left  int // how many messages it befalls
	late  []*struckConn
}

// The ways are those in which a network fails.
const (
	cutBefore   = "cut before the message"
	cutAfter    = "cut before the answer"
	cutAndLate  = "cut, and the message arrives later"
	hangAndLate = "hangs, and the message arrives later"
)

// hangTime is how long callers wait for a call that hangs.
const hangTime = 20 * time.Millisecond

// Conn returns a connection that can be struck. Once it was, the client must not use it
// again.
func (s *Strikes) Conn(c net.Conn) net.Conn { return &struckConn{Conn: c, strikes: s} }

// Draw is the hook Strike: it draws what befalls the next call, at its first attempt or at
// all of them.
func (s *Strikes) Draw(t *rapid.T) (ctx context.Context, struck bool, settle func()) {
	way := rapid.SampledFrom([]string{"", "", "", cutBefore, cutAfter, cutAndLate, hangAndLate}).Draw(t, "strike")
	attempts := rapid.SampledFrom([]int{1, 1, 100}).Draw(t, "attempts")
	arrives := rapid.SampledFrom([]string{"before", "after", "later", "never"}).Draw(t, "late messages arrive")
	if arrives == "before" {
		s.arrive(true)
	}
	ctx, end := context.WithCancel(t.Context())
	if way == hangAndLate {
		ctx, end = context.WithTimeout(t.Context(), hangTime)
	}
	s.set(way, attempts)
	return ctx, way != "", func() {
		end()
		s.set("", 0)
		if arrives == "after" || arrives == "never" {
			s.arrive(arrives == "after")
		}
	}
}

// End drops what has not arrived.
func (s *Strikes) End() { s.arrive(false) }

// TestStrikes shows that a strike is one: else the suite would test no more than that
// calls succeed. open opens an engine with its strikes, and other is one without.
func TestStrikes(t *testing.T, other sessions.Engine, open func(t *testing.T) (sessions.Engine, *Strikes)) {
	epoch, err := other.Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, way := range []string{cutBefore, cutAfter, cutAndLate, hangAndLate} {
		t.Run(way, func(t *testing.T) {
			e, s := open(t)
			t.Cleanup(s.End)
			swap := func(ctx context.Context) (took func() bool, err error) {
				id := sessions.NewID(time.Now().Add(24*time.Hour), epoch)
				_, err = e.Swap(ctx, id, 1, newAnswer())
				return func() bool {
					state, err := other.Load(t.Context(), id)
					if err != nil {
						t.Fatal(err)
					}
					return state.Generation == 1
				}, err
			}
			befall := func(attempts int) (took func() bool, err error) {
				if took, err := swap(t.Context()); err != nil || !took() { // such as statements are prepared by that
					t.Fatalf("without a strike: %v", err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				s.set(way, attempts)
				done := make(chan struct{})
				go func() {
					defer close(done)
					took, err = swap(ctx)
				}()
				for way == hangAndLate && !s.isHeld() {
					time.Sleep(time.Millisecond)
				}
				if way == hangAndLate {
					cancel()
				}
				<-done
				s.set("", 0)
				return took, err
			}
			if way != hangAndLate {
				if took, err := befall(1); err != nil || !took() {
					t.Errorf("at the first attempt: %v", err)
				}
			}
			took, err := befall(100)
			if err == nil {
				t.Error("no error")
			}
			if took() != (way == cutAfter) {
				t.Errorf("it has taken effect: %v", took())
			}
			s.arrive(true)
			if took() != (way != cutBefore) {
				t.Errorf("it has taken effect later: %v", took())
			}
		})
	}
}

func (s *Strikes) set(way string, left int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.way, s.left = way, left
}

func (s *Strikes) take(message []byte) string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.left == 0 || !s.IsCall(message) {
		return ""
	}
	s.left--
	return s.way
}

func (s *Strikes) isHeld() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.late) > 0
}

// arrive has late messages arrive, or never.
func (s *Strikes) arrive(arrives bool) {
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

// struckConn is a connection of Strikes. A client may read in another goroutine than that
// which writes.
type struckConn struct {
	net.Conn
	strikes *Strikes

	mutex sync.Mutex
	way   string
	held  []byte
}

func (c *struckConn) struck() string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.way
}

// isLate tells whether arrive has the connection.
func (c *struckConn) isLate() bool { return c.struck() == cutAndLate || c.struck() == hangAndLate }

func (c *struckConn) Write(message []byte) (int, error) {
	if c.struck() != "" { // such as the client's farewell
		return 0, io.ErrUnexpectedEOF
	}
	way := c.strikes.take(message)
	c.mutex.Lock()
	c.way, c.held = way, slices.Clone(message)
	c.mutex.Unlock()
	switch way {
	case cutBefore:
		_ = c.Conn.Close()
		return 0, io.ErrUnexpectedEOF
	case cutAndLate, hangAndLate:
		c.strikes.mutex.Lock()
		c.strikes.late = append(c.strikes.late, c)
		c.strikes.mutex.Unlock()
		return len(message), nil
	}
	return c.Conn.Write(message)
}

func (c *struckConn) Read(answer []byte) (int, error) {
	n, err := 0, error(nil)
	if !c.isLate() {
		n, err = c.Conn.Read(answer)
	}
	switch c.struck() {
	case "":
		return n, err
	case hangAndLate:
		time.Sleep(hangTime)
		return 0, os.ErrDeadlineExceeded
	case cutAfter:
		_ = c.Conn.Close()
	}
	return 0, io.EOF
}

// SetDeadline and Close leave alone what arrive has.
func (c *struckConn) SetDeadline(at time.Time) error {
	if c.isLate() {
		return nil
	}
	return c.Conn.SetDeadline(at)
}

func (c *struckConn) Close() error {
	if c.isLate() {
		return nil
	}
	return c.Conn.Close()
}
