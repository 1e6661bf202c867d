package bearer

import (
	"bufio"
	"io"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
)

// rawApp is an app that parses nothing: it keeps each request line and header as they
// came, answers 200, and takes every upgrade that it is asked for.
type rawApp struct {
	listener net.Listener

	mu   sync.Mutex
	seen []rawRequest
}

// rawRequest is the head of a request, and what came after it on an upgraded
// connection.
type rawRequest struct {
	line   string
	header textproto.MIMEHeader
}

func newRawApp(t *testing.T) *rawApp {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &rawApp{listener: listener}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go a.serve(conn)
		}
	}()
	return a
}

func (a *rawApp) serve(conn net.Conn) {
	defer conn.Close()
	reader := textproto.NewReader(bufio.NewReader(conn))
	line, err := reader.ReadLine()
	if err != nil {
		return
	}
	header, err := reader.ReadMIMEHeader()
	if err != nil {
		return
	}
	a.mu.Lock()
	a.seen = append(a.seen, rawRequest{line, header})
	a.mu.Unlock()
	if protocol := header.Get("Upgrade"); protocol != "" {
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+protocol+"\r\n\r\n")
		_, _ = io.Copy(conn, reader.R)
		return
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nX-App: yes\r\nConnection: close\r\n\r\nthe app")
}

func (a *rawApp) in(config string) string {
	return strings.ReplaceAll(config, "%APP%", a.listener.Addr().String())
}

// take returns what came since the last call, and forgets it.
func (a *rawApp) take() []rawRequest {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen := a.seen
	a.seen = nil
	return seen
}
