package bearer

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/net/websocket"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// I23: there is no kind of request that is not checked.
func TestEveryMethodAndVersionOfHTTPIsChecked(t *testing.T) {
	app := harness.NewApp(t)
	s := harness.StartWith(t, harness.TLSOptions, app.In("https://localhost:%TLSPORT% {\n\tbind 127.0.0.1\n\ttls internal\n"+optionsEndpoint+`
	bearer_auth {
		copy_claims sub>X-User
	}
	reverse_proxy %APP%
}
`))
	for version, client := range s.TLSClients() {
		token := tlsLogin(s, client)
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "get"} {
			t.Run("I23: "+method+" by HTTP/"+version, func(t *testing.T) {
				ask := func(authorization ...string) int {
					t.Helper()
					r, err := http.NewRequest(method, s.TLSURL("/"), nil)
					if err != nil {
						t.Fatal(err)
					}
					r.Header["Authorization"] = authorization
					response, err := client.Do(r)
					if err != nil {
						t.Fatal(err)
					}
					defer response.Body.Close()
					body, _ := io.ReadAll(response.Body)
					if response.StatusCode != 200 && (len(body) > 0 || !challengeGrammar.MatchString(response.Header.Get("WWW-Authenticate"))) {
						t.Errorf("got %d with the headers %v and the body %q", response.StatusCode, response.Header, body)
					}
					return response.StatusCode
				}
				app.Take()
				for want, authorization := range map[int][]string{401: nil, 400: {"Bearer " + token, "Bearer " + token}} {
					if got := ask(authorization...); got != want {
						t.Errorf("got %d, want %d", got, want)
					}
				}
				if got := ask("Bearer x"); got != 401 {
					t.Errorf("a bad token gets %d", got)
				}
				if seen := app.Take(); len(seen) > 0 {
					t.Fatalf("the app received %v", seen)
				}
				if got := ask("Bearer " + token); got != 200 {
					t.Errorf("a good token gets %d", got)
				}
				received := app.One(t)
				if received.Method != method {
					t.Errorf("the app received %s", received.Method)
				}
				received.WantIdentity(t, "X-User", "alice")
			})
		}
	}
}

