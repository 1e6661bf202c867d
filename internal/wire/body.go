package wire

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// readBody reads the body of a request within its bounds of size and time. After an
// error a part of it may be in the buffer.
func readBody(w http.ResponseWriter, r *http.Request, into *bytes.Buffer) error {
	if r.ContentLength > maxBodySize {
		return oauth.BodyTooLarge()
	}
	err := readInTime(w, http.MaxBytesReader(w, r.Body, maxBodySize), into)
	// request_body may have wrapped the body with a lower bound
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return oauth.BodyTooLarge()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return oauth.InvalidRequest("body_too_slow", "the body did not arrive in time")
	}
	if err != nil {
		return oauth.InvalidRequest("body_incomplete", "the body could not be read")
	}
	return nil
}

// readInTime reads all of a body, for MaxBodyTime at most. A body that is complete at
// the last moment is refused as well: the deadline may already have ended its
// connection's next read, and with it the request.
func readInTime(w http.ResponseWriter, body io.Reader, into *bytes.Buffer) (err error) {
	limit := limitReading(w)
	defer func() { // also if a wrapper of the body panics: w must not be used later
		if limit.end() && err == nil {
			err = os.ErrDeadlineExceeded
		}
	}()
	_, err = into.ReadFrom(body)
	return err
}

// readLimit ends the reading of one body when its time is up. Nearly every body is there
// before it is read, so there is no deadline while it is read: to set one and to take it
// back is 2 to 3 % of the CPU time of a login, and with HTTP/2 a message to another
// goroutine each. A timer that is stopped costs next to nothing. When it fires it sets a
// deadline that has passed, which ends the read that waits, and all that follow.
type readLimit struct {
	timer   *time.Timer
	w       http.ResponseWriter
	expired bool           // and there is a deadline now; to be read after running
	running sync.WaitGroup // until the timer has done its work
}

// limitReading limits the reading of a body from now on, until end.
func limitReading(w http.ResponseWriter) *readLimit {
	l := &readLimit{w: w}
	l.running.Add(1)
	l.timer = time.AfterFunc(MaxBodyTime, l.expire)
	return l
}

func (l *readLimit) expire() {
	defer l.running.Done()
	l.expired = http.NewResponseController(l.w).SetReadDeadline(longAgo) == nil
}

// end tells whether the time was up. Nothing is left of the limit then: the deadline is
// the connection's, and would end its next request.
func (l *readLimit) end() (expired bool) {
	if l.timer.Stop() {
		return false
	}
	l.running.Wait()
	if l.expired {
		_ = http.NewResponseController(l.w).SetReadDeadline(time.Time{})
	}
	return l.expired
}

// MaxBodyTime is how long the body of a request may take to arrive. It is a variable
// for tests, which change it before they start anything.
var MaxBodyTime = 10 * time.Second

// longAgo is a deadline that has passed, whatever the clock says.
var longAgo = time.Unix(1, 0)

const maxBodySize = 64 << 10
