package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/encode"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/encode/gzip"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"golang.org/x/net/websocket"
)

// privateHandler is what bearer_auth does with the answers to a cookie.
type privateHandler struct{}

func (privateHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_private", New: func() caddy.Module { return new(privateHandler) }}
}

func (privateHandler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.Header.Get("Test-Extended-Connect") != "" {
		// As Go's server hands over RFC 8441, which it turns off unless GODEBUG says else.
		r.Method = http.MethodConnect
		r.Header[":protocol"] = []string{"websocket"}
	}
	private := Private(w, IsNavigation(r), func(h http.Header) { SetCookie{Name: "s", Value: "renewed"}.AddTo(h) })
	defer private.Finish()
	return next.ServeHTTP(private, r)
}

func init() { caddy.RegisterModule(privateHandler{}) }

// serveCaddy runs Caddy on a socket, with the handlers of each path, and returns how to
// reach it.
func serveCaddy(t *testing.T, paths map[string]string) (dial func() (net.Conn, error)) {
	t.Helper()
	dir, err := os.MkdirTemp("", "caddy") // the path of a socket has about 100 characters
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	var routes []string
	for path, handlers := range paths {
		routes = append(routes, fmt.Sprintf(`{"match": [{"path": [%q]}], "handle": [%s], "terminal": true}`, path, handlers))
	}
	config := fmt.Sprintf(`{
		"admin": {"disabled": true, "config": {"persist": false}},
		"logging": {"logs": {"default": {"level": "PANIC"}}},
		"apps": {"http": {"servers": {"test": {
			"listen": [%q], "protocols": ["h1", "h2c"], "automatic_https": {"disable": true}, "routes": [%s]
		}}}}
	}`, "unix/"+socket, strings.Join(routes, ","))
	var parsed caddy.Config
	if err := json.Unmarshal([]byte(config), &parsed); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Run(&parsed); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caddy.Stop() })
	return func() (net.Conn, error) { return net.Dial("unix", socket) }
}

// overCaddy runs a test with HTTP/1.1 and with HTTP/2.
func overCaddy(t *testing.T, dial func() (net.Conn, error), test func(t *testing.T, client *http.Client)) {
	for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(version, func(t *testing.T) {
			var protocols http.Protocols
			protocols.SetHTTP1(version == "HTTP/1.1")
			protocols.SetUnencryptedHTTP2(version == "HTTP/2.0")
			transport := &http.Transport{
				Protocols: &protocols, DisableCompression: true,
				DialContext: func(context.Context, string, string) (net.Conn, error) { return dial() },
			}
			defer transport.CloseIdleConnections()
			test(t, &http.Client{Transport: transport})
		})
	}
}

func proxy(app *httptest.Server) string {
	return fmt.Sprintf(`{"handler": "reverse_proxy", "upstreams": [{"dial": %q}]}`, app.Listener.Addr())
}

const encode = `{"handler": "encode", "encodings": {"gzip": {}}, "minimum_length": 1}`

const private = `{"handler": "test_private"}`

