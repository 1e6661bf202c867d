package realserver

import (
	"fmt"
	"net"
	"os"
	"testing"
)

// A port that the system may give to a connection is taken by one now and then, before a
// server listens there.
func TestNoFreePortIsOneThatTheSystemTakesForConnections(t *testing.T) {
	first, last := systemPorts()
	if lowest, _ := outside(first, last); lowest <= last && first <= lowest {
		t.Logf("of the ports from %d to %d none is left", first, last)
		first, last = 0, 0
	}
	seen := make(map[int]bool)
	for range 3 * blockSize { // of more than one block
		port, err := FreePort()
		if err != nil {
			t.Fatal(err)
		}
		if seen[port] {
			t.Errorf("port %d is given out twice", port)
		}
		seen[port] = true
		if first <= port && port <= last {
			t.Errorf("port %d is one of those from %d to %d, which connections get", port, first, last)
		}
	}
}

func TestPortsOutsideOfThoseForConnections(t *testing.T) {
	for _, c := range []struct{ first, last, lowest, highest int }{
		{32_768, 60_999, 10_000, 32_767}, // Linux
		{49_152, 65_535, 10_000, 49_151}, // macOS, BSD, Windows
		{10_240, 40_000, 40_001, 65_535}, // hardly any below
		{1_024, 60_999, 61_000, 65_535},  // none below
		{1_024, 65_535, 10_000, 65_535},  // none at all
		{15_000, 65_000, 10_000, 14_999}, // hardly any above
	} {
		if lowest, highest := outside(c.first, c.last); lowest != c.lowest || highest != c.highest {
			t.Errorf("outside of %d to %d: %d to %d, want %d to %d", c.first, c.last, lowest, highest, c.lowest, c.highest)
		}
	}
}

// Another process that runs now finds the first port of a block taken, and leaves the
// block alone.
func TestABlockOfPortsIsOneProcessesAlone(t *testing.T) {
	if _, err := FreePort(); err != nil {
		t.Fatal(err)
	}
	ports.Lock()
	guard := ports.end - blockSize
	ports.Unlock()
	if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", guard)); err == nil {
		l.Close()
		t.Errorf("process %d does not listen at %d, the first port of its block", os.Getpid(), guard)
	}
}
