package sharedfailures

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddygrant/caddy-grant/internal/throttle"
)

const testPrefix = "grant/default-0a1b2c3d"

// member is a node of a server, which follows until stop is called or the test ends.
type member struct {
	*throttle.Throttle
	*Node
	t    *testing.T
	way  *way
	stop func() // and waits for the end

	mu     sync.Mutex
	errors []string // without repetitions in a row
}

// inBubble runs a test whose time passes only while everything that it started waits.
func inBubble(t *testing.T, f func(t *testing.T, s *shelf)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newShelf()) })
}

// join starts a node.
func join(t *testing.T, s *shelf, limits throttle.Limits) *member {
	m := &member{Throttle: throttle.New(limits), t: t, way: newWay(s)}
	m.UseKey([32]byte{1})
	m.Node = NewNode(m.Throttle)
	m.follow()
	return m
}

// follow begins what a config does.
func (m *member) follow() {
	ctx, cancel := context.WithCancel(m.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.Follow(ctx, m.way, testPrefix, m.told)
	}()
	m.stop = sync.OnceFunc(func() { cancel(); <-ended })
	m.t.Cleanup(m.stop)
}

func (m *member) told(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	text := ""
	if err != nil {
		text = err.Error()
	}
	if len(m.errors) == 0 || m.errors[len(m.errors)-1] != text {
		m.errors = append(m.errors, text)
	}
}

// allTold are the errors that were told; empty: it works.
func (m *member) allTold() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.errors)
}

// failing is the error that was told last.
func (m *member) failing() string {
	told := m.allTold()
	if len(told) == 0 {
		return "nothing was told"
	}
	return told[len(told)-1]
}

func joinAll(t *testing.T, s *shelf, limits throttle.Limits, nodes int) (all []*member) {
	for range nodes {
		all = append(all, join(t, s, limits))
	}
	return all
}

func from(address, name string) throttle.Attempt {
	return throttle.Attempt{Account: throttle.Join("user", name), Source: throttle.Address(netip.MustParseAddr(address))}
}

// nth returns one of many addresses.
func nth(i int) string { return fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255) }

// tries tells whether an attempt may be made, and has it fail.
func (m *member) tries(a throttle.Attempt) bool {
	r, err := m.Reserve(a)
	if err == nil {
		r.Fail()
	}
	return err == nil
}

func (m *member) fails(n int, a throttle.Attempt) {
	m.t.Helper()
	for i := range n {
		if !m.tries(a) {
			m.t.Fatalf("attempt %d is refused", i+1)
		}
	}
}

// lets tells whether an attempt may be made, and makes none.
func (m *member) lets(a throttle.Attempt) bool {
	r, err := m.Reserve(a)
	if err == nil {
		r.Cancel()
	}
	return err == nil
}

// wait is how long an attempt would have to wait.
func (m *member) wait(a throttle.Attempt) time.Duration {
	r, err := m.Reserve(a)
	if refused, ok := errors.AsType[*throttle.RefusedError](err); ok {
		return refused.RetryAfter
	}
	r.Cancel()
	return 0
}

func (m *member) succeeds(a throttle.Attempt) {
	m.t.Helper()
	r, err := m.Reserve(a)
	if err != nil {
		m.t.Fatal(err)
	}
	r.Succeed()
}

func (m *member) want(lets bool, a throttle.Attempt, why string) {
	m.t.Helper()
	if m.lets(a) != lets {
		m.t.Errorf("%s: an attempt is let pass: %t", why, !lets)
	}
}

// wantAll is want at each node.
func wantAll(nodes []*member, lets bool, a throttle.Attempt, why string) {
	nodes[0].t.Helper()
	for i, m := range nodes {
		m.want(lets, a, fmt.Sprintf("%s, at node %d", why, i))
	}
}

func (s *shelf) want(t *testing.T, why string, want ...string) {
	t.Helper()
	if got := s.names(); !slices.Equal(got, want) {
		t.Errorf("%s: the storage has %q, want %q", why, got, want)
	}
}

// delay is how long it may take until all nodes know.
const delay = 5 * time.Second
