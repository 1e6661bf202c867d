package bearer

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// upgradeLines are what a client may ask for h2c by, in all forms that Caddy would pass
// on.
var upgradeLines = map[string][]string{
	"h2c":                         {"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"},
	"h2c in capitals":             {"Connection: UPGRADE,HTTP2-SETTINGS", "UPGRADE: H2C", "http2-settings: AAMAAABkAAQCAAAAAAIAAAAA"},
	"h2c without settings":        {"Connection: upgrade", "Upgrade: h2c"},
	"h2c before websocket":        {"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c, websocket", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"},
	"h2c behind websocket":        {"Connection: Upgrade, HTTP2-Settings", "Upgrade: websocket, h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"},
	"h2c in a second header":      {"Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c", "Connection: HTTP2-Settings", "HTTP2-Settings: x"},
	"h2c in a first header":       {"Connection: Upgrade", "Upgrade: h2c", "Upgrade: websocket"},
	"an empty one before":         {"Connection: Upgrade", "Upgrade: ", "Upgrade: h2c"},
	"h2c with a version":          {"Connection: Upgrade", "Upgrade: h2c/1"},
	"websocket with a version":    {"Connection: Upgrade", "Upgrade: websocket/13"},
	"websocket twice":             {"Connection: Upgrade", "Upgrade: websocket", "Upgrade: websocket"},
	"settings beside websocket":   {"Connection: Upgrade, HTTP2-Settings, X-Hop", "Upgrade: foo", "HTTP2-Settings: x", "HTTP2-Settings: y"},
	"TLS":                         {"Connection: Upgrade", "Upgrade: TLS/1.2"},
	"tcp, which is not let in":    {"Connection: Upgrade", "Upgrade: tcp"},
	"no Connection for it at all": {"Upgrade: h2c", "HTTP2-Settings: x"},
	"Connection in two headers":   {"Connection: keep-alive", "Connection: Upgrade", "Upgrade: h2c"},
}

// Whatever happens to a request, checked or not, no app gets another upgrade from it
// than one that the config lets in: with h2c the client would send it requests past the
// check.
func TestNoUpgradePastTheCheck(t *testing.T) {
	app, s := newRawApp(t), harness.NewSite(t)
	for name, handlers := range map[string]string{
		"checked":                 "\tbearer_auth\n",
		"open":                    "\tbearer_auth {\n\t\topen /x\n\t}\n",
		"left out by a matcher":   "\tbearer_auth /nothing*\n",
		"shadow":                  "\tbearer_auth {\n\t\tshadow\n\t}\n",
		"optional":                "\tbearer_auth {\n\t\toptional\n\t}\n",
		"the stricter of two":     "\tbearer_auth {\n\t\toptional\n\t\tupgrade h2x tcp\n\t}\n\tbearer_auth /nothing*\n",
		"the stricter of nested":  "\tbearer_auth /nothing*\n\troute {\n\t\tbearer_auth {\n\t\t\toptional\n\t\t\tupgrade tcp\n\t\t}\n\t\treverse_proxy %APP%\n\t}\n",
		"an app in handle_errors": "\tbearer_auth {\n\t\tscopes root\n\t}\n\thandle_errors {\n\t\treverse_proxy %APP%\n\t}\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := s.For(t)
			serveFresh(s, pathsSite(app, handlers))
			token := s.Token("bob")
			for asked, lines := range upgradeLines {
				app.take()
				a := s.Exchange(s.Spelled("GET", "/x", append([]string{harness.Bearer(token)}, lines...)...))
				seen := app.take()
				if a.Status == http.StatusSwitchingProtocols || len(seen) != 1 {
					t.Errorf("%s: got %d, the app %d requests", asked, a.Status, len(seen))
					continue
				}
				for _, header := range []string{"Upgrade", "HTTP2-Settings"} {
					if got := seen[0].header.Values(header); len(got) > 0 {
						t.Errorf("%s: the app gets the %s %q", asked, header, got)
					}
				}
				if got := strings.ToLower(strings.Join(seen[0].header.Values("Connection"), ",")); strings.Contains(got, "upgrade") || strings.Contains(got, "http2") {
					t.Errorf("%s: the app gets the Connection %q", asked, got)
				}
			}
		})
	}
}

