package integration

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/crypto/bcrypt"
)

// This file is for requests that net/http would not send, or not in this way: bytes as
// they are, bodies that never come, peers that are somewhere else.

// wire is a connection on which a test writes the bytes of its requests.
type wire struct {
	net.Conn
	t      *testing.T
	reader *bufio.Reader
}

// dial connects to the plain port.
func (s *site) dial() *wire {
	s.t.Helper()
	return dialTo(s.t, "tcp", s.address())
}

// dialFrom connects to the plain port as a peer of another address: the config must have
// remotePeers among its options.
func (s *site) dialFrom(peer string) *wire {
	s.t.Helper()
	w := s.dial()
	w.send(proxyHeader(peer))
	return w
}

func dialTo(t *testing.T, network, address string) *wire {
	t.Helper()
	conn, err := net.Dial(network, address)
	for try := 0; errors.Is(err, syscall.ECONNRESET) && try < 3; try++ { // of a listener that a reload has just closed
		conn, err = net.Dial(network, address)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	// so that a server that never answers fails the test instead of hanging it
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &wire{Conn: conn, t: t, reader: bufio.NewReader(conn)}
}

func (w *wire) send(raw string) {
	w.t.Helper()
	if _, err := io.WriteString(w, raw); err != nil {
		w.t.Fatalf("sending: %v", err)
	}
}

// receive reads the next answer, which may be an interim one such as 100.
func (w *wire) receive() answer {
	w.t.Helper()
	response, err := http.ReadResponse(w.reader, nil)
	if err != nil {
		w.t.Fatalf("no answer: %v", err)
	}
	defer response.Body.Close()
	a := answer{status: response.StatusCode, header: response.Header}
	if response.StatusCode < 200 {
		return a
	}
	if a.body, err = io.ReadAll(response.Body); err != nil {
		w.t.Fatalf("reading the answer: %v", err)
	}
	_ = json.Unmarshal(a.body, &a.json)
	return a
}

// exchange sends a request as it is to the plain port and reads the answer.
func (s *site) exchange(raw string) answer {
	s.t.Helper()
	w := s.dial()
	w.send(raw)
	return w.receive()
}

// rawRequest is the bytes of an HTTP/1.1 request with the given headers and no others but
// Host, unless Host is among them.
func (s *site) rawRequest(method, target, body string, headers ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", method, target)
	if !strings.HasPrefix(strings.Join(headers, "\n"), "Host: ") {
		fmt.Fprintf(&b, "Host: %s\r\n", s.address())
	}
	for _, header := range headers {
		b.WriteString(header + "\r\n")
	}
	return b.String() + "\r\n" + body
}

// rawPost is a form with its length.
func (s *site) rawPost(target, form string, headers ...string) string {
	headers = append(headers, formType, fmt.Sprintf("Content-Length: %d", len(form)))
	return s.rawRequest("POST", target, form, headers...)
}

// proxyHeader is the PROXY protocol's header by which a load balancer tells for whom it
// connects; what the server sees as its TCP peer is then that address.
func proxyHeader(peer string) string {
	if strings.Contains(peer, ":") {
		return "PROXY TCP6 " + peer + " 2001:db8::ffff 40000 80\r\n"
	}
	return "PROXY TCP4 " + peer + " 192.0.2.254 40000 80\r\n"
}

// loginForm is a login that gets a token, with changes to it as those of site.login.
func loginForm(pairs ...string) string {
	form := url.Values{
		"grant_type": {"password"}, "username": {"alice"}, "password": {"correct horse"},
		"client_id": {"web"}, "client_secret": {"web-secret"},
	}
	for i := 0; i < len(pairs); i += 2 {
		if form.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			form.Del(pairs[i])
		}
	}
	return form.Encode()
}

// userForm is the same without any client in it.
func userForm(pairs ...string) string {
	return loginForm(append([]string{"client_id", "", "client_secret", ""}, pairs...)...)
}

// refusals are the log lines of refused requests so far.
func (s *site) refusals() []map[string]any {
	s.t.Helper()
	return s.logged(func(line map[string]any) bool { return line["msg"] == "request refused" })
}

// reason is why the last request was refused, which the client is not told.
func (s *site) reason() string {
	s.t.Helper()
	refusals := s.refusals()
	if len(refusals) == 0 {
		s.t.Fatal("nothing was refused")
	}
	reason, _ := refusals[len(refusals)-1]["reason"].(string)
	return reason
}

// cheapHash is a bcrypt hash that costs next to nothing to check.
func cheapHash(t *testing.T, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

const (
	formType = "Content-Type: application/x-www-form-urlencoded"

	// patience is how long a test waits for an answer before it calls it missing.
	patience = 30 * time.Second

	// remotePeers makes the server believe PROXY headers; they come before TLS.
	remotePeers = `
		listener_wrappers {
			proxy_protocol {
				allow 127.0.0.1/32
			}
			tls
		}`
)

// startCheap serves the sites with hashes that are quick to check: most tests are about
// something else, and the race detector makes the real ones slow.
func startCheap(t *testing.T, sites string) *site {
	t.Helper()
	return start(t, cheap(t, sites))
}

func cheap(t *testing.T, sites string) string {
	t.Helper()
	hash := cheapHash(t, "correct horse")
	return strings.NewReplacer(hashBcrypt, hash, hashArgon2id, hash).Replace(sites)
}

// load runs a whole Caddyfile, for tests that need other global options.
func (s *site) load(caddyfile string) {
	s.t.Helper()
	config, err := adapt(s.expand(caddyfile))
	if err != nil {
		s.t.Fatalf("adapting the config: %v", err)
	}
	if err := caddy.Load(config, true); err != nil {
		s.t.Fatalf("loading the config: %v", err)
	}
}
