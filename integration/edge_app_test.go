package integration

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/websocket"
)

// edgeApp is an app behind Caddy, an HTTP server of its own. It answers every request
// with what it received, as JSON and with the header X-App, and keeps it as well, since
// the answer to a HEAD has no body.
type edgeApp struct {
	server *httptest.Server

	mu   sync.Mutex
	seen []receivedRequest
}

// receivedRequest is what came to the app.
type receivedRequest struct {
	Method, URI, Proto, Body string
	Header, Trailer          http.Header
}

func newEdgeApp(t *testing.T) *edgeApp {
	t.Helper()
	a := new(edgeApp)
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

func (a *edgeApp) keep(r *http.Request, body string) receivedRequest {
	received := receivedRequest{r.Method, r.RequestURI, r.Proto, body, r.Header.Clone(), r.Trailer.Clone()}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = append(a.seen, received)
	return received
}

// in puts the app's address where a config has %APP%.
func (a *edgeApp) in(config string) string {
	return strings.ReplaceAll(config, "%APP%", a.server.Listener.Addr().String())
}

// take returns what came since the last call, and forgets it.
func (a *edgeApp) take() []receivedRequest {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen := a.seen
	a.seen = nil
	return seen
}

// one fails the test unless exactly one request came since the last call.
func (a *edgeApp) one(t *testing.T) receivedRequest {
	t.Helper()
	seen := a.take()
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

// identity is all that an app of any kind may take for the header of that name, from
// headers and trailers.
func (r receivedRequest) identity(name string) []string {
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

// wantIdentity fails the test unless the app got exactly that one value, or none if it is empty.
func (r receivedRequest) wantIdentity(t *testing.T, name, value string) {
	t.Helper()
	got := r.identity(name)
	if value == "" && len(got) > 0 || value != "" && !slices.Equal(got, []string{value}) {
		t.Errorf("the app takes %q for %s, want %q; it received %v and trailers %v", got, name, value, r.Header, r.Trailer)
	}
}

// bearer is an Authorization header.
func bearer(token string) string { return "Authorization: Bearer " + token }

// token logs in and returns the access token.
func (s *site) token(username string, pairs ...string) string {
	s.t.Helper()
	a := s.login(username, "correct horse", pairs...)
	a.want(s.t, 200, "")
	return a.text(s.t, "access_token")
}

// sendRaw sends bytes over a connection of their own, for what a Go client would not send,
// and returns the answer. The connection is closed after it.
func (s *site) sendRaw(request string) answer {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address())
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, request); err != nil {
		s.t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.t.Fatalf("reading the answer: %v", err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	a := answer{status: response.StatusCode, header: response.Header, body: body}
	_ = json.Unmarshal(body, &a.json)
	return a
}

// spelled is the text of a request with exactly these header lines.
func (s *site) spelled(method, path string, lines ...string) string {
	lines = append([]string{method + " " + path + " HTTP/1.1", "Host: " + s.address()}, lines...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// sharedSecret is the HS256 secret that the server of some tests shares with its apps.
const sharedSecret = "a-secret-that-the-app-has-as-well"

// forgery is a token as an app could sign it that has seen one and holds the secret.
type forgery struct {
	header, claims map[string]json.RawMessage
	more           string // text after the last claim, such as one that is there twice
	payload        string // in place of all claims
}

// forge takes an HS256 token apart, has it changed, and signs it again.
func forge(t *testing.T, token string, change func(*forgery)) string {
	t.Helper()
	f := new(forgery)
	parts := strings.Split(token, ".")
	for i, into := range []*map[string]json.RawMessage{&f.header, &f.claims} {
		decoded, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(decoded, into); err != nil {
			t.Fatal(err)
		}
	}
	change(f)
	header, err := json.Marshal(f.header)
	if err != nil {
		t.Fatal(err)
	}
	if f.payload == "" {
		// by hand, since a claim may be what encoding/json does not write
		members := make([]string, 0, len(f.claims))
		for _, name := range slices.Sorted(maps.Keys(f.claims)) {
			members = append(members, strconv.Quote(name)+":"+string(f.claims[name]))
		}
		f.payload = "{" + strings.Join(members, ",") + f.more + "}"
	}
	signed := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString([]byte(f.payload))
	mac := hmac.New(sha256.New, []byte(sharedSecret))
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// set gives a claim a value, as JSON text.
func set(claim, value string) func(*forgery) {
	return func(f *forgery) { f.claims[claim] = json.RawMessage(value) }
}

// without takes claims out.
func without(claims ...string) func(*forgery) {
	return func(f *forgery) {
		for _, claim := range claims {
			delete(f.claims, claim)
		}
	}
}

// claimOf is one claim of a token, as JSON text.
func claimOf(t *testing.T, token, claim string) string {
	t.Helper()
	var value string
	forge(t, token, func(f *forgery) { value = string(f.claims[claim]) })
	return value
}

// fromNow is a NumericDate.
func fromNow(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).Unix(), 10) }