// What is let in works from end to end.
func TestUpgradesThatAreLetIn(t *testing.T) {
	app := newRawApp(t)
	s := harness.Start(t, pathsSite(app, `
	bearer_auth /docker* {
		upgrade tcp SPDY/3.1
	}
	route /both* {
		bearer_auth {
			upgrade tcp
		}
		bearer_auth {
			upgrade tcp spdy/3.1
		}
		reverse_proxy %APP%
	}
	bearer_auth /inside* {
		open /inside
		upgrade SPDY/3.1 TCP
	}
	route /off* {
		bearer_auth {
			off
			upgrade tcp
		}
		reverse_proxy %APP%
	}
`))
	// each of them sees all requests, so what goes through is what all let in
	token := s.Token("bob")
	for _, test := range []struct {
		path, protocol string
		through        bool
	}{
		{"/docker", "websocket", true}, {"/docker", "WebSocket", true}, {"/docker", "tcp", true}, {"/docker", "TCP", true}, {"/docker", "SPDY/3.1", true}, {"/docker", "h2c", false}, {"/docker", "SPDY", false},
		{"/both", "tcp", true}, {"/both", "SPDY/3.1", false}, {"/inside", "tcp", true}, {"/off", "tcp", true}, {"/off", "SPDY/3.1", false}, {"/elsewhere", "tcp", true}, {"/elsewhere", "tcp, websocket", false},
	} {
		t.Run(test.protocol+" at "+test.path, func(t *testing.T) {
			conn, err := net.Dial("tcp", s.Address())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			if _, err := io.WriteString(conn, s.Spelled("POST", test.path, harness.Bearer(token), "Connection: Upgrade", "Upgrade: "+test.protocol)); err != nil {
				t.Fatal(err)
			}
			reader := bufio.NewReader(conn)
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			if through := response.StatusCode == http.StatusSwitchingProtocols; through != test.through {
				t.Fatalf("got %d", response.StatusCode)
			}
			if !test.through {
				return
			}
			if _, err := fmt.Fprintln(conn, "ping"); err != nil {
				t.Fatal(err)
			}
			if line, err := reader.ReadString('\n'); err != nil || line != "ping\n" {
				t.Errorf("got back %q, %v", line, err)
			}
		})
	}
	t.Run("and not without a token", func(t *testing.T) {
		app.take()
		s.Exchange(s.Spelled("POST", "/docker", "Connection: Upgrade", "Upgrade: tcp")).Want(t, 401, "")
		if seen := app.take(); len(seen) > 0 {
			t.Errorf("the app got %v", seen)
		}
	})
}

// An app that takes trailers for headers gets no Authorization from one, which nobody
// has checked, nor anything else that RFC 9110 §6.5.1 forbids there.
func TestNoTrailerIsTakenForAHeader(t *testing.T) {
	for _, directive := range []string{
		"bearer_auth", "bearer_auth {\n\t\topen /x\n\t}", "bearer_auth {\n\t\toptional\n\t\tforward_token\n\t\tcopy_claims sub>X-User\n\t}", "bearer_auth {\n\t\tshadow\n\t}", "bearer_auth /nothing*",
	} {
		t.Run(strings.Fields(directive + " x")[1], func(t *testing.T) {
			s, app := startAbuse(t, "", "\t"+directive+"\n\treverse_proxy %APP%\n")
			token := s.Token("alice")
			for name, lines := range map[string][2]string{
				"announced":               {"Trailer: Authorization", "Authorization: Bearer forged"},
				"in another spelling":     {"trailer: AUTHORIZATION, X-Digest", "AUTHORIZATION: Bearer forged\r\nX-Digest: abc"},
				"twice":                   {"Trailer: authorization\r\nTrailer: X-Digest", "authorization: Bearer forged\r\nAuthorization: Basic eDp5\r\nX-Digest: abc"},
				"not announced":           {"Trailer: X-Digest", "Authorization: Bearer forged\r\nX-Digest: abc"},
				"none announced":          {"X-None: x", "Authorization: Bearer forged"},
				"others that must not be": {"Trailer: Cookie, X-Forwarded-For, Proxy-Authorization, Host, X-Real-IP", "Cookie: a=b\r\nX-Forwarded-For: 1.2.3.4\r\nProxy-Authorization: Basic eDp5\r\nHost: x\r\nX-Real-IP: 1.2.3.4"},
			} {
				app.Take()
				s.Exchange(s.Spelled("POST", "/x", harness.Bearer(token), "Transfer-Encoding: chunked", lines[0]) + "5\r\nhello\r\n0\r\n" + lines[1] + "\r\n\r\n")
				received := app.One(t)
				for key, values := range received.Trailer {
					if key != "X-Digest" {
						t.Errorf("%s: the app gets the trailer %s: %q", name, key, values)
					}
				}
				if strings.Contains(lines[1], "X-Digest") && received.Trailer.Get("X-Digest") != "abc" {
					t.Errorf("%s: the app gets the trailers %v", name, received.Trailer)
				}
				if got := received.Header.Values("Authorization"); strings.Contains(strings.Join(got, ""), "forged") {
					t.Errorf("%s: the app gets the Authorization %q", name, got)
				}
				if received.Body != "hello" {
					t.Errorf("%s: the body is %q", name, received.Body)
				}
			}
		})
	}
}
