package redis

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/caddygrant/caddy-grant/sessions"
)

// strikes are what befalls the connections of one engine in the middle of its calls.
type strikes struct {
	mutex sync.Mutex
	way   string // "" for none
	left  int    // how many requests it befalls
	late  []*struckConn
}

// The ways are those in which a network fails.
const (
	struckBefore = "cut before the request"
	struckAfter  = "cut before the answer"
	struckLate   = "cut, and the request arrives later"
	struckHangs  = "hangs, and the request arrives later"
)

// hangTime is how long callers wait for a call that hangs.
const hangTime = 20 * time.Millisecond

// dial makes a connection that can be struck.
func (s *strikes) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &struckConn{Conn: conn, strikes: s}, nil
}

// take is what befalls a request. Of the others, a failed one is no failure of the call,
// or fails calls to come: see examineAgain.
func (s *strikes) take(request []byte) string {
	for _, script := range []*goredis.Script{scriptLoad, scriptSwap, scriptRevoke, scriptSweep, scriptFeedAdd, scriptFeedPage, scriptFeedTrim} {
		if bytes.Contains(request, []byte(script.Hash())) {
			s.mutex.Lock()
			defer s.mutex.Unlock()
			if s.left == 0 {
				return ""
			}
			s.left--
			return s.way
		}
	}
	return ""
}

// arrive has late requests arrive, or never.
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

// struckConn is a connection to Redis. The client uses it from one goroutine at a time,
// and no longer once it was struck.
type struckConn struct {
	net.Conn
	strikes *strikes
	way     string
	held    []byte
}

func (c *struckConn) Write(request []byte) (int, error) {
	c.way = c.strikes.take(request)
	switch c.way {
	case struckBefore:
		_ = c.Conn.Close()
		return 0, io.ErrUnexpectedEOF
	case struckLate, struckHangs:
		c.held = slices.Clone(request)
		c.strikes.mutex.Lock()
		c.strikes.late = append(c.strikes.late, c)
		c.strikes.mutex.Unlock()
		return len(request), nil
	}
	return c.Conn.Write(request)
}

func (c *struckConn) Read(answer []byte) (int, error) {
	switch c.way {
	case struckAfter:
		_, _ = c.Conn.Read(answer)
		_ = c.Conn.Close()
		return 0, io.EOF
	case struckLate:
		return 0, io.EOF
	case struckHangs:
		time.Sleep(hangTime)
		return 0, os.ErrDeadlineExceeded
	}
	return c.Conn.Read(answer)
}

func (c *struckConn) Close() error {
	if c.held != nil { // arrive closes it
		return nil
	}
	return c.Conn.Close()
}

// strike draws what befalls the next call of an engine, at its first attempt or at all.
func (s *suiteOf) strike(t *rapid.T, e sessions.Engine) (context.Context, bool, func()) {
	of := s.strikesOf(e)
	way := rapid.SampledFrom([]string{"", "", "", struckBefore, struckAfter, struckLate, struckHangs}).Draw(t, "strike")
	attempts := rapid.SampledFrom([]int{1, 1, 100}).Draw(t, "attempts")
	arrives := rapid.SampledFrom([]string{"before", "after", "later", "never"}).Draw(t, "late requests arrive")
	if arrives == "before" {
		of.arrive(true)
	}
	ctx, end := context.WithCancel(t.Context())
	if way == struckHangs {
		ctx, end = context.WithTimeout(t.Context(), hangTime)
	}
	of.mutex.Lock()
	of.way, of.left = way, attempts
	of.mutex.Unlock()
	return ctx, way != "", func() {
		end()
		of.mutex.Lock()
		of.left = 0
		of.mutex.Unlock()
		if arrives == "after" || arrives == "never" {
			of.arrive(arrives == "after")
		}
	}
}

// strikesOf are those of an engine that open has opened.
func (s *suiteOf) strikesOf(e sessions.Engine) *strikes {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.struck[e]
}

// canStrike prepares an engine that is to be opened with these settings.
func (s *suiteOf) canStrike(t *testing.T, settings *settings) *strikes {
	of := new(strikes)
	if settings.cluster != nil {
		settings.cluster.Dialer = of.dial
	} else {
		settings.standalone.Dialer = of.dial
	}
	t.Cleanup(func() { of.arrive(false) })
	return of
}

// A strike is one: else the suite would test no more than that calls succeed.
func TestStrikesBefallCalls(t *testing.T) {
	r := newServer(t)
	r.allow("caddy", suitePassword, aclRules...)
	of := &suiteOf{shards: []*server{r}, url: r.url(), username: "caddy"}
	other := of.open(t, "default")
	epoch := epochOf(t, other)
	swap(t, other, newID(epoch), 1) // Redis knows the script
	for way, arrived := range map[string]uint64{struckBefore: 0, struckAfter: 1, struckLate: 0, struckHangs: 0} {
		e := of.open(t, "default")
		struck := of.strikesOf(e)
		befall := func(attempts int) (sessions.ID, error) {
			id := newID(epoch)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			struck.mutex.Lock()
			struck.way, struck.left = way, attempts
			struck.mutex.Unlock()
			go func() { _, err := e.Swap(ctx, id, 1, newAnswer()); done <- err }()
			for way == struckHangs && !struck.isHeld() {
				time.Sleep(time.Millisecond)
			}
			if way == struckHangs {
				cancel()
			}
			err := <-done
			struck.mutex.Lock()
			struck.left = 0
			struck.mutex.Unlock()
			return id, err
		}
		if way != struckHangs {
			if id, err := befall(1); err != nil || load(t, other, id).Generation != 1 {
				t.Errorf("%s, at the first attempt: %v", way, err)
			}
		}
		id, err := befall(100)
		if err == nil {
			t.Errorf("%s: no error", way)
		}
		if state := load(t, other, id); state.Generation != arrived {
			t.Errorf("%s: generation %d, want %d", way, state.Generation, arrived)
		}
		struck.arrive(true)
		if way == struckLate || way == struckHangs {
			arrived = 1
		}
		if state := load(t, other, id); state.Generation != arrived {
			t.Errorf("%s, later: generation %d, want %d", way, state.Generation, arrived)
		}
		_ = e.Close()
	}
	_ = other.Close()
}

func (s *strikes) isHeld() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.late) > 0
}
