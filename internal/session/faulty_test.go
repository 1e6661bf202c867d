package session

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing/synctest"

	"github.com/caddyserver/certmagic"
)

// fault is what happens to a call to a storage.
type fault int

const (
	fine          fault = iota
	refused             // fails, and nothing is done
	failsButDone        // fails, and all is done
	lost                // nothing is done, and no error says so
	torn                // half is stored, and it fails
	tornUnnoticed       // half is stored, and no error says so
	late                // fails, and is done at some later time: see comesTrue
	hangs               // nothing is done until the context ends, and then it fails
	doneButHangs        // is done, and then does not answer until the context ends
	stuck               // hangs whatever the context, until released; then it is done
	doneButStuck        // is done, and then hangs whatever the context, until released
	panics              // before anything is done
	panicsDone          // after all is done
	unseen              // reads find nothing, and writes fail
	hangsUnseen         // the same, when the context has ended
)

func (f fault) String() string {
	return [...]string{"fine", "refused", "failsButDone", "lost", "torn", "tornUnnoticed", "late", "hangs", "doneButHangs", "stuck", "doneButStuck", "panics", "panicsDone", "unseen", "hangsUnseen"}[f]
}

// faulty is a node's access to a storage, in which calls can meet faults.
type faulty struct {
	certmagic.Storage

	mu       sync.Mutex
	calls    []string // "load sessions/…", in order
	rules    []*rule
	delayed  []func()
	released chan struct{}
	dead     bool // nothing is done from then on
	obedient bool // nothing is done once the context has ended, as with a database
}

// rule is for calls to one method with keys that contain a part; empty means any.
type rule struct {
	op, part string
	skip     int // calls before the first one
	times    int // how many; 0 means all
	fault    fault
	before   func() // runs before the call
	after    func() // runs after it
}

func newFaulty(inner certmagic.Storage) *faulty {
	f := &faulty{Storage: inner, released: make(chan struct{})}
	ways.add(f)
	return f
}

// befalls makes the next call meet a fault.
func (f *faulty) befalls(op, part string, what fault) {
	f.add(&rule{op: op, part: part, times: 1, fault: what})
}

func (f *faulty) add(r *rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, r)
}

// recovers forgets all rules.
func (f *faulty) recovers() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// release ends what is stuck, also what gets stuck later.
func (f *faulty) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.released:
	default:
		close(f.released)
	}
}

// dies is a kill -9 of the node: what is stuck ends without any further effect.
func (f *faulty) dies() {
	f.mu.Lock()
	f.dead = true
	f.mu.Unlock()
	f.release()
}

// comesTrue does what late calls have left.
func (f *faulty) comesTrue() {
	f.mu.Lock()
	delayed := f.delayed
	f.delayed = nil
	f.mu.Unlock()
	for _, effect := range delayed {
		effect()
	}
}

// log returns the calls since the last time, in order, with keys below the prefix: in a
// bubble, also the calls made when every caller has its answer.
func (f *faulty) log() []string {
	synctest.Wait()
	return f.logSoFar()
}

// logSoFar is log outside of a bubble.
func (f *faulty) logSoFar() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

func (f *faulty) meet(op, key string) (what fault, before, after func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key = strings.TrimPrefix(key, testPrefix+"/")
	f.calls = append(f.calls, op+" "+key)
	before, after = func() {}, func() {}
	for i, r := range f.rules {
		if r.op != "" && r.op != op || !strings.Contains(key, r.part) {
			continue
		}
		if r.skip > 0 {
			r.skip--
			continue
		}
		if r.times > 0 {
			if r.times--; r.times == 0 {
				f.rules = slices.Delete(f.rules, i, i+1)
			}
		}
		if r.before != nil {
			before = r.before
		}
		if r.after != nil {
			after = r.after
		}
		return r.fault, before, after
	}
	return fine, before, after
}

func (f *faulty) isDead() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead
}

