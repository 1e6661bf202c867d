package harness

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Conn is a connection on which a test writes the bytes of its requests, for what
// net/http would not send, or not in this way: bytes as they are, bodies that never
// come, peers that are somewhere else.
type Conn struct {
	net.Conn
	T      *testing.T
	Reader *bufio.Reader
}

// Dial connects to the plain port.
func (s *Site) Dial() *Conn {
	s.T.Helper()
	return DialTo(s.T, "tcp", s.Address())
}

// DialFrom connects to the plain port as a peer of another address: the config must
// have [RemotePeers] among its options.
func (s *Site) DialFrom(peer string) *Conn {
	s.T.Helper()
	w := s.Dial()
	w.Send(ProxyHeader(peer))
	return w
}

// DialTo connects to any address, for at most [Patience].
func DialTo(t *testing.T, network, address string) *Conn {
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
	if err := conn.SetDeadline(time.Now().Add(Patience)); err != nil {
		t.Fatal(err)
	}
	return &Conn{Conn: conn, T: t, Reader: bufio.NewReader(conn)}
}

// Send writes bytes as they are.
func (w *Conn) Send(raw string) {
	w.T.Helper()
	if _, err := io.WriteString(w, raw); err != nil {
		w.T.Fatalf("sending: %v", err)
	}
}

// Receive reads the next answer, which may be an interim one such as 100.
func (w *Conn) Receive() Answer {
	w.T.Helper()
	response, err := http.ReadResponse(w.Reader, nil)
	if err != nil {
		w.T.Fatalf("no answer: %v", err)
	}
	return w.read(response)
}

// closedUnanswered tells whether the server has closed the connection without a byte,
// as it does with one that is new while a reload ends the config before.
func (w *Conn) closedUnanswered() bool {
	_, err := w.Reader.Peek(1)
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
}

func (w *Conn) read(response *http.Response) Answer {
	w.T.Helper()
	var err error
	defer response.Body.Close()
	a := Answer{Status: response.StatusCode, Header: response.Header}
	if response.StatusCode < 200 {
		return a
	}
	if a.Body, err = io.ReadAll(response.Body); err != nil {
		w.T.Fatalf("reading the answer: %v", err)
	}
	_ = json.Unmarshal(a.Body, &a.JSON)
	return a
}

// Exchange sends a request as it is to the plain port, over a connection of its own,
// and reads the answer.
func (s *Site) Exchange(raw string) Answer {
	s.T.Helper()
	w := s.Dial()
	defer w.Close()
	w.Send(raw)
	return w.Receive()
}

// RawRequest is the bytes of an HTTP/1.1 request with the given headers and no others
// but Host, unless Host is among them.
func (s *Site) RawRequest(method, target, body string, headers ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", method, target)
	if !strings.HasPrefix(strings.Join(headers, "\n"), "Host: ") {
		fmt.Fprintf(&b, "Host: %s\r\n", s.Address())
	}
	for _, header := range headers {
		b.WriteString(header + "\r\n")
	}
	return b.String() + "\r\n" + body
}

// RawPost is a form with its length.
func (s *Site) RawPost(target, form string, headers ...string) string {
	headers = append(headers, FormType, fmt.Sprintf("Content-Length: %d", len(form)))
	return s.RawRequest("POST", target, form, headers...)
}

// ProxyHeader is the PROXY protocol's header by which a load balancer tells for whom it
// connects; what the server sees as its TCP peer is then that address.
func ProxyHeader(peer string) string {
	if strings.Contains(peer, ":") {
		return "PROXY TCP6 " + peer + " 2001:db8::ffff 40000 80\r\n"
	}
	return "PROXY TCP4 " + peer + " 192.0.2.254 40000 80\r\n"
}

// RemotePeers makes the server believe PROXY headers; they come before TLS.
const RemotePeers = `
		listener_wrappers {
			proxy_protocol {
				allow 127.0.0.1/32
			}
			tls
		}`

// Spelled is the text of a request with exactly these header lines.
func (s *Site) Spelled(method, path string, lines ...string) string {
	lines = append([]string{method + " " + path + " HTTP/1.1", "Host: " + s.Address()}, lines...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}
