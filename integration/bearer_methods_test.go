package integration

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
)

// I23: there is no way of asking that is not checked.
func TestEveryMethodAndVersionOfHTTPIsChecked(t *testing.T) {
	app := newEdgeApp(t)
	s := startWith(t, tlsOptions, app.in("https://localhost:%TLSPORT% {\n\tbind 127.0.0.1\n\ttls internal\n"+optionsEndpoint+`
	bearer_auth {
		copy_claims sub>X-User
	}
	reverse_proxy %APP%
}
`))
	for version, client := range s.tlsClients() {
		token := s.tlsLogin(client)
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "get"} {
			t.Run("I23: "+method+" by HTTP/"+version, func(t *testing.T) {
				ask := func(authorization ...string) int {
					t.Helper()
					r, err := http.NewRequest(method, s.tlsURL("/"), nil)
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
				app.take()
				for want, authorization := range map[int][]string{401: nil, 400: {"Bearer " + token, "Bearer " + token}} {
					if got := ask(authorization...); got != want {
						t.Errorf("got %d, want %d", got, want)
					}
				}
				if got := ask("Bearer x"); got != 401 {
					t.Errorf("a bad token gets %d", got)
				}
				if seen := app.take(); len(seen) > 0 {
					t.Fatalf("the app received %v", seen)
				}
				if got := ask("Bearer " + token); got != 200 {
					t.Errorf("a good token gets %d", got)
				}
				received := app.one(t)
				if received.Method != method {
					t.Errorf("the app received %s", received.Method)
				}
				received.wantIdentity(t, "X-User", "alice")
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
		config, err := websocket.NewConfig("ws://"+s.address()+"/ws/", s.url("/"))
		if err != nil {
			t.Fatal(err)
		}
		config.Header = header
		return config.DialContext(t.Context())
	}
	token := s.token("alice")
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
		app.one(t).wantIdentity(t, "X-User", "alice")
	})
	t.Run("I18: Connection names our header beside the upgrade", func(t *testing.T) {
		a := s.sendRaw(s.spelled("GET", "/ws/", bearer(token), "Upgrade: websocket", "Connection: Upgrade, X-User", "Origin: "+s.url("/"),
			"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "X-User: admin"))
		if a.status != http.StatusSwitchingProtocols {
			t.Fatalf("got %d", a.status)
		}
		eventually(t, "the app has the upgrade", func() bool { app.mu.Lock(); defer app.mu.Unlock(); return len(app.seen) > 0 })
		app.one(t).wantIdentity(t, "X-User", "alice")
	})
	for name, header := range map[string]http.Header{
		"without a token": {}, "with a bad token": {"Authorization": {"Bearer x"}}, "with two": {"Authorization": {"Bearer " + token, "Bearer x"}},
	} {
		t.Run("I23: "+name, func(t *testing.T) {
			if conn, err := dial(header); err == nil {
				conn.Close()
				t.Error("the upgrade succeeded")
			}
			if seen := app.take(); len(seen) > 0 {
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
		a := s.do(s.request("OPTIONS", path, "", preflight...))
		if a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != "https://web.example.com" {
			t.Errorf("I23: the pre-flight of %s gets %d %v", path, a.status, a.header)
		}
	}
	s.do(s.request("OPTIONS", "/", "")).want(t, 401, "")
	s.do(s.request("GET", "/", "", preflight...)).want(t, 401, "")
	if seen := app.take(); len(seen) > 0 {
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

	app, s := newEdgeApp(t), newSite(t)
	s.write("page.txt", "a file")
	s.reload("", app.in(strings.NewReplacer("%FCGI%", listener.Addr().String(), "%GATE%", gate.Listener.Addr().String()).Replace(
		"http://127.0.0.1:%PORT% {\n"+optionsEndpoint+`
	root %DIR%
	basic_auth /double* {
		alice `+hashBcrypt+`
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
	token := s.token("alice")
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
			app.take()
			for _, headers := range [][]string{nil, {bearer("x")}, {"X-User: alice"}} {
				a := s.do(s.request("GET", test.path, "", headers...))
				if a.status != 401 || len(a.body) > 0 || len(app.take()) > 0 {
					t.Fatalf("got %d %q", a.status, a.body)
				}
			}
			a := s.do(s.request("GET", test.path, "", bearer(token), "X-User: admin", "X_User: admin"))
			if a.status != 200 || test.want != "" && string(a.body) != test.want {
				t.Fatalf("got %d %q, want 200 %q", a.status, a.body, test.want)
			}
			if test.byApp {
				app.one(t).wantIdentity(t, "X-User", "alice")
			}
		})
	}
	t.Run("basic_auth beside it keeps its own requests", func(t *testing.T) {
		s.do(s.request("GET", "/double", "", bearer(token))).want(t, 401, "")
		s.do(s.request("GET", "/double", "", basic("alice", "correct horse"), "X-User: admin")).want(t, 200, "")
		received := app.one(t)
		received.wantIdentity(t, "X-User", "")
		if got := "Authorization: " + received.Header.Get("Authorization"); got != basic("alice", "correct horse") {
			t.Errorf("the app gets %q", got)
		}
	})
}
