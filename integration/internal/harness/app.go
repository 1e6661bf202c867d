package harness

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/websocket"
)

// App is an app behind Caddy, an HTTP server of its own. It answers every request
// with what it received, as JSON and with the header X-App, and keeps it as well, since
// the answer to a HEAD has no body.
type App struct {
	server *httptest.Server

	mu   sync.Mutex
	seen []Received
}

// Received is what came to the app.
type Received struct {
	Method, URI, Proto, Body string
	Header, Trailer          http.Header
}

// NewApp listens until the test ends.
func NewApp(t *testing.T) *App {
	t.Helper()
	a := new(App)
	mux := http.NewServeMux()
	mux.Handle("/ws/", websocket.Server{Handler: func(conn *websocket.Conn) {
		a.keep(conn.Request(), "")
		_, _ = io.Copy(conn, conn)
	}})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // trailers are there after it
		received := a.keep(r, string(body))
		w.Header().Set("X-App", "yes")
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(received)
	})
	a.server = httptest.NewServer(mux)
	t.Cleanup(a.server.Close)
	return a
}

func (a *App) keep(r *http.Request, body string) Received {
	received := Received{r.Method, r.RequestURI, r.Proto, body, r.Header.Clone(), r.Trailer.Clone()}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = append(a.seen, received)
	return received
}

// In puts the app's address where a config has %APP%.
func (a *App) In(config string) string {
	return strings.ReplaceAll(config, "%APP%", a.server.Listener.Addr().String())
}

// Reached tells whether anything came since the last call of Take.
func (a *App) Reached() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.seen) > 0
}

// Take returns what came since the last call, and forgets it.
func (a *App) Take() []Received {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen := a.seen
	a.seen = nil
	return seen
}

// One fails the test unless exactly one request came since the last call.
func (a *App) One(t *testing.T) Received {
	t.Helper()
	seen := a.Take()
	if len(seen) != 1 {
		t.Fatalf("the app received %d requests, want 1", len(seen))
	}
	return seen[0]
}

// sameForCGI is what a header's name becomes for CGI, WSGI and PHP, which fold these
// characters, so that two spellings are one variable.
func sameForCGI(name string) string {
	return strings.NewReplacer("-", "_", ".", "_").Replace(strings.ToUpper(name))
}

// Identity is all that an app of any kind may take for the header of that name, from
// headers and trailers.
func (r Received) Identity(name string) []string {
	var values []string
	for _, fields := range []http.Header{r.Header, r.Trailer} {
		for _, key := range slices.Sorted(maps.Keys(fields)) {
			if sameForCGI(key) == sameForCGI(name) {
				values = append(values, fields[key]...)
				if len(fields[key]) == 0 {
					values = append(values, "an announcement")
				}
			}
		}
	}
	return values
}

// WantIdentity fails the test unless the app got exactly that one value, or none if it
// is empty.
func (r Received) WantIdentity(t *testing.T, name, value string) {
	t.Helper()
	got := r.Identity(name)
	if value == "" && len(got) > 0 || value != "" && !slices.Equal(got, []string{value}) {
		t.Errorf("the app takes %q for %s, want %q; it received %v and trailers %v", got, name, value, r.Header, r.Trailer)
	}
}
