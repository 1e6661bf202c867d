package redis

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// gate is a hook at which the client's calls wait, and which counts them.
type gate struct {
	calls  atomic.Int64
	sent   atomic.Int64 // of the engine, in these calls
	panics atomic.Bool
	open   chan struct{}
}

func (g *gate) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (g *gate) pass(sent int) {
	g.calls.Add(1)
	g.sent.Add(int64(sent))
	<-g.open
	if g.panics.Load() {
		panic(secret)
	}
}

func (g *gate) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error { g.pass(1); return next(ctx, cmd) }
}

func (g *gate) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error { g.pass(len(cmds)); return next(ctx, cmds) }
}

// gated is an engine with a gate, and an epoch. Redis has the script for swaps.
func gated(t *testing.T, r *server) (*engine, string, *gate) {
	e := open(t, r.url()).(*engine)
	epoch := epochOf(t, e)
	swap(t, e, newID(epoch), 1)
	client, err := e.clients.forSessions()
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{open: make(chan struct{})}
	client.AddHook(g)
	return e, epoch, g
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come true that %s", what)
		}
	}
}

func TestRedisCallsOfAMomentAreSentTogether(t *testing.T) {
	e, epoch, g := gated(t, newServer(t))
	const most = 200
	var all errgroup.Group
	for range most {
		id, answer := newID(epoch), newAnswer()
		all.Go(func() error {
			state, err := e.Swap(t.Context(), id, 1, answer)
			if err == nil && !won(state, 1, answer) {
				t.Errorf("a swap got the state of another: %+v", state)
			}
			return err
		})
	}
	eventually(t, "as many batches as there may be wait at the gate", func() bool { return g.calls.Load() == 4 })
	close(g.open)
	if err := all.Wait(); err != nil {
		t.Error(err)
	}
	if calls := g.calls.Load(); calls > most/8 {
		t.Errorf("%d swaps took %d calls", most, calls)
	}
}

func TestRedisThatForgetsScriptsIsToldThemAgain(t *testing.T) {
	r := newServer(t)
	e := open(t, r.url())
	epoch := epochOf(t, e)
	for range 20 {
		var all errgroup.Group
		for range 32 {
			id, answer := newID(epoch), newAnswer()
			all.Go(func() error {
				state, err := e.Swap(t.Context(), id, 1, answer)
				if err == nil && !won(state, 1, answer) {
					t.Errorf("a swap got the state of another: %+v", state)
				}
				return err
			})
		}
		r.do("SCRIPT", "FLUSH")
		if err := all.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func TestRedisPanicOfTheClientIsAnErrorOfTheCallsThatWereSentTogether(t *testing.T) {
	e, epoch, g := gated(t, newServer(t))
	id := newID(epoch)
	const most = 200
	var failed atomic.Int64
	var all errgroup.Group
	for range most {
		all.Go(func() error {
			_, err := e.Load(t.Context(), id)
			if err != nil {
				failed.Add(1)
			}
			// Those that were about to be sent lose their connections.
			if err != nil && (!errors.Is(err, errPanic) && !errors.Is(err, errDropped) || strings.Contains(err.Error(), secret)) {
				t.Errorf("the error is %v", err)
			}
			return nil
		})
	}
	eventually(t, "as many batches as there may be wait at the gate", func() bool { return g.calls.Load() == 4 })
	sent := g.sent.Load()
	g.panics.Store(true)
	close(g.open)
	_ = all.Wait()
	if failed.Load() < sent {
		t.Errorf("%d of %d calls failed, want the %d that were sent", failed.Load(), most, sent)
	}
	swap(t, e, id, 1)
}