func TestWebSocketsAreChecked(t *testing.T) {
	s, app := startOptions(t, `
	bearer_auth {
		copy_claims sub>X-User
	}
	reverse_proxy %APP%
`)
	dial := func(header http.Header) (*websocket.Conn, error) {
		config, err := websocket.NewConfig("ws://"+s.Address()+"/ws/", s.URL("/"))
		if err != nil {
			t.Fatal(err)
		}
		config.Header = header
		return config.DialContext(t.Context())
	}
	token := s.Token("alice")
	t.Run("I23: with a token", func(t *testing.T) {
		conn, err := dial(http.Header{"Authorization": {"Bearer " + token}, "X-User": {"admin"}, "X_user": {"admin"}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		var got string
		if err := websocket.Message.Send(conn, "hello"); err != nil {
			t.Fatal(err)
		}
		if err := websocket.Message.Receive(conn, &got); err != nil || got != "hello" {
			t.Fatalf("got %q, %v", got, err)
		}
		app.One(t).WantIdentity(t, "X-User", "alice")
	})
	t.Run("I18: Connection names our header beside the upgrade", func(t *testing.T) {
		a := s.Exchange(s.Spelled("GET", "/ws/", harness.Bearer(token), "Upgrade: websocket", "Connection: Upgrade, X-User", "Origin: "+s.URL("/"),
			"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "X-User: admin"))
		if a.Status != http.StatusSwitchingProtocols {
			t.Fatalf("got %d", a.Status)
		}
		harness.Eventually(t, "the app has the upgrade", app.Reached)
		app.One(t).WantIdentity(t, "X-User", "alice")
	})
	for name, header := range map[string]http.Header{
		"without a token": {}, "with a bad token": {"Authorization": {"Bearer x"}}, "with two": {"Authorization": {"Bearer " + token, "Bearer x"}},
	} {
		t.Run("I23: "+name, func(t *testing.T) {
			if conn, err := dial(header); err == nil {
				conn.Close()
				t.Error("the upgrade succeeded")
			}
			if seen := app.Take(); len(seen) > 0 {
				t.Errorf("the app received %v", seen)
			}
		})
	}
}

// A browser's pre-flight has no token; the site answers it before the check.
func TestAPreflightCanBeAnsweredBeforeTheCheck(t *testing.T) {
	s, app := startOptions(t, `
	@preflight {
		method OPTIONS
		header Origin *
		header Access-Control-Request-Method *
	}
	@app not {
		method OPTIONS
		header Origin *
		header Access-Control-Request-Method *
	}
	header @preflight Access-Control-Allow-Origin https://web.example.com
	bearer_auth @app {
		copy_claims sub>X-User
	}
	respond @preflight 204
	reverse_proxy %APP%
`)
	preflight := []string{"Origin: https://web.example.com", "Access-Control-Request-Method: GET"}
	for _, path := range []string{"/", "/token"} {
		a := s.Do(s.Request("OPTIONS", path, "", preflight...))
		if a.Status != 204 || a.Header.Get("Access-Control-Allow-Origin") != "https://web.example.com" {
			t.Errorf("I23: the pre-flight of %s gets %d %v", path, a.Status, a.Header)
		}
	}
	s.Do(s.Request("OPTIONS", "/", "")).Want(t, 401, "")
	s.Do(s.Request("GET", "/", "", preflight...)).Want(t, 401, "")
	if seen := app.Take(); len(seen) > 0 {
		t.Errorf("the app received %v", seen)
	}
}

// The check stands in front of whatever answers.
func TestEveryHandlerIsBehindTheCheck(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		_ = fcgi.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "user %q", r.Header.Values("X-User"))
		}))
	}()
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Gate", "open")
		if r.Header.Get("X-User") != "alice" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer gate.Close()

	app, s := harness.NewApp(t), harness.NewSite(t)
	s.Write("page.txt", "a file")
	s.Reload("", app.In(strings.NewReplacer("%FCGI%", listener.Addr().String(), "%GATE%", gate.Listener.Addr().String()).Replace(
		"http://127.0.0.1:%PORT% {\n"+optionsEndpoint+`
	root %DIR%
	basic_auth /double* {
		alice `+harness.HashCheap+`
	}
	bearer_auth {
		optional
		copy_claims sub>X-User
	}
	@strict not path /double*
	bearer_auth @strict {
		copy_claims sub>X-User
	}
	forward_auth /gated* %GATE% {
		uri /
		copy_headers X-Gate
	}
	handle /page.txt {
		file_server
	}
	handle /respond {
		respond "user {http.request.header.X-User} {http.auth.user.id}"
	}
	handle_path /inside/* {
		route {
			reverse_proxy %APP%
		}
	}
	route /php* {
		reverse_proxy %FCGI% {
			transport fastcgi
		}
	}
	reverse_proxy %APP%
}
`)))
	token := s.Token("alice")
	for _, test := range []struct {
		path, want string
		byApp      bool
	}{
		{"/page.txt", "a file", false},
		{"/respond", "user alice alice", false},
		{"/inside/x", "", true},
		{"/php", `user ["alice"]`, false},
		{"/gated", "", true},
		{"/", "", true},
	} {
		t.Run("in front of "+test.path, func(t *testing.T) {
			app.Take()
			for _, headers := range [][]string{nil, {harness.Bearer("x")}, {"X-User: alice"}} {
				a := s.Do(s.Request("GET", test.path, "", headers...))
				if a.Status != 401 || len(a.Body) > 0 || len(app.Take()) > 0 {
					t.Fatalf("got %d %q", a.Status, a.Body)
				}
			}
			a := s.Do(s.Request("GET", test.path, "", harness.Bearer(token), "X-User: admin", "X_User: admin"))
			if a.Status != 200 || test.want != "" && string(a.Body) != test.want {
				t.Fatalf("got %d %q, want 200 %q", a.Status, a.Body, test.want)
			}
			if test.byApp {
				app.One(t).WantIdentity(t, "X-User", "alice")
			}
		})
	}
	t.Run("basic_auth beside it keeps its own requests", func(t *testing.T) {
		s.Do(s.Request("GET", "/double", "", harness.Bearer(token))).Want(t, 401, "")
		s.Do(s.Request("GET", "/double", "", harness.Basic("alice", "correct horse"), "X-User: admin")).Want(t, 200, "")
		received := app.One(t)
		received.WantIdentity(t, "X-User", "")
		if got := "Authorization: " + received.Header.Get("Authorization"); got != harness.Basic("alice", "correct horse") {
			t.Errorf("the app gets %q", got)
		}
	})
}
