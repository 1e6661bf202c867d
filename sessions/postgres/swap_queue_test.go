package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/caddygrant/caddy-grant/sessions"
)

// gate is a hook of the driver at which statements that swap wait until it is open. It
// counts them.
type gate struct {
	open       chan struct{}
	panics     atomic.Bool
	statements atomic.Int64
}

func (g *gate) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if !strings.Contains(data.SQL, " s SET") {
		return ctx
	}
	g.statements.Add(1)
	<-g.open
	if g.panics.Load() {
		panic(hidden)
	}
	return ctx
}

func (g *gate) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// gatedSwaps returns what swaps of n sessions get that all wait until they are sent.
func gatedSwaps(t *testing.T, n int, panics bool) (g *gate, states []sessions.State, errs []error) {
	url, _ := sharedServer(t).database(t)
	plain, epoch := nodes(t, url, 1)
	g = &gate{open: make(chan struct{})}
	engine := traced(t, url, 9, g) // its own pool
	epochOf(t, engine)
	open := sync.OnceFunc(func() { close(g.open) })
	defer open()
	states, errs = make([]sessions.State, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		id := newID(epoch)
		swap(t, plain[0], id, 1, newAnswer())
		all.Go(func() { states[i], errs[i] = engine.Swap(t.Context(), id, 2, fmt.Sprintf("%032d", i)) })
	}
	for deadline := time.Now().Add(time.Minute); g.statements.Load() < 4; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("there are fewer statements at the gate than may be under way at once")
		}
	}
	g.panics.Store(panics)
	open()
	all.Wait()
	return g, states, errs
}

func TestSwapsOfAMomentShareAStatement(t *testing.T) {
	const n = 200
	g, states, errs := gatedSwaps(t, n, false)
	for i, state := range states {
		if errs[i] != nil || !wonAs(state, 2, fmt.Sprintf("%032d", i)) {
			t.Errorf("%d: %+v, %v", i, state, errs[i])
		}
	}
	if sent := g.statements.Load(); sent > n/8 {
		t.Errorf("%d statements for %d swaps", sent, n)
	}
}

func TestAPanicOfTheDriverIsAnErrorOfAllSwapsOfTheStatement(t *testing.T) {
	_, _, errs := gatedSwaps(t, 200, true)
	for i, err := range errs {
		isPanic(t, fmt.Sprint("swap ", i), err)
	}
}
