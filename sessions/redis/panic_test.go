package redis

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddygrant/caddy-grant/sessions"
)

// panics is a hook of the client that panics with a secret while it is told to.
type panics struct{ now atomic.Bool }

func (h *panics) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return next(ctx, network, address)
	}
}

func (h *panics) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		if h.now.Load() && cmd.Name() != "cluster" { // which the client asks in goroutines of its own
			panic(secret)
		}
		return next(ctx, cmd)
	}
}

func (h *panics) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		if h.now.Load() {
			panic(secret)
		}
		return next(ctx, cmds)
	}
}

// hook makes the clients of an engine again with a hook, for as long as they last.
func (h *panics) hook(t *testing.T, e *engine) {
	t.Helper()
	for _, of := range []func() (goredis.UniversalClient, error){e.clients.forSessions, e.clients.forExamination} {
		client, err := of()
		if err != nil {
			t.Fatal(err)
		}
		client.AddHook(h)
		if cluster, is := client.(*goredis.ClusterClient); is { // whose nodes are asked themselves, too
			if err := cluster.ForEachMaster(t.Context(), func(_ context.Context, node *goredis.Client) error {
				node.AddHook(h)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A panic in the goroutine of a call would end Caddy, and all of its sites.
func TestRedisPanicsOfTheClientAreErrorsOfTheCall(t *testing.T) {
	for name, url := range map[string]string{"standalone": newServer(t).url(), "cluster": clusterURL(newCluster(t))} {
		t.Run(name, func(t *testing.T) {
			e := open(t, url).(*engine)
			epoch := epochOf(t, e)
			id := newID(epoch)
			swap(t, e, id, 1)
			all := calls(e, id)
			all["Epoch"] = func(ctx context.Context) error { _, err := e.Epoch(ctx); return err }
			all["Revoked"] = func(ctx context.Context) error { _, _, _, err := e.Revoked(ctx, ""); return err }
			all["Sweep"] = func(ctx context.Context) error { _, err := e.Sweep(ctx); return err }
			for name, call := range all {
				hook := new(panics)
				hook.hook(t, e)
				hook.now.Store(true)
				err := call(t.Context())
				if err == nil || !strings.Contains(err.Error(), "[PANIC] string") || strings.Contains(err.Error(), secret) || saysSomething(err) {
					t.Errorf("%s: %v", name, err)
				}
				// The clients that had the hook are gone, and so are their connections.
				if now := epochOf(t, e); now != epoch {
					t.Errorf("after %s: the epoch is %s, want %s", name, now, epoch)
				}
			}
			swap(t, e, id, 2)
		})
	}
}

// An examination that ends half way in a panic trusts no process.
func TestRedisPanicOfAnExaminationTrustsNothing(t *testing.T) {
	e := open(t, newServer(t).url()).(*engine)
	hook := new(panics)
	hook.hook(t, e)
	hook.now.Store(true)
	if _, err := e.Epoch(t.Context()); !errors.Is(err, errPanic) {
		t.Errorf("%v", err)
	}
	if e.trust.known {
		t.Error("a process is trusted, though none was asked")
	}
}

// The client calls this hook in goroutines of its own.
func TestRedisPanicWhileAConnectionIsMadeIsItsError(t *testing.T) {
	err := new(engine).admit(t.Context(), nil)
	if !errors.Is(err, errPanic) || !strings.Contains(failure(err).Error(), "[PANIC]") {
		t.Errorf("%v", err)
	}
}

func saysSomething(err error) bool {
	for _, certain := range []error{sessions.ErrOtherEpoch, sessions.ErrDamaged, sessions.ErrCursor, sessions.ErrUnsuitable} {
		if errors.Is(err, certain) {
			return true
		}
	}
	return false
}
