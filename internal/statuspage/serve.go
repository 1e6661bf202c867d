package statuspage

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// ErrIdle says that no browser asked for long.
var ErrIdle = errors.New("no browser asks for the page")

// Serve answers until the context ends, or no browser has asked for that long.
func (h *Handler) Serve(ctx context.Context, listener net.Listener, idle time.Duration) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	defer server.Close()
	for left := idle; ; left = idle - time.Since(h.Seen()) {
		if left <= 0 {
			return ErrIdle
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case <-time.After(left):
		}
	}
}
