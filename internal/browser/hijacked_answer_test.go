package browser

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// An app that hijacks writes the header itself, or has had it written with status 101.
func TestAHijackedConnectionHasThePrivateHeader(t *testing.T) {
	for name, app := range map[string]func(w http.ResponseWriter) error{
		"by status 101, as reverse_proxy does": func(w http.ResponseWriter) error {
			w.WriteHeader(http.StatusSwitchingProtocols)
			conn, buffers, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return err
			}
			defer conn.Close()
			if err := buffers.Flush(); err != nil {
				return err
			}
			_, err = io.WriteString(conn, "hello\n")
			return err
		},
		"by its own hand": func(w http.ResponseWriter) error {
			conn, buffers, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return err
			}
			defer conn.Close()
			fmt.Fprint(buffers, "HTTP/1.1 101 Switching Protocols\r\n")
			_ = w.Header().Write(buffers)
			fmt.Fprint(buffers, "\r\nhello\n")
			return buffers.Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				private := Private(w, false, func(h http.Header) { calls.Add(1); h.Add("Set-Cookie", "s=renewed") })
				private.Header().Set("Connection", "Upgrade")
				private.Header().Set("Upgrade", "websocket")
				private.Header().Set("Cache-Control", "public")
				if err := app(private); err != nil {
					t.Error(err)
				}
				private.Finish()
			}))
			defer server.Close()
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			r := bufio.NewReader(conn)
			answer, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if answer.StatusCode != 101 || answer.Header.Get("Cache-Control") != "private" || len(answer.Cookies()) != 1 || calls.Load() != 1 {
				t.Errorf("%s %v, before was called %d times", answer.Status, answer.Header, calls.Load())
			}
			if line, err := r.ReadString('\n'); line != "hello\n" {
				t.Errorf("the connection has %q: %v", line, err)
			}
		})
	}
}

// HTTP/2 has no connections to hijack; what the app answers then is private too.
func TestWhereNothingCanBeHijackedTheNextHeaderIsPrivate(t *testing.T) {
	for name, try := range map[string]func(w http.ResponseWriter){
		"a hijack": func(w http.ResponseWriter) {
			if _, _, err := http.NewResponseController(w).Hijack(); err == nil {
				t.Error("HTTP/2 was hijacked")
			}
		},
		"status 101": func(w http.ResponseWriter) { w.WriteHeader(http.StatusSwitchingProtocols) },
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				private := Private(w, false, func(h http.Header) { calls.Add(1); h.Add("Set-Cookie", "s=renewed") })
				try(private)
				private.Header().Set("Cache-Control", "public")
				private.Header().Set("CDN-Cache-Control", "public")
				private.WriteHeader(http.StatusNotImplemented)
			}))
			server.EnableHTTP2 = true
			server.StartTLS()
			defer server.Close()
			answer, _ := get(t, server.Client(), request(t, http.MethodGet, server.URL))
			if answer.StatusCode != 501 || answer.Header.Get("Cache-Control") != "private" || answer.Header.Get("CDN-Cache-Control") != "" || len(answer.Cookies()) != 1 || calls.Load() != 1 {
				t.Errorf("%s %v, before was called %d times", answer.Status, answer.Header, calls.Load())
			}
		})
	}
}
