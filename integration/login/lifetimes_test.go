package login

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

func TestHowLongASessionLasts(t *testing.T) {
	for _, test := range []struct {
		name, page, remember string
		pauses               []time.Duration // between requests
		want                 string          // users after each pause, the last one of which may be 401
	}{
		{"idle by default", "", "", []time.Duration{11 * time.Hour, 11 * time.Hour, 13 * time.Hour}, "alice alice 401"},
		{"idle as set", "idle_ttl 10m", "", []time.Duration{9 * time.Minute, 9 * time.Minute, 11 * time.Minute}, "alice alice 401"},
		{"to the second", "idle_ttl 10m", "", []time.Duration{10 * time.Minute}, "401"},
		{"never beyond session_ttl", "session_ttl 1h\nidle_ttl 30m", "", []time.Duration{25 * time.Minute, 25 * time.Minute, 11 * time.Minute}, "alice alice 401"},
		{"a week by default", "idle_ttl 7d", "", []time.Duration{167 * time.Hour, 2 * time.Hour}, "alice 401"},
		{"session_ttl shortens the idle time", "session_ttl 20m", "", []time.Duration{19 * time.Minute, 2 * time.Minute}, "alice 401"},
		{"remembered without a request", "remember 30d", "on", []time.Duration{29 * 24 * time.Hour, 25 * time.Hour}, "alice 401"},
		{"remembered beyond session_ttl and idle_ttl", "remember 30d\nsession_ttl 1h\nidle_ttl 10m", "on", []time.Duration{29 * 24 * time.Hour}, "alice"},
		{"remembered for less than a session", "remember 30m\nidle_ttl 12h", "on", []time.Duration{29 * time.Minute, 2 * time.Minute}, "alice 401"},
		{"not ticked", "remember 30d\nidle_ttl 10m", "", []time.Duration{11 * time.Minute}, "401"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _ := startPage(t, lines{page: test.page})
			b := newTab(t, s)
			b.login("alice", "remember", test.remember)
			var got []string
			for _, pause := range test.pauses {
				later(t, pause)
				got = append(got, b.user())
			}
			if got := strings.Join(got, " "); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// The cookie is sealed anew from time to time, with the attributes that it had.
func TestTheCookieSlides(t *testing.T) {
	s, _ := startPage(t, lines{page: "idle_ttl 10m\nremember 30d", routes: "bearer_auth /none* {\n\t\tscopes nobody-has-it\n\t}"})
	b := loggedIn(t, s, "alice")
	first := b.cookies[0]
	if a := b.fetch("GET", "/app"); len(a.Header["Set-Cookie"]) > 0 {
		t.Error("renewed at once")
	}
	later(t, 2*time.Minute)
	a := b.fetch("GET", "/app")
	if got := setCookies(a); len(got) != 1 || got[0] != "grant-default=V; Path=/; HttpOnly; SameSite=Lax" || b.cookies[0] == first {
		t.Fatalf("after a part of the idle time: %q", got)
	}
	t.Run("for HEAD, POST, errors of the app and pages", func(t *testing.T) {
		for _, method := range []string{"HEAD", "POST", "OPTIONS", "DELETE", "a page"} {
			b := loggedIn(t, s, "alice")
			later(t, 2*time.Minute)
			a := harness.Answer{}
			if method == "a page" {
				a = b.open("/app")
			} else {
				a = b.fetch(method, "/app")
			}
			if len(a.Header["Set-Cookie"]) != 1 {
				t.Errorf("%s: %v", method, a.Header)
			}
		}
	})
	t.Run("not with what a Bearer token let through", func(t *testing.T) {
		if a := newTab(t, s).with(first).fetch("GET", "/app", "Authorization: Bearer "+s.Token("alice")); len(a.Header["Set-Cookie"]) > 0 {
			t.Errorf("%v", a.Header)
		}
	})
	t.Run("the cookie before is good until its own end", func(t *testing.T) {
		newTab(t, s).with(first).wantUser("alice")
		newTab(t, s).with(first, b.cookies[0]).wantUser("alice")
		later(t, 9*time.Minute)
		newTab(t, s).with(first).wantUser("401")
		newTab(t, s).with(first, b.cookies[0]).wantUser("alice")
	})
	t.Run("a WebSocket renews it with the handshake", func(t *testing.T) {
		b := loggedIn(t, s, "alice")
		later(t, 2*time.Minute)
		conn := s.For(t).Dial()
		defer conn.Close()
		conn.Send(s.RawRequest("GET", "/ws/", "", "Host: "+b.host, "Cookie: "+b.cookies[0], "Origin: http://"+b.host, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="))
		status, _ := conn.Reader.ReadString('\n')
		var head strings.Builder
		for line := "x"; line != "\r\n" && line != ""; {
			line, _ = conn.Reader.ReadString('\n')
			head.WriteString(line)
		}
		if !strings.Contains(status, " 101 ") || !strings.Contains(head.String(), "Set-Cookie: grant-default=") {
			t.Errorf("%s%s", status, head.String())
		}
	})
	t.Run("a remembered one keeps its end", func(t *testing.T) {
		b := newTab(t, s)
		b.login("alice", "remember", "on")
		later(t, 24*time.Hour)
		if a := b.fetch("GET", "/app"); userOf(a) != "alice" || len(a.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s %v", userOf(a), a.Header)
		}
	})
}

// Neither parallel requests nor late answers log anybody in or out.
func TestRenewalsThatCross(t *testing.T) {
	s, _ := startPage(t, lines{page: "idle_ttl 10m"})
	b := loggedIn(t, s, "alice")
	first := b.cookies[0]
	later(t, 5*time.Minute)
	var kept []string
	t.Run("twenty requests at once are all of the same session", func(t *testing.T) {
		tabs := make([]*tab, 20)
		var all sync.WaitGroup
		for i := range tabs {
			tabs[i] = newTab(t, s).with(first)
			all.Go(func() {
				if got := userOf(tabs[i].fetch("GET", "/app")); got != "alice" {
					t.Errorf("got %s", got)
				}
			})
		}
		all.Wait()
		for _, one := range tabs {
			kept = append(kept, one.cookies...)
			one.wantUser("alice")
		}
		newTab(t, s).with(kept...).wantUser("alice")
	})
	t.Run("after a logout all of them are over, also a renewal that comes late", func(t *testing.T) {
		slices.Sort(kept)
		kept = slices.Compact(kept)
		if len(kept) < 2 {
			t.Fatal("none of them got a renewal")
		}
		b.submit(logout, "").Want(t, 200, "")
		for i, cookie := range kept {
			late := newTab(t, s).with(cookie)
			a := late.fetch("GET", "/app")
			if a.Status != 401 || len(a.Header["Set-Cookie"]) > 0 {
				t.Errorf("cookie %d: %d %v", i, a.Status, a.Header)
			}
		}
	})
	t.Run("a revoked cookie stays so", func(t *testing.T) {
		b := newTab(t, s)
		b.login("alice")
		kept := b.cookies[0]
		b.submit(logout, "").Want(t, 200, "")
		for range 3 {
			later(t, 3*time.Minute)
			newTab(t, s).with(kept).wantUser("401")
		}
	})
}

func TestARevokedSessionOfAMonth(t *testing.T) {
	s, _ := startPage(t, lines{page: "remember 30d"})
	b := newTab(t, s)
	b.login("alice", "remember", "on")
	kept := b.cookies[0]
	other := newTab(t, s)
	other.login("alice", "remember", "on")
	b.submit(logout, "").Want(t, 200, "")
	for day := range 20 {
		later(t, 24*time.Hour)
		if got := newTab(t, s).with(kept).user(); got != "401" {
			t.Fatalf("day %d: %s", day+1, got)
		}
		if got := other.user(); got != "alice" {
			t.Fatalf("day %d: the other session: %s", day+1, got)
		}
	}
}
