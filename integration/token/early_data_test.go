//go:build !race

// quic-go's own client has a data race between opening a stream in early data and the
// end of the handshake.

package token

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

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// What comes in TLS early data may be replayed by an attacker who recorded it, and in
// QUIC its sender's address is not validated yet (RFC 8470).

const earlySite = `https://localhost:%TLSPORT% {
	tls internal
	log
	token_endpoint {
		issuer https://localhost
		client web {
			secret web-secret
		}
		user alice ` + harness.HashBcrypt + `
	}
	respond "the app"
}
`

func TestEarlyDataOfQUICIsRefused(t *testing.T) {
	s := harness.StartWith(t, harness.TLSOptions, harness.WithCheapHashes(t, earlySite))
	s.TLSClients() // waits for the certificate
	for _, test := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"a login", "POST", "/token", harness.LoginForm(), 425},
		{"a logout", "POST", "/token/revoke", "client_id=web&client_secret=web-secret&token=x", 425},
		{"an introspection", "POST", "/token/introspect", "client_id=web&client_secret=web-secret&token=x", 425},
		{"a wrong method", "PUT", "/token", "", 405},
		{"the keys", "GET", "/token/jwks", "", 200},
		{"the metadata", "GET", harness.WellKnown, "", 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := resumable(s, t)
			before := len(s.Refusals())
			c := dialQUIC(s, t, config, true)
			var watch sync.WaitGroup
			defer watch.Wait()
			if test.status != 200 {
				// the client hears nothing of the server until that has refused, so
				// that its handshake cannot be complete by then
				watch.Go(func() {
					defer c.letIn()
					for end := time.Now().Add(harness.Patience); time.Now().Before(end) && len(s.Refusals()) == before; {
						time.Sleep(time.Millisecond)
					}
				})
			} else {
				c.letIn()
			}
			a := c.sendEarly(t, test.method, test.path)
			if !c.conn.ConnectionState().Used0RTT || a.Status != test.status {
				t.Fatalf("got %d %s, in early data: %t", a.Status, a.Body, c.conn.ConnectionState().Used0RTT)
			}
			if test.status != 425 {
				return
			}
			a.Want(t, 425, "temporarily_unavailable")
			harness.WellFormedError(t, a)
			if reason := s.Reason(); reason != "too_early" {
				t.Errorf("refused for %q", reason)
			}
			c.send(t, test.method, test.path, test.body).Want(t, 200, "")
		})
	}
}

// A proxy in front says so in a header, of which every value means the same.
func TestEarlyDataOfAProxyIsRefused(t *testing.T) {
	s := harness.StartThrottle(t, "issuer https://api.example.com")
	for _, headers := range [][]string{{"Early-Data: 1"}, {"early-data: 1"}, {"Early-Data: 1", "Early-Data: 1"}, {"Early-Data: 0"}, {"Early-Data: "}, {"Early-Data: 1, 1"}} {
		for _, path := range []string{"/token", "/token/", "/token/revoke", "/token/introspect"} {
			t.Run(fmt.Sprint(path, headers), func(t *testing.T) {
				// nothing of it is counted as a failure, and the body is not waited for
				for _, form := range []string{harness.LoginForm("password", "wrong"), harness.LoginForm("client_secret", "wrong")} {
					s.FromTo(harness.HomeAddress, path, form, headers...).Want(t, 425, "temporarily_unavailable")
				}
				w := s.DialFrom(harness.HomeAddress)
				w.Send(s.RawRequest("POST", path, "", append([]string{harness.FormType, "Content-Length: 100"}, headers...)...))
				a := w.Receive()
				a.Want(t, 425, "temporarily_unavailable")
				harness.WellFormedError(t, a)
				if reason := s.Reason(); reason != "too_early" {
					t.Errorf("refused for %q", reason)
				}
			})
		}
		for _, path := range []string{"/token/jwks", harness.WellKnown} {
			s.Do(s.Request("GET", path, "", headers...)).Want(t, 200, "")
		}
		s.Do(s.Request("GET", "/token", "", headers...)).Want(t, 405, "invalid_request")
	}
	s.From(harness.HomeAddress, harness.LoginForm()).Want(t, 200, "")
}

// quicClient is a client of HTTP/3 that sends without waiting for the handshake.
type quicClient struct {
	s     *harness.Site
	conn  *quic.Conn
	http  *http3.ClientConn
	heard chan struct{}
	once  sync.Once
}

// letIn lets the client hear the server.
func (c *quicClient) letIn() { c.once.Do(func() { close(c.heard) }) }

func dialQUIC(s *harness.Site, t *testing.T, config *tls.Config, deaf bool) *quicClient {
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
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	c.conn, err = transport.DialEarly(ctx, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: s.TLSPort}, config, nil)
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

// resumable is the config of a client that has been here before, and has a ticket for
// its next connection.
func resumable(s *harness.Site, t *testing.T) *tls.Config {
	t.Helper()
	cache := &ticketCache{ClientSessionCache: tls.NewLRUClientSessionCache(1), got: make(chan struct{})}
	config := &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", NextProtos: []string{http3.NextProtoH3}, ClientSessionCache: cache}
	first := dialQUIC(s, t, config, false)
	first.send(t, "GET", "/token/jwks", "").Want(t, 200, "")
	select {
	case <-cache.got:
	case <-time.After(harness.Patience):
		t.Fatal("the server gives no ticket")
	}
	return config
}

// sendEarly sends a request without a body at once, and reads the answer.
func (c *quicClient) sendEarly(t *testing.T, method, path string) harness.Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	stream, err := c.http.OpenRequestStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendRequestHeader(c.s.Request(method, c.s.TLSURL(path), "", harness.FormType)); err != nil {
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
func (c *quicClient) send(t *testing.T, method, path, body string) harness.Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	response, err := c.http.RoundTrip(c.s.Request(method, c.s.TLSURL(path), body).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, response)
}

func readAnswer(t *testing.T, response *http.Response) harness.Answer {
	t.Helper()
	defer response.Body.Close()
	a := harness.Answer{Status: response.StatusCode, Header: response.Header}
	var err error
	if a.Body, err = io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal(a.Body, &a.JSON)
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
