package sessionstest

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

// broken is an engine in memory with some methods replaced.
type broken struct {
	*Node
	with mutation
}

// mutation is what is wrong with an engine, as methods that take the place of those of
// a Node. What is nil is right.
type mutation struct {
	epoch   func(n *Node, ctx context.Context) (string, error)
	load    func(n *Node, ctx context.Context, id sessions.ID) (sessions.State, error)
	swap    func(n *Node, ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error)
	revoke  func(n *Node, ctx context.Context, id sessions.ID) error
	revoked func(n *Node, ctx context.Context, after string) ([]sessions.ID, string, bool, error)
	sweep   func(n *Node, ctx context.Context) (bool, error)
	close   func(n *Node) error

	hooks func(m *Memory, e *Engines) // more that is wrong
}

// mutated is an engine that breaks one promise, and the test that has to notice.
type mutated struct {
	noticed string
	mutation
}

// allMutations are those of each kind, by what is wrong.
func allMutations() map[string]mutated {
	all := maps.Clone(swapMutations)
	maps.Copy(all, feedMutations)
	maps.Copy(all, engineMutations)
	return all
}

func (b *broken) Epoch(ctx context.Context) (string, error) {
	if b.with.epoch != nil {
		return b.with.epoch(b.Node, ctx)
	}
	return b.Node.Epoch(ctx)
}

func (b *broken) Load(ctx context.Context, id sessions.ID) (sessions.State, error) {
	if b.with.load != nil {
		return b.with.load(b.Node, ctx, id)
	}
	return b.Node.Load(ctx, id)
}

func (b *broken) Swap(ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
	if b.with.swap != nil {
		return b.with.swap(b.Node, ctx, id, next, answer)
	}
	return b.Node.Swap(ctx, id, next, answer)
}

func (b *broken) Revoke(ctx context.Context, id sessions.ID) error {
	if b.with.revoke != nil {
		return b.with.revoke(b.Node, ctx, id)
	}
	return b.Node.Revoke(ctx, id)
}

func (b *broken) Revoked(ctx context.Context, after string) ([]sessions.ID, string, bool, error) {
	if b.with.revoked != nil {
		return b.with.revoked(b.Node, ctx, after)
	}
	return b.Node.Revoked(ctx, after)
}

func (b *broken) Sweep(ctx context.Context) (bool, error) {
	if b.with.sweep != nil {
		return b.with.sweep(b.Node, ctx)
	}
	return b.Node.Sweep(ctx)
}

func (b *broken) Close() error {
	if b.with.close != nil {
		return b.with.close(b.Node)
	}
	return b.Node.Close()
}

// kept calls f with what there is, as a call that succeeds.
func (n *Node) kept(f func(k *kept)) {
	n.memory.mu.Lock()
	defer n.memory.mu.Unlock()
	f(n.memory.of(n.server))
}

// TestABrokenEngineFailsTheSuite runs the suite in a process of its own for each
// mutation, and in it the test that has to notice.
func TestABrokenEngineFailsTheSuite(t *testing.T) {
	if os.Getenv(brokenVariable) != "" {
		patience = 5 * time.Second // some mutations hang
		for name, mutation := range allMutations() {
			t.Run(name, func(t *testing.T) {
				m := NewMemory(nil)
				e := engines(m)
				e.Open = func(_ *testing.T, server string) sessions.Engine {
					return &broken{m.Open(server), mutation.mutation}
				}
				if mutation.hooks != nil {
					mutation.hooks(m, &e)
				}
				TestEngine(t, e)
			})
		}
		return
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, mutation := range allMutations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test := t.Name()[:strings.Index(t.Name(), "/")] + "/^" + name + "$/^" + mutation.noticed + "$"
			suite := exec.CommandContext(t.Context(), program, "-test.short", "-test.v", "-rapid.checks=2000", "-rapid.nofailfile", "-test.run=^"+test)
			suite.Env = append(os.Environ(), brokenVariable+"=1")
			output, err := suite.CombinedOutput()
			var exit *exec.ExitError
			want := "--- FAIL: " + t.Name() + "/" + strings.ReplaceAll(mutation.noticed, " ", "_")
			if !errors.As(err, &exit) || !strings.Contains(string(output), want) {
				t.Errorf("the suite does not notice: %v\n%s", err, output)
			}
		})
	}
}

const brokenVariable = "SESSIONSTEST_BROKEN"
