package harness

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// The tests of several packages run side by side, so what one process finds free
// another must not find as well. Ports are given out in blocks, and a process has a
// block while it listens at the block's first port. They lie below those that systems
// take for outgoing connections and for listeners at port 0, so no connection can take
// one before Caddy listens there.
const (
	firstPort = 10_000
	lastPort  = 32_767 // Linux takes those above
	blockSize = 128
)

var ports struct {
	sync.Mutex
	next, end int            // what is left of the block
	guards    []net.Listener // of all blocks of this process, until it ends
}

// FreePort returns a TCP port of the loopback that nothing listens on, another one each
// time.
func FreePort(t *testing.T) int {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	for {
		for ports.next < ports.end {
			port := ports.next
			ports.next++
			if listener := listen(port); listener != nil {
				listener.Close()
				return port
			}
		}
		if !takeBlock() {
			t.Fatal("no ports are left")
		}
	}
}

// takeBlock looks for a block that no process has.
func takeBlock() bool {
	blocks := (lastPort - firstPort + 1) / blockSize
	for _, i := range rand.Perm(blocks) {
		start := firstPort + i*blockSize
		if guard := listen(start); guard != nil {
			ports.guards = append(ports.guards, guard)
			ports.next, ports.end = start+1, start+blockSize
			return true
		}
	}
	return false
}

// listen returns nil if the port is taken.
func listen(port int) net.Listener {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil
	}
	return listener
}
