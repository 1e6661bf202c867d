package wire

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// A deadline at each request is what the limit is there to avoid.
func TestABodyThatIsThereNeedsNoDeadline(t *testing.T) {
	c := newSlowConn(t, time.Minute)
	for range 100 {
		if form, err := c.read(strings.NewReader("grant_type=password")); err != nil || form.Params.Get("grant_type") != "password" {
			t.Fatal(form, err)
		}
	}
	if c.set != nil {
		t.Errorf("deadlines: %v", c.set)
	}
}

// Each byte comes in time, and the body as a whole does not.
func TestABodyThatDribblesIsEnded(t *testing.T) {
	c := newSlowConn(t, 20*time.Millisecond)
	for range 3 { // the limit is used again
		c.set, c.expired = nil, make(chan struct{})
		_, err := c.read(&dribble{c})
		c.refused(t, err)
		c.isFree(t)
	}
	if form, err := c.read(strings.NewReader("a=b")); err != nil || form.Params.Get("a") != "b" {
		t.Error("the next body:", form, err)
	}
}

// Where no deadline can be set, the rest of the server has to bound a body.
func TestABodyIsReadWhereNoDeadlineCanBeSet(t *testing.T) {
	setBodyTime(t, time.Millisecond)
	fired := make(chan struct{})
	w := &noDeadlines{asked: sync.OnceFunc(func() { close(fired) })}
	body := io.MultiReader(strings.NewReader("a="), waiting{fired}, strings.NewReader("b"))
	if form, err := ReadForm(w, request(body)); err != nil || form.Params.Get("a") != "b" {
		t.Error(form, err)
	}
}

// The timer fires about when the body ends. Whoever comes first, the connection is left
// without a deadline, also later: its next request would fail.
func TestALimitLeavesNoDeadlineBehind(t *testing.T) {
	accepted, refused := 0, 0
	for i := range 3000 {
		c := newSlowConn(t, time.Duration(i%50)*time.Microsecond)
		_, err := c.read(&pause{time.Duration(i%60) * time.Microsecond, strings.NewReader("a=b")})
		if err == nil {
			accepted++
		} else {
			refused++
			c.refused(t, err)
		}
		c.isFree(t)
		c.Lock()
		c.returned = true
		c.Unlock()
	}
	if accepted == 0 || refused == 0 {
		t.Errorf("%d accepted, %d refused: nothing was tried", accepted, refused)
	}
}

// A wrapper of a body may panic, which net/http recovers. The response writer must not
// be used after that.
func TestALimitEndsWhenTheBodyPanics(t *testing.T) {
	c := newSlowConn(t, time.Millisecond)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("there was no panic")
			}
		}()
		_, _ = c.read(panicking{})
	}()
	c.Lock()
	c.returned = true
	c.Unlock()
	time.Sleep(5 * time.Millisecond)
}

func setBodyTime(t *testing.T, d time.Duration) {
	before := MaxBodyTime
	MaxBodyTime = d
	t.Cleanup(func() { MaxBodyTime = before })
}

// slowConn is a response writer whose connection notes the deadlines that are set.
type slowConn struct {
	http.ResponseWriter
	t       *testing.T
	expired chan struct{} // closed by a deadline

	sync.Mutex
	set      []time.Time
	returned bool // the handler
}

func newSlowConn(t *testing.T, limit time.Duration) *slowConn {
	setBodyTime(t, limit)
	return &slowConn{ResponseWriter: httptest.NewRecorder(), t: t, expired: make(chan struct{})}
}

func (c *slowConn) SetReadDeadline(deadline time.Time) error {
	c.Lock()
	defer c.Unlock()
	if c.returned {
		c.t.Error("a deadline is set when the handler has returned")
	}
	c.set = append(c.set, deadline)
	if !deadline.IsZero() && deadline.Before(time.Now()) {
		close(c.expired)
	}
	return nil
}

func (c *slowConn) read(body io.Reader) (form, error) { return ReadForm(c, request(body)) }

func (c *slowConn) refused(t *testing.T, err error) {
	t.Helper()
	if refusal, ok := errors.AsType[*oauth.Error](err); !ok || refusal.Reason != "body_too_slow" {
		t.Fatalf("refused with %v", err)
	}
}

// isFree fails the test if a deadline is left.
func (c *slowConn) isFree(t *testing.T) {
	t.Helper()
	c.Lock()
	defer c.Unlock()
	if n := len(c.set); n != 0 && (n != 2 || !c.set[1].IsZero()) {
		t.Fatalf("deadlines: %v", c.set)
	}
}

func request(body io.Reader) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/token", body)
	r.ContentLength = -1
	r.Header.Set("Content-Type", formMediaType)
	return r
}

// dribble is a body without an end, of a byte each millisecond.
type dribble struct{ of *slowConn }

func (d *dribble) Read(p []byte) (int, error) {
	select {
	case <-d.of.expired:
		return 0, os.ErrDeadlineExceeded
	case <-time.After(time.Millisecond):
		return copy(p, "a"), nil
	}
}

// pause is a body that comes after a while.
type pause struct {
	time.Duration
	io.Reader
}

func (p *pause) Read(into []byte) (int, error) {
	for begun := time.Now(); time.Since(begun) < p.Duration; { // a sleep would take too long
	}
	return p.Reader.Read(into)
}

type waiting struct{ until <-chan struct{} }

func (w waiting) Read([]byte) (int, error) {
	<-w.until
	return 0, io.EOF
}

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("a wrapper of the body") }

type noDeadlines struct {
	httptest.ResponseRecorder
	asked func()
}

func (w *noDeadlines) SetReadDeadline(time.Time) error {
	w.asked()
	return http.ErrNotSupported
}
