package sessionstest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/sessionstest"
)

// A module with an engine has this in a test of its own. Here the engine is the one in
// memory.
func ExampleTestEngine() {
	memory := sessionstest.NewMemory(nil)
	_ = func(t *testing.T) { // func TestTheEngine(t *testing.T)
		sessionstest.TestEngine(t, sessionstest.Engines{
			Open:  func(_ *testing.T, server string) sessions.Engine { return memory.Open(server) },
			Empty: func(*testing.T) { memory.Flush() },
			Interrupt: func(*testing.T) (restore func()) {
				memory.Stop()
				return memory.Start
			},
		})
	}
}

// A test of what uses an engine has calls fail.
func ExampleMemory() {
	memory := sessionstest.NewMemory(nil)
	node, another := memory.Open("default"), memory.Open("default")
	ctx := context.Background()
	epoch, _ := node.Epoch(ctx)
	id := sessions.NewID(time.Now().Add(time.Hour), epoch)

	node.Befall("Swap", sessionstest.Late)
	_, err := node.Swap(ctx, id, 1, "0123456789abcdef0123456789abcdef")
	fmt.Println(err)
	for range 2 {
		state, _ := another.Load(ctx, id)
		fmt.Println("generation", state.Generation)
		memory.ComesTrue()
	}
	// Output:
	// Swap: injected fault
	// generation 0
	// generation 1
}
