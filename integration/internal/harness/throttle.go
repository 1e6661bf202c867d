package harness

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// throttleSite has clients of every kind of source, and users in every state. Its peers
// may come from anywhere.
const throttleSite = `http://:%PORT% {
	log
	token_endpoint {
		allow_http
		client app {
			public
		}
		client web {
			secret web-secret
		}
		client mobile {
			secret mobile-secret
		}
		client portal {
			secret portal-secret
			end_user_ip X-End-User-IP
		}
		user alice %HASH%
		user bob %HASH%
		user carol %HASH% {
			disabled
		}
		%SETTING%
	}
}
`

// ThrottleConfig is throttleSite with another line or block in its endpoint.
func ThrottleConfig(t *testing.T, setting string) string {
	t.Helper()
	return strings.NewReplacer("%HASH%", CheapHash(t, "correct horse"), "%SETTING%", setting).Replace(throttleSite)
}

// ThrottleOptions let its peers come from anywhere.
const ThrottleOptions = "servers {\n" + RemotePeers + "\n}"

// StartThrottle serves that.
func StartThrottle(t *testing.T, setting string) *Site {
	t.Helper()
	return StartWith(t, ThrottleOptions, ThrottleConfig(t, setting))
}

// From sends a form to the token endpoint as a peer of that address.
func (s *Site) From(peer, form string, headers ...string) Answer {
	s.T.Helper()
	return s.FromTo(peer, "/token", form, headers...)
}

// FromTo does it to another endpoint.
func (s *Site) FromTo(peer, path, form string, headers ...string) Answer {
	s.T.Helper()
	for try := 0; ; try++ {
		w := s.DialFrom(peer)
		w.Send(s.RawPost(path, form, headers...))
		if try < 3 && w.closedUnanswered() {
			w.Close()
			continue
		}
		defer w.Close()
		return w.Receive()
	}
}

// AppLogin logs in by the public client from an address.
func (s *Site) AppLogin(peer, username, password string) Answer {
	s.T.Helper()
	return s.From(peer, AppForm(username, password))
}

// AppForm is a login by the public client.
func AppForm(username, password string) string {
	return LoginForm("client_id", "app", "client_secret", "", "username", username, "password", password)
}

// Addresses of the tests. Strangers are 192.0.2.0/24.
const (
	BackEndAddress = "203.0.113.1"
	HomeAddress    = "198.51.100.1" // the owner's
)

// StrangerAddress is the nth of them.
func StrangerAddress(n int) string { return fmt.Sprintf("192.0.2.%d", n) }

// WrongPassword is wrong everywhere and was not tried before: a repeated one counts
// once.
func WrongPassword() string { return fmt.Sprint("wrong", wrongs.Add(1)) }

var wrongs atomic.Int64

// WrongLogins logs in with so many different wrong passwords, none of which may be
// throttled.
func WrongLogins(t *testing.T, n int, login func(password string) Answer) {
	t.Helper()
	for i := range n {
		if a := login(WrongPassword()); a.Status != 400 || a.JSON["error"] != "invalid_grant" {
			t.Fatalf("wrong login %d of %d: got %d, body: %s", i+1, n, a.Status, a.Body)
		}
	}
}

// Throttled fails the test unless the answer says to wait for about that many seconds:
// it may be some less, since it says what is left.
func (a Answer) Throttled(t *testing.T, seconds int) {
	t.Helper()
	a.Want(t, http.StatusTooManyRequests, "temporarily_unavailable")
	left, err := strconv.Atoi(a.Header.Get("Retry-After"))
	if err != nil || left < 1 || left > seconds || seconds >= 30 && left < seconds-20 {
		t.Errorf("Retry-After is %q, want about %d", a.Header.Get("Retry-After"), seconds)
	}
	if got := a.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
	if got := a.Header.Get("Content-Type"); got != "application/json; charset=UTF-8" {
		t.Errorf("Content-Type is %q", got)
	}
	if got := a.Header.Get("Www-Authenticate"); got != "" {
		t.Errorf("it asks for other credentials: %s", got)
	}
}

// Comparable is all of an answer that a client sees but for the clock's part.
func (a Answer) Comparable() string {
	var lines []string
	for name, values := range a.Header {
		if name != "Date" && name != "Retry-After" {
			lines = append(lines, name+": "+strings.Join(values, ", "))
		}
	}
	slices.Sort(lines)
	return fmt.Sprintf("%d\n%s\n\n%s", a.Status, strings.Join(lines, "\n"), a.Body)
}

// WantLimit fails the test unless the last request was refused because of that limit.
func (s *Site) WantLimit(limit string) {
	s.T.Helper()
	if line := s.LastRefusal(); line["reason"] != "throttled" || line["limit"] != limit {
		s.T.Errorf("refused for %v, limit %v; want the limit %s", line["reason"], line["limit"], limit)
	}
}
