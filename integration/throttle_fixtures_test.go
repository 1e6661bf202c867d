package integration

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// throttleSite has clients of every kind of source, and users in every state. Its peers may
// come from anywhere.
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

func throttleConfig(t *testing.T, setting string) string {
	t.Helper()
	return strings.NewReplacer("%HASH%", cheapHash(t, "correct horse"), "%SETTING%", setting).Replace(throttleSite)
}

const throttleOptions = "servers {\n" + remotePeers + "\n}"

// startThrottle serves throttleSite with another line or block in its endpoint.
func startThrottle(t *testing.T, setting string) *site {
	t.Helper()
	return startWith(t, throttleOptions, throttleConfig(t, setting))
}

// from sends a form to the token endpoint as a peer of that address.
func (s *site) from(peer, form string, headers ...string) answer {
	s.t.Helper()
	return s.fromTo(peer, "/token", form, headers...)
}

func (s *site) fromTo(peer, path, form string, headers ...string) answer {
	s.t.Helper()
	w := s.dialFrom(peer)
	defer w.Close()
	w.send(s.rawPost(path, form, headers...))
	return w.receive()
}

// appLogin logs in by the public client from an address.
func (s *site) appLogin(peer, username, password string) answer {
	s.t.Helper()
	return s.from(peer, appForm(username, password))
}

func appForm(username, password string) string {
	return loginForm("client_id", "app", "client_secret", "", "username", username, "password", password)
}

// portalLogin logs in by the client that may name its user's address, at the address of its
// back end, with these values of its header.
func (s *site) portalLogin(username, password string, endUserIPs ...string) answer {
	s.t.Helper()
	headers := make([]string, len(endUserIPs))
	for i, ip := range endUserIPs {
		headers[i] = "X-End-User-IP: " + ip
	}
	return s.from(backEnd, loginForm("client_id", "portal", "client_secret", "portal-secret", "username", username, "password", password), headers...)
}

// Addresses of the tests. Strangers are 192.0.2.0/24.
const (
	backEnd = "203.0.113.1"
	home    = "198.51.100.1" // the owner's
)

func stranger(n int) string { return fmt.Sprintf("192.0.2.%d", n) }

// wrong is a password that is wrong everywhere and was not tried before: one that was counts once.
func wrong() string { return fmt.Sprint("wrong", wrongs.Add(1)) }

var wrongs atomic.Int64

// wrongLogins logs in with so many different wrong passwords, none of which may be throttled.
func wrongLogins(t *testing.T, n int, login func(password string) answer) {
	t.Helper()
	for i := range n {
		if a := login(wrong()); a.status != 400 || a.json["error"] != "invalid_grant" {
			t.Fatalf("wrong login %d of %d: got %d, body: %s", i+1, n, a.status, a.body)
		}
	}
}

// throttled fails the test unless the answer says to wait for about that many seconds: it may
// be some less, since it says what is left.
func (a answer) throttled(t *testing.T, seconds int) {
	t.Helper()
	a.want(t, http.StatusTooManyRequests, "temporarily_unavailable")
	left, err := strconv.Atoi(a.header.Get("Retry-After"))
	if err != nil || left < 1 || left > seconds || seconds >= 30 && left < seconds-20 {
		t.Errorf("Retry-After is %q, want about %d", a.header.Get("Retry-After"), seconds)
	}
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
	if got := a.header.Get("Content-Type"); got != "application/json; charset=UTF-8" {
		t.Errorf("Content-Type is %q", got)
	}
	if got := a.header.Get("Www-Authenticate"); got != "" {
		t.Errorf("it asks for other credentials: %s", got)
	}
}

// comparable is all of an answer that a client sees but for the clock's part.
func (a answer) comparable() string {
	var lines []string
	for name, values := range a.header {
		if name != "Date" && name != "Retry-After" {
			lines = append(lines, name+": "+strings.Join(values, ", "))
		}
	}
	slices.Sort(lines)
	return fmt.Sprintf("%d\n%s\n\n%s", a.status, strings.Join(lines, "\n"), a.body)
}

// lastRefusal is the log line of the last refused request.
func (s *site) lastRefusal() map[string]any {
	s.t.Helper()
	refusals := s.refusals()
	if len(refusals) == 0 {
		s.t.Fatal("nothing was refused")
	}
	return refusals[len(refusals)-1]
}

// wantLimit fails the test unless the last request was refused because of that limit.
func (s *site) wantLimit(limit string) {
	s.t.Helper()
	if line := s.lastRefusal(); line["reason"] != "throttled" || line["limit"] != limit {
		s.t.Errorf("refused for %v, limit %v; want the limit %s", line["reason"], line["limit"], limit)
	}
}

// restart ends the running config, so that nothing of it is left in the process.
func (s *site) restart(options, sites string) {
	s.t.Helper()
	if err := caddy.Stop(); err != nil {
		s.t.Fatalf("stopping Caddy: %v", err)
	}
	s.reload(options, sites)
}
