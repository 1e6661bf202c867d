package sharedfailures

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"golang.org/x/sync/errgroup"
)

// follower is a node at the storage of one config.
type follower struct {
	*Node
	storage certmagic.Storage
	folder  string
	busy    sync.Mutex // held by a call that may hang, whatever its context
}

// Follow tells others what this node counts and takes in what they tell, until ctx
// ends. The objects are in a folder below prefix. After each attempt to do so, told is
// called with what fails now, nil if nothing does.
func (n *Node) Follow(ctx context.Context, storage certmagic.Storage, prefix string, told func(error)) {
	f := &follower{Node: n, storage: storage, folder: path.Join(prefix, "failures")}
	n.begin()
	read, publish, look := time.NewTimer(0), time.NewTimer(PublishEvery), time.NewTicker(lookEvery)
	sweepAt := time.Now().Add(rand.N(sweepEvery))
	defer read.Stop()
	defer publish.Stop()
	defer look.Stop()
	waiting := true // for publish
	var writing, reading error
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-n.throttle.Changed():
			n.setUnheard()
		case <-look.C: // what time forgives changes nothing by itself
			n.setUnheard()
		case <-publish.C:
			waiting = false
			if n.isUnheard() {
				if writing = f.attempt(ctx, f.publish); writing != nil {
					n.setUnheard()
				}
				publish.Reset(PublishEvery)
				waiting = true
			}
		case <-read.C:
			if reading = f.attempt(ctx, f.read); reading == nil && time.Now().After(sweepAt) {
				sweepAt = time.Now().Add(sweepEvery/2 + rand.N(sweepEvery))
				reading = f.attempt(ctx, f.sweep)
			}
			read.Reset(ReadEvery)
			if ctx.Err() == nil {
				told(cmp.Or(reading, writing))
			}
		}
		if n.isUnheard() && !waiting {
			publish.Reset(PublishAfter)
			waiting = true
		}
	}
}

// attempt calls the storage in its own goroutine, and waits for it only so long: not
// every storage obeys its context. While a call hangs, there is no other.
func (f *follower) attempt(ctx context.Context, what func(context.Context) error) error {
	if !f.busy.TryLock() {
		return errHangs
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	done := make(chan error, 1)
	go func() {
		defer cancel()
		var err error
		defer func() {
			if p := recover(); p != nil { // its value may contain anything
				err = fmt.Errorf("[PANIC] %T in the storage", p)
			}
			f.busy.Unlock()
			done <- err
		}()
		err = what(ctx)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done: // at the last moment, or as the storage obeys
		return err
	case <-time.After(obeyLimit):
		return ctx.Err()
	}
}

// publish writes what others have not been told, if there is anything.
func (f *follower) publish(ctx context.Context) error {
	report, as := f.toPublish()
	if report == nil {
		return nil
	}
	if err := f.storage.Store(ctx, f.key(as), encode(report)); err != nil {
		return fmt.Errorf("storing %s: %w", f.key(as), err)
	}
	if before, replaces := f.wasPublished(report, as); replaces {
		_ = f.storage.Delete(ctx, f.key(before)) // else it is removed later
	}
	return nil
}

// read reads what others have told since the last time.
func (f *follower) read(ctx context.Context) error {
	names, err := f.list(ctx)
	if err != nil {
		return err
	}
	f.listed(names)
	for range readTries {
		objects, again, failed := f.load(ctx, f.news(names))
		f.take(objects)
		if err = failed; !again || err != nil {
			break
		}
		if names, err = f.list(ctx); err != nil { // an object was replaced while it was read
			break
		}
	}
	return err
}

// load reads objects, a few at a time. again says that one is no longer there. What
// could be read is returned also with an error.
func (f *follower) load(ctx context.Context, news []unread) (objects []object, again bool, err error) {
	if len(news) == 0 {
		return nil, false, nil
	}
	var mu sync.Mutex
	var loads errgroup.Group
	loads.SetLimit(loadsAtOnce)
	for _, u := range news {
		loads.Go(func() (failed error) {
			defer func() {
				if p := recover(); p != nil { // not in the goroutine of attempt
					failed = fmt.Errorf("[PANIC] %T in the storage", p)
				}
			}()
			o := object{name: u.name}
			content, failed := f.storage.Load(ctx, f.key(u.name))
			if failed == nil && u.isNew {
				o.age = f.ageOf(ctx, u.name)
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(failed, fs.ErrNotExist):
				again = true
				return nil
			case failed != nil:
				return fmt.Errorf("reading %s: %w", f.key(u.name), failed)
			}
			if o.report, failed = decode(content); failed != nil {
				failed = fmt.Errorf("reading %s: %w", f.key(u.name), failed)
			}
			objects = append(objects, o)
			return failed
		})
	}
	err = loads.Wait()
	return objects, again, err
}

// ageOf is how old an object is by the storage's clock, and 0 if that cannot be found
// out.
func (f *follower) ageOf(ctx context.Context, of name) time.Duration {
	info, err := f.storage.Stat(ctx, f.key(of))
	if err != nil || info.Modified.IsZero() {
		return 0
	}
	if c := f.askClock(ctx); c != nil {
		return c.since(info.Modified)
	}
	return 0
}

// askClock finds out the storage's time once, by an object that is removed at once.
func (f *follower) askClock(ctx context.Context) *clock {
	f.asking.Lock()
	defer f.asking.Unlock()
	f.mu.Lock()
	known := f.clock
	f.mu.Unlock()
	if known != nil {
		return known
	}
	probe := f.key(name{f.id, 0})
	if err := f.storage.Store(ctx, probe, []byte("now\n")); err != nil {
		return nil
	}
	here := time.Now()
	info, err := f.storage.Stat(ctx, probe)
	_ = f.storage.Delete(ctx, probe) // else it is removed later
	if err != nil || info.Modified.IsZero() {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clock = &clock{storage: info.Modified, here: here}
	return f.clock
}

// sweep removes objects that no longer matter.
func (f *follower) sweep(ctx context.Context) error {
	names, err := f.list(ctx)
	if err != nil {
		return err
	}
	for _, name := range f.outdated(names) {
		if failed := f.storage.Delete(ctx, f.key(name)); failed != nil {
			err = cmp.Or(err, fmt.Errorf("deleting %s: %w", f.key(name), failed))
		}
	}
	return err
}

// list returns the names of the objects. Without the folder there are none: what was
// read before stays, so it does not matter if that is not true.
func (f *follower) list(ctx context.Context) (names []name, err error) {
	var keys []string
	for range listTries { // the file system's List also fails so when an object is removed meanwhile
		keys, err = f.storage.List(ctx, f.folder, false)
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
		if keys = nil; !f.storage.Exists(ctx, f.folder) {
			err = nil
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", f.folder, err)
	}
	for _, key := range keys {
		if n, ok := parseName(strings.TrimPrefix(key, f.folder+"/")); ok {
			names = append(names, n)
		}
	}
	return names, nil
}

func (f *follower) key(n name) string { return path.Join(f.folder, n.String()) }

var errHangs = errors.New("an earlier call has not ended")

// A failure is told within PublishAfter, or PublishEvery after the last one that was
// told, and heard within ReadEvery: with the time that the storage takes, within 5
// seconds.
const (
	PublishAfter = time.Second
	PublishEvery = 1500 * time.Millisecond
	ReadEvery    = 2500 * time.Millisecond
)

const (
	lookEvery   = 10 * time.Minute
	sweepEvery  = time.Hour
	callLimit   = 5 * time.Second
	obeyLimit   = time.Second
	readTries   = 3
	listTries   = 20
	loadsAtOnce = 16
)
