package simulation

import (
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/fleet"
)

// proxy is the network between a node and a server.
type proxy struct {
	to       string
	listener net.Listener

	mu      sync.Mutex
	changed *sync.Cond
	trouble fleet.Trouble
	closed  bool
	open    map[*net.TCPConn]struct{} // connections of the node
}

func newProxy(to string) (*proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{to: to, listener: listener, open: make(map[*net.TCPConn]struct{})}
	p.changed = sync.NewCond(&p.mu)
	go p.accept()
	return p, nil
}

func (p *proxy) address() string { return p.listener.Addr().String() }

// suffer makes the network as the trouble says.
func (p *proxy) suffer(trouble fleet.Trouble) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble = trouble
	if trouble.Kind == fleet.Refused || trouble.Kind == fleet.Cut {
		p.cut()
	}
	p.changed.Broadcast()
}

// close cuts the node off for good. What it had sent may still arrive.
func (p *proxy) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	_ = p.listener.Close()
	p.cut()
	p.changed.Broadcast()
}

// cut resets the connections of the node. The mutex is held.
func (p *proxy) cut() {
	for conn := range p.open {
		_ = conn.SetLinger(0)
		_ = conn.Close()
	}
	clear(p.open)
}

func (p *proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.serve(conn.(*net.TCPConn))
	}
}

// enter tells whether the connection of a node may be there.
func (p *proxy) enter(conn *net.TCPConn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.trouble.Kind == fleet.Refused {
		_ = conn.SetLinger(0)
		_ = conn.Close()
		return false
	}
	p.open[conn] = struct{}{}
	return true
}

func (p *proxy) leave(conn *net.TCPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, conn)
	_ = conn.Close()
}

func (p *proxy) serve(node *net.TCPConn) {
	if !p.enter(node) {
		return
	}
	defer p.leave(node)
	conn, err := net.DialTimeout("tcp", p.to, time.Second)
	if err != nil {
		_ = node.SetLinger(0)
		return
	}
	server := conn.(*net.TCPConn)
	defer server.Close()
	var pipes sync.WaitGroup
	pipes.Go(func() {
		p.pipe(server, node, false)
		_ = server.CloseWrite() // after what was held, however late that arrives
	})
	pipes.Go(func() {
		p.pipe(node, server, true)
		p.leave(node)
	})
	pipes.Wait()
}

// pipe passes on what it reads, when that gets through.
func (p *proxy) pipe(to, from *net.TCPConn, answers bool) {
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			p.wait(answers)
			if _, failed := to.Write(buffer[:n]); failed != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// wait returns when something gets through.
func (p *proxy) wait(answers bool) {
	p.mu.Lock()
	for !p.closed && (p.trouble.Kind == fleet.Held || answers && p.trouble.Kind == fleet.AnswersHeld) {
		p.changed.Wait()
	}
	trouble := p.trouble
	p.mu.Unlock()
	if trouble.Kind == fleet.Slow {
		time.Sleep(rand.N(2 * trouble.Delay))
	}
}