func TestAnswersOfCaddysHandlersArePrivate(t *testing.T) {
	dir, long := t.TempDir(), html+strings.Repeat("<p>text", 1000)
	for _, name := range []string{"a.html", "a.js", "a"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(long), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch filepath.Base(r.URL.Path) {
		case "public":
			w.Header().Set("Cache-Control", "public, max-age=60")
			w.Header().Set("Cloudflare-CDN-Cache-Control", "max-age=60")
			w.Header().Set("Content-Type", "text/css")
			_, _ = io.WriteString(w, long)
		case "hints":
			w.Header().Set("Cache-Control", "public")
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = io.WriteString(w, long)
		case "empty":
			w.WriteHeader(http.StatusNoContent)
		case "broken":
			panic(http.ErrAbortHandler)
		default:
			_, _ = io.WriteString(w, long)
		}
	}))
	defer app.Close()
	files := fmt.Sprintf(`{"handler": "file_server", "root": %q}`, dir)
	dial := serveCaddy(t, map[string]string{
		"/proxied/*":         private + "," + proxy(app),
		"/encoded/proxied/*": encode + "," + private + "," + proxy(app),
		"/inner/proxied/*":   private + "," + encode + "," + proxy(app),
		"/files/*":           `{"handler": "rewrite", "strip_path_prefix": "/files"},` + private + "," + files,
		"/encoded/files/*":   `{"handler": "rewrite", "strip_path_prefix": "/encoded/files"},` + encode + "," + private + "," + files,
		"/inner/files/*":     `{"handler": "rewrite", "strip_path_prefix": "/inner/files"},` + private + "," + encode + "," + files,
		"/nothing/*":         private,
		"/error/*":           private + `,{"handler": "error", "status_code": 418}`,
		"/said/*":            `{"handler": "headers", "response": {"set": {"Cache-Control": ["public"]}}},` + private + `,{"handler": "static_response", "body": "text"}`,
		"/saidlater/*":       private + `,{"handler": "headers", "response": {"deferred": true, "set": {"Cache-Control": ["public"]}}},{"handler": "static_response", "body": "text"}`,
	})
	overCaddy(t, dial, func(t *testing.T, client *http.Client) {
		for _, tt := range []struct {
			path   string
			status int
			want   string
		}{
			{"/proxied/page", 200, "no-store"},
			{"/proxied/public", 200, "private, max-age=60"},
			{"/proxied/hints", 200, "private"},
			{"/proxied/empty", 204, "private"},
			{"/proxied/broken", 502, "private"},
			{"/encoded/proxied/page", 200, "no-store"},
			{"/encoded/proxied/public", 200, "private, max-age=60"},
			{"/inner/proxied/page", 200, "no-store"},
			{"/inner/proxied/public", 200, "private, max-age=60"},
			{"/files/a.html", 200, "no-store"},
			{"/files/a.js", 200, "private"},
			{"/files/a", 200, "private"}, // Caddy sends it without a type
			{"/files/none", 404, "private"},
			{"/encoded/files/a.html", 200, "no-store"},
			{"/encoded/files/a.js", 200, "private"},
			{"/inner/files/a.html", 200, "no-store"},
			{"/inner/files/a.js", 200, "private"},
			{"/nothing/", 200, "private"},
			{"/error/", 418, "private"},
			{"/said/", 200, "private"},
			{"/saidlater/", 200, "private"},
		} {
			for _, coding := range []string{"identity", "gzip"} {
				for _, navigation := range []bool{false, true} {
					r := request(t, http.MethodGet, "http://a"+tt.path)
					r.Header.Set("Accept-Encoding", coding)
					want := tt.want
					if navigation {
						r.Header.Set("Sec-Fetch-Mode", "navigate")
						r.Header.Set("Sec-Fetch-Dest", "document")
						if want == "private" && !strings.Contains(tt.path, "said") && !strings.Contains(tt.path, "hints") {
							want = "no-store"
						}
					}
					answer, _ := get(t, client, r)
					if answer.StatusCode != tt.status || strings.Join(answer.Header["Cache-Control"], " | ") != want || answer.Header.Get("Cloudflare-CDN-Cache-Control") != "" || len(answer.Cookies()) != 1 {
						t.Errorf("%s, %s, navigation %v: %d %v, want %d with %q", tt.path, coding, navigation, answer.StatusCode, answer.Header, tt.status, want)
					}
				}
			}
		}
	})
}

func echo(t *testing.T) *httptest.Server {
	app := httptest.NewServer(websocket.Server{Handler: func(conn *websocket.Conn) { _, _ = io.Copy(conn, conn) }})
	t.Cleanup(app.Close)
	return app
}

func TestAWebSocketThroughCaddyGetsTheCookie(t *testing.T) {
	app := echo(t)
	dial := serveCaddy(t, map[string]string{
		"/plain":   private + "," + proxy(app),
		"/encoded": encode + "," + private + "," + proxy(app),
		"/inner":   private + "," + encode + "," + proxy(app),
	})
	for _, path := range []string{"/plain", "/encoded", "/inner"} {
		t.Run(path, func(t *testing.T) {
			conn, err := dial()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path)
			r := bufio.NewReader(conn)
			answer, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if answer.StatusCode != 101 || answer.Header.Get("Cache-Control") != "private" || len(answer.Cookies()) != 1 {
				t.Errorf("%s %v", answer.Status, answer.Header)
			}
			echoes(t, conn, r)
		})
	}
}

// echoes sends a masked frame, and has it back without the mask.
func echoes(t *testing.T, w io.Writer, r io.Reader) {
	t.Helper()
	if _, err := w.Write([]byte("\x81\x82\x00\x00\x00\x00hi")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(r, got); err != nil || !strings.HasSuffix(string(got), "hi") {
		t.Errorf("the echo is %q: %v", got, err)
	}
}

func TestAWebSocketOverHTTP2GetsTheCookie(t *testing.T) {
	dial := serveCaddy(t, map[string]string{"/": private + "," + proxy(echo(t))})
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols, DialContext: func(context.Context, string, string) (net.Conn, error) { return dial() }}
	defer transport.CloseIdleConnections()

	body, w := io.Pipe()
	defer w.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://a/", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Test-Extended-Connect", "1")
	r.Header.Set("Origin", "http://a")
	r.Header.Set("Sec-WebSocket-Version", "13")
	answer, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 || answer.Header.Get("Cache-Control") != "private" || len(answer.Cookies()) != 1 {
		t.Errorf("%s %v", answer.Status, answer.Header)
	}
	echoes(t, w, answer.Body)
	// Caddy itself has a data race where it ends with such a stream open.
	_ = w.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Error(err)
	}
}
