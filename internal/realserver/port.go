package realserver

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
)

// The tests of several packages run side by side, so what one process finds free another
// must not find as well. Ports are given out in blocks, and a process has a block while
// it listens at the block's first port.
const (
	lowestPort  = 10_000
	highestPort = 65_535
	blockSize   = 128
	fewBlocks   = 16
)

var ports struct {
	sync.Mutex
	next, end int            // what is left of the block
	guards    []net.Listener // of all blocks of this process, until it ends
}

// FreePort returns a TCP port of the loopback that nothing listens on, another one each
// time. The system gives it to no outgoing connection and to no listener at port 0, so it
// also stays free while a server that had it is down: a client that keeps trying to
// connect there could otherwise be given that very port.
func FreePort() (int, error) {
	ports.Lock()
	defer ports.Unlock()
	for {
		for ports.next < ports.end {
			port := ports.next
			ports.next++
			if listener := listen(port); listener != nil {
				return port, listener.Close()
			}
		}
		if !takeBlock() {
			return 0, errors.New("no ports are left")
		}
	}
}

// takeBlock looks for a block that no process has.
func takeBlock() bool {
	first, last := outside(systemPorts())
	blocks := (last - first + 1) / blockSize
	for _, i := range rand.Perm(blocks) {
		start := first + i*blockSize
		if guard := listen(start); guard != nil {
			ports.guards = append(ports.guards, guard)
			ports.next, ports.end = start+1, start+blockSize
			return true
		}
	}
	return false
}

// systemPorts are the first and the last port that the system takes for connections. If
// it does not say, they are those of Linux, of which other systems take a part.
func systemPorts() (first, last int) {
	text, _ := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if n, _ := fmt.Sscan(string(text), &first, &last); n != 2 {
		return 32_768, highestPort
	}
	return first, last
}

// outside are the first and the last port below those of the system, or above them if
// there are hardly any below. If there are hardly any at all, a port may be one of the
// system's.
func outside(first, last int) (lowest, highest int) {
	switch enough := fewBlocks * blockSize; {
	case first-lowestPort >= enough:
		return lowestPort, first - 1
	case highestPort-last >= enough:
		return last + 1, highestPort
	default:
		return lowestPort, highestPort
	}
}

// listen returns nil if the port is taken.
func listen(port int) net.Listener {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil
	}
	return listener
}
