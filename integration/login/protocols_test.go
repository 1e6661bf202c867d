package login

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/websocket"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// With each version of HTTP, over TLS, and with the cookie jar of net/http.
func TestEveryVersionOfHTTP(t *testing.T) {
	app := harness.NewApp(t)
	s := startSite(t, harness.TLSOptions, app.In(strings.NewReplacer("http://:%PORT% {", "https://localhost:%TLSPORT% {\n\ttls internal").Replace(lines{page: "remember 1d"}.in(pageSite))))
	for version, client := range s.TLSClients() {
		t.Run("HTTP/"+version, func(t *testing.T) {
			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			client.Jar, client.CheckRedirect = jar, noRedirects
			ask := func(method, path, body string, headers ...string) (*http.Response, string) {
				t.Helper()
				r := s.For(t).Request(method, s.TLSURL(path), body, headers...)
				response, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				content, err := io.ReadAll(response.Body)
				if err != nil {
					t.Fatal(err)
				}
				return response, string(content)
			}
			origin := fmt.Sprintf("Origin: https://localhost:%d", s.TLSPort)
			if r, _ := ask("GET", "/app", "", wantsHTML); r.StatusCode != 303 || r.Header.Get("Location") != page+"?return_to=%2Fapp" {
				t.Errorf("before: %d %v", r.StatusCode, r.Header)
			}
			r, body := ask("POST", page+"?return_to=/app", credentials("alice", "remember", "on"), origin, "Sec-Fetch-Site: same-origin")
			if r.StatusCode != 303 || !strings.HasPrefix(r.Header.Get("Set-Cookie"), "__Host-grant-default=") || !strings.HasSuffix(r.Header.Get("Set-Cookie"), "; Path=/; Max-Age=86400; HttpOnly; Secure; SameSite=Lax") {
				t.Fatalf("the login: %d %v %s", r.StatusCode, r.Header, body)
			}
			if r, body := ask("GET", "/app", "", "Cookie: theme=dark"); r.StatusCode != 200 || !strings.Contains(body, `"X-User":["alice"]`) || strings.Contains(body, "grant-default") || !strings.Contains(body, "theme=dark") {
				t.Errorf("the app: %d %s", r.StatusCode, body)
			}
			if r, body := ask("POST", "/app", "x=y", "Origin: https://evil.example"); r.StatusCode != 403 {
				t.Errorf("another origin: %d %s", r.StatusCode, body)
			}
			if r, _ := ask("GET", "/app", "", "Origin: https://evil.example"); r.Header.Get("Cache-Control") != "private" {
				t.Errorf("Cache-Control: %v", r.Header)
			}
			if r, body := ask("POST", logout, "", origin); r.StatusCode != 200 {
				t.Errorf("the logout: %d %s", r.StatusCode, body)
			}
			if r, _ := ask("GET", "/app", ""); r.StatusCode != 401 {
				t.Errorf("after it: %d", r.StatusCode)
			}
			if at, _ := url.Parse(s.TLSURL("/")); len(jar.Cookies(at)) > 0 {
				t.Error("the jar keeps the cookie")
			}
		})
	}
}

func TestAWebSocketOfASession(t *testing.T) {
	s, app := startPage(t, lines{})
	b := loggedIn(t, s, "alice")
	dial := func(cookie, origin string) (*websocket.Conn, error) {
		config, err := websocket.NewConfig(fmt.Sprintf("ws://%s/ws/echo", b.host), origin)
		if err != nil {
			t.Fatal(err)
		}
		config.Header.Set("Cookie", cookie)
		return config.DialContext(t.Context())
	}
	conn, err := dial(b.cookies[0]+"; a=b", "http://"+b.host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // before the site ends
		conn.Close()
		harness.UpgradesOver(t)
	})
	for _, word := range []string{"hello", "again"} {
		if err := websocket.Message.Send(conn, word); err != nil {
			t.Fatal(err)
		}
		var echo string
		if err := websocket.Message.Receive(conn, &echo); err != nil || echo != word {
			t.Fatalf("got %q %v", echo, err)
		}
	}
	if seen := app.One(t); seen.Header.Get("X-User") != "alice" || seen.Header.Get("Cookie") != "a=b" {
		t.Errorf("the app got %v", seen.Header)
	}
	for _, test := range [][2]string{{"", "http://" + b.host}, {b.cookies[0], "https://evil.example"}, {b.cookies[0], "http://sibling.localhost"}, {"grant-default=x", "http://" + b.host}} {
		if conn, err := dial(test[0], test[1]); err == nil {
			conn.Close()
			t.Errorf("from %s with %.20q: connected", test[1], test[0])
		}
	}
	if app.Reached() {
		t.Error("the app was reached")
	}
}

// A stream comes through at once, and is as private as anything else.
func TestAStreamOfASession(t *testing.T) {
	next := make(chan struct{})
	stream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, event := range []string{"one", "two"} {
			_, _ = io.WriteString(w, "data: "+event+"\n\n")
			_ = http.NewResponseController(w).Flush()
			if event == "one" {
				<-next
			}
		}
	}))
	t.Cleanup(stream.Close)
	s := startSite(t, "", strings.ReplaceAll(lines{}.in(pageSite), "%APP%", stream.Listener.Addr().String()))
	b := loggedIn(t, s, "alice")
	r := s.Request("GET", "/events", "", "Cookie: "+b.cookies[0])
	r.Host = b.host
	response, err := s.Client.Do(r)
	if err != nil {
		close(next)
		t.Fatal(err)
	}
	defer response.Body.Close()
	first := make([]byte, len("data: one\n\n"))
	_, err = io.ReadFull(response.Body, first)
	close(next) // before this, only the first event was sent
	if err != nil || string(first) != "data: one\n\n" || response.Header.Get("Cache-Control") != "private" {
		t.Errorf("got %q %v %v", first, err, response.Header)
	}
	if rest, err := io.ReadAll(response.Body); err != nil || string(rest) != "data: two\n\n" {
		t.Errorf("then %q %v", rest, err)
	}
}

// Reloads log nobody out, and let nobody in.
func TestReloadsDuringUse(t *testing.T) {
	app := harness.NewApp(t)
	site := app.In(lines{}.in(pageSite))
	s := startSite(t, "", site)
	b := loggedIn(t, s, "alice")
	ended := loggedIn(t, s, "bob")
	kept := ended.cookies
	ended.submit(logout, "").Want(t, 200, "")
	stop := make(chan struct{})
	var using sync.WaitGroup
	for range 2 {
		using.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got := newTab(t, s).with(b.cookies[:1]...).user(); got != "alice" {
					t.Errorf("the session: %s", got)
					return
				}
				if got := newTab(t, s).with(kept...).user(); got != "401" {
					t.Errorf("the one that ended: %s", got)
					return
				}
			}
		})
	}
	for range 8 {
		s.Reload("", site)
	}
	close(stop)
	using.Wait()
	b.wantUser("alice")
	b.submit(logout, "").Want(t, 200, "")
}
