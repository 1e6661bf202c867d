package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"
)

const testPrefix = "grant/default-0a1b2c3d"

// node is a process that has the sessions of a server.
type node struct {
	*Store
	memory  *Memory
	storage *faulty
	skew    time.Duration // of its clock
}

func newNode(storage certmagic.Storage) *node {
	n := &node{memory: NewMemory(), storage: newFaulty(storage)}
	n.Store = NewStore(n.storage, testPrefix, n.memory, func() time.Time { return time.Now().Add(n.skew) })
	return n
}

// check is Check, of which only the error matters.
func (n *node) check(ctx context.Context, id ID, generation uint64, grace time.Duration) error {
	_, err := n.Check(ctx, id, generation, grace)
	return err
}

// restart is another process at the same storage.
func (n *node) restart() *node {
	again := newNode(n.storage.Storage)
	again.skew = n.skew
	return again
}

// inBubble runs a test whose time passes only while everything that it started waits.
// What still runs or waits a minute after its end makes it fail: calls that were given up
// end by themselves.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ways.take() // those of other bubbles
		t.Cleanup(func() {
			if !t.Failed() {
				return
			}
			for _, f := range ways.take() { // the failure is to be seen, rather than what it leaves behind
				f.release()
			}
			time.Sleep(time.Hour)
		})
		f(t)
		time.Sleep(time.Minute)
	})
}

// ways are those made since they were last taken.
var ways allWays

type allWays struct {
	mu  sync.Mutex
	all []*faulty
}

func (w *allWays) add(f *faulty) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, f)
}

func (w *allWays) take() []*faulty {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.all
	w.all = nil
	return all
}

// newFileStorage is Caddy's default storage. Each of its locks leaves a goroutine
// behind for some seconds.
func newFileStorage(t *testing.T) *certmagic.FileStorage {
	t.Helper()
	storage := &certmagic.FileStorage{Path: t.TempDir()}
	t.Cleanup(func() { time.Sleep(10 * time.Second) }) // in the bubble's time
	return storage
}

func monthAhead() ID { return NewID(time.Now().AddDate(0, 1, 0)) }

// wantRotated exchanges a generation and gets the one it wants.
func (n *node) wantRotated(t *testing.T, id ID, generation uint64, grace time.Duration, want uint64) {
	t.Helper()
	got, err := n.Rotate(t.Context(), id, generation, grace, false)
	if err != nil || got != want {
		t.Fatalf("exchanging generation %d gave %d and error %v, want %d", generation, got, err, want)
	}
}

// wantRefused exchanges a generation and gets the error it wants, and no other of ours.
func (n *node) wantRefused(t *testing.T, id ID, generation uint64, grace time.Duration, want error) {
	t.Helper()
	got, err := n.Rotate(t.Context(), id, generation, grace, false)
	if err := sameRefusal(got, err, want); err != nil {
		t.Fatalf("exchanging generation %d: %v", generation, err)
	}
}

func sameRefusal(got uint64, err, want error) error {
	if got != 0 || !errors.Is(err, want) {
		return fmt.Errorf("got %d and error %v, want error %v", got, err, want)
	}
	for _, other := range []error{ErrRevoked, ErrOver, ErrReused, ErrAhead, ErrDamaged, ErrUnavailable} {
		if other != want && want != ErrUnavailable && errors.Is(err, other) {
			return fmt.Errorf("error %v is also %v", err, other)
		}
	}
	return nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantUnavailable(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, ErrUnavailable) {
		t.Fatalf("error %v, want ErrUnavailable", err)
	}
}

// put stores an object under the prefix.
func put(t *testing.T, storage certmagic.Storage, key, content string) {
	t.Helper()
	must(t, storage.Store(t.Context(), testPrefix+"/"+key, []byte(content)))
}
