package realserver

import (
	"context"
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Two servers listen on one address as Caddy's do at a reload.
func TestOneWaitsAsLongAsAnOldServerListens(t *testing.T) {
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	share := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		_ = c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
		return err
	}}
	address := (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}).String()
	var both [2]net.Listener
	for i := range both {
		if both[i], err = share.Listen(context.Background(), "tcp", address); err != nil {
			t.Fatal(err)
		}
		defer both[i].Close()
	}
	if found := listeners([]int{port}); len(found) != 2 || found[0] != found[1] {
		t.Fatalf("listeners: %q", found)
	}
	waited := make(chan struct{})
	go func() {
		WaitForOldListeners(port)
		close(waited)
	}()
	select {
	case <-waited:
		t.Error("it did not wait")
	case <-time.After(50 * time.Millisecond):
	}
	both[0].Close()
	<-waited
	if found := listeners([]int{port}); len(found) != 1 {
		t.Errorf("listeners: %q", found)
	}
}