var (
	errInjected = errors.New("injected fault")
	errDead     = errors.New("the node is dead")
)

// do makes a call; half is what a torn call does.
func (f *faulty) do(ctx context.Context, op, key string, all, half func() error) error {
	if f.isDead() {
		return errDead
	}
	what, before, after := f.meet(op, key)
	before()
	defer after()
	if err := ctx.Err(); f.obedient && err != nil {
		return err
	}
	switch what {
	case refused:
		return errInjected
	case failsButDone:
		_ = all()
		return errInjected
	case lost:
		return nil
	case torn:
		_ = half()
		return errInjected
	case tornUnnoticed:
		return half()
	case late:
		if op == "store" || op == "delete" {
			f.mu.Lock()
			f.delayed = append(f.delayed, func() { _ = all() })
			f.mu.Unlock()
		}
		return errInjected
	case hangs:
		<-ctx.Done()
		return ctx.Err()
	case doneButHangs:
		_ = all()
		<-ctx.Done()
		return ctx.Err()
	case stuck:
		<-f.released
		if f.isDead() {
			return errDead
		}
		return all()
	case doneButStuck:
		err := all()
		<-f.released
		if f.isDead() {
			return errDead
		}
		return err
	case hangsUnseen, unseen:
		if what == hangsUnseen {
			<-ctx.Done()
		}
		switch op {
		case "load", "stat", "list", "exists":
			return fs.ErrNotExist
		}
		return errInjected
	case panics:
		panic("injected panic")
	case panicsDone:
		_ = all()
		panic("injected panic")
	}
	return all()
}

func (f *faulty) Lock(ctx context.Context, name string) error {
	return f.simple(ctx, "lock", name, func() error { return f.Storage.Lock(ctx, name) })
}

func (f *faulty) Unlock(ctx context.Context, name string) error {
	return f.simple(ctx, "unlock", name, func() error { return f.Storage.Unlock(ctx, name) })
}

// simple is a call of which half is nothing.
func (f *faulty) simple(ctx context.Context, op, key string, all func() error) error {
	return f.do(ctx, op, key, all, func() error { return nil })
}

func (f *faulty) Store(ctx context.Context, key string, value []byte) error {
	return f.do(ctx, "store", key,
		func() error { return f.Storage.Store(ctx, key, value) },
		func() error { return f.Storage.Store(ctx, key, value[:len(value)/2]) })
}

func (f *faulty) Load(ctx context.Context, key string) (content []byte, err error) {
	err = f.reading(ctx, "load", key, func() error {
		content, err = f.Storage.Load(ctx, key)
		return err
	})
	if err != nil {
		content = nil
	}
	return content, err
}

// reading is a call that only reads: if it is not done, it fails.
func (f *faulty) reading(ctx context.Context, op, key string, all func() error) error {
	done := false
	err := f.do(ctx, op, key, func() error { done = true; return all() }, func() error { return nil })
	if err == nil && !done {
		return errInjected
	}
	return err
}

func (f *faulty) Delete(ctx context.Context, key string) error {
	return f.simple(ctx, "delete", key, func() error { return f.Storage.Delete(ctx, key) })
}

func (f *faulty) Exists(ctx context.Context, key string) (exists bool) {
	err := f.reading(ctx, "exists", key, func() error {
		exists = f.Storage.Exists(ctx, key)
		return nil
	})
	return err == nil && exists
}

func (f *faulty) List(ctx context.Context, key string, recursive bool) (keys []string, err error) {
	err = f.reading(ctx, "list", key, func() error {
		keys, err = f.Storage.List(ctx, key, recursive)
		return err
	})
	return keys, err
}

func (f *faulty) Stat(ctx context.Context, key string) (info certmagic.KeyInfo, err error) {
	err = f.reading(ctx, "stat", key, func() error {
		info, err = f.Storage.Stat(ctx, key)
		return err
	})
	return info, err
}

var _ certmagic.Storage = (*faulty)(nil)
