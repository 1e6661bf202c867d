//go:build !race

// quic-go's own client has a data race between opening a stream in early data and the end
// of the handshake.

package integration

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// What comes in TLS early data may be sent again by whoever recorded it, and in QUIC its
// sender's address is not validated yet (RFC 8470).

const earlySite = `https://localhost:%TLSPORT% {
	tls internal
	log
	token_endpoint {
		issuer https://localhost
		client web {
			secret web-secret
		}
		user alice ` + hashBcrypt + `
	}
	respond "the app"
}
`

func TestEarlyDataOfQUICIsRefused(t *testing.T) {
	s := startWith(t, tlsOptions, cheap(t, earlySite))
	s.tlsClients() // waits for the certificate
	for _, test := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"a login", "POST", "/token", loginForm(), 425},
		{"a logout", "POST", "/token/revoke", "client_id=web&client_secret=web-secret&token=x", 425},
		{"an introspection", "POST", "/token/introspect", "client_id=web&client_secret=web-secret&token=x", 425},
		{"a wrong method", "PUT", "/token", "", 405},
		{"the keys", "GET", "/token/jwks", "", 200},
		{"the metadata", "GET", wellKnown, "", 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := s.resumable(t)
			before := len(s.refusals())
			c := s.dialQUIC(t, config, true)
			var watch sync.WaitGroup
			defer watch.Wait()
			if test.status != 200 {
				// the client hears nothing of the server until that has refused, so that its
				// handshake cannot be complete by then
				watch.Go(func() {
					defer c.letIn()
					for end := time.Now().Add(patience); time.Now().Before(end) && len(s.refusals()) == before; {
						time.Sleep(time.Millisecond)
					}
				})
			} else {
				c.letIn()
			}
			a := c.sendEarly(t, test.method, test.path)
			if !c.conn.ConnectionState().Used0RTT || a.status != test.status {
				t.Fatalf("got %d %s, in early data: %t", a.status, a.body, c.conn.ConnectionState().Used0RTT)
			}
			if test.status != 425 {
				return
			}
			a.want(t, 425, "temporarily_unavailable")
			wellFormedError(t, a)
			if reason := s.reason(); reason != "too_early" {
				t.Errorf("refused for %q", reason)
			}
			c.send(t, test.method, test.path, test.body).want(t, 200, "")
		})
	}
}

// A proxy in front says so in a header, of which every value means the same.
func TestEarlyDataOfAProxyIsRefused(t *testing.T) {
	s := startThrottle(t, "issuer https://api.example.com")
	for _, headers := range [][]string{{"Early-Data: 1"}, {"early-data: 1"}, {"Early-Data: 1", "Early-Data: 1"}, {"Early-Data: 0"}, {"Early-Data: "}, {"Early-Data: 1, 1"}} {
		for _, path := range []string{"/token", "/token/", "/token/revoke", "/token/introspect"} {
			t.Run(fmt.Sprint(path, headers), func(t *testing.T) {
				// nothing of it is counted as a failure, and the body is not waited for
				for _, form := range []string{loginForm("password", "wrong"), loginForm("client_secret", "wrong")} {
					s.fromTo(home, path, form, headers...).want(t, 425, "temporarily_unavailable")
				}
				w := s.dialFrom(home)
				w.send(s.rawRequest("POST", path, "", append([]string{formType, "Content-Length: 100"}, headers...)...))
				a := w.receive()
				a.want(t, 425, "temporarily_unavailable")
				wellFormedError(t, a)
				if reason := s.reason(); reason != "too_early" {
					t.Errorf("refused for %q", reason)
				}
			})
		}
		for _, path := range []string{"/token/jwks", wellKnown} {
			s.do(s.request("GET", path, "", headers...)).want(t, 200, "")
		}
		s.do(s.request("GET", "/token", "", headers...)).want(t, 405, "invalid_request")
	}
	s.from(home, loginForm()).want(t, 200, "")
}

// quicClient is a client of HTTP/3 that sends without waiting for the handshake.
type quicClient struct {
	s     *site
	conn  *quic.Conn
	http  *http3.ClientConn
	heard chan struct{}
	once  sync.Once
}

// letIn lets the client hear the server.
func (c *quicClient) letIn() { c.once.Do(func() { close(c.heard) }) }

func (s *site) dialQUIC(t *testing.T, config *tls.Config, deaf bool) *quicClient {
	t.Helper()
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	c := &quicClient{s: s, heard: make(chan struct{})}
	if !deaf {
		c.letIn()
	}
	transport := &quic.Transport{Conn: gatedConn{udp, c.heard}}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	c.conn, err = transport.DialEarly(ctx, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: s.tlsPort}, config, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.http = new(http3.Transport).NewClientConn(c.conn)
	t.Cleanup(func() {
		c.letIn()
		_ = c.conn.CloseWithError(0, "")
		_ = transport.Close()
		_ = udp.Close()
		cancel()
	})
	return c
}

// resumable is the config of a client that has been here before, and has a ticket for its
// next connection.
func (s *site) resumable(t *testing.T) *tls.Config {
	t.Helper()
	cache := &ticketCache{ClientSessionCache: tls.NewLRUClientSessionCache(1), got: make(chan struct{})}
	config := &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", NextProtos: []string{http3.NextProtoH3}, ClientSessionCache: cache}
	first := s.dialQUIC(t, config, false)
	first.send(t, "GET", "/token/jwks", "").want(t, 200, "")
	select {
	case <-cache.got:
	case <-time.After(patience):
		t.Fatal("the server gives no ticket")
	}
	return config
}

// sendEarly sends a request without a body at once, and reads the answer.
func (c *quicClient) sendEarly(t *testing.T, method, path string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stream, err := c.http.OpenRequestStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendRequestHeader(c.s.request(method, c.s.tlsURL(path), "", formType)); err != nil {
		t.Fatal(err)
	}
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
	response, err := stream.ReadResponse()
	if err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, response)
}

// send waits for the handshake, as clients of HTTP/3 do but for GET and HEAD.
func (c *quicClient) send(t *testing.T, method, path, body string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	response, err := c.http.RoundTrip(c.s.request(method, c.s.tlsURL(path), body).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, response)
}

func readAnswer(t *testing.T, response *http.Response) answer {
	t.Helper()
	defer response.Body.Close()
	a := answer{status: response.StatusCode, header: response.Header}
	var err error
	if a.body, err = io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal(a.body, &a.json)
	return a
}

// gatedConn hears nothing until it may.
type gatedConn struct {
	net.PacketConn
	heard chan struct{}
}

func (c gatedConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.PacketConn.ReadFrom(b)
	<-c.heard
	return n, from, err
}

// ticketCache says when there is a ticket in it.
type ticketCache struct {
	tls.ClientSessionCache
	got  chan struct{}
	once sync.Once
}

func (c *ticketCache) Put(key string, session *tls.ClientSessionState) {
	c.ClientSessionCache.Put(key, session)
	if session != nil {
		c.once.Do(func() { close(c.got) })
	}
}
