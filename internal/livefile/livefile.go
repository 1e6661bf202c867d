// Package livefile holds a parsed file that follows its source: it is read again when
// it changes, and the last good version stays active while the file is missing, empty
// or broken.
//
// It polls, since notifications do not cross network file systems and bind mounts, and
// it waits until a file is at rest: Apache's htpasswd truncates and rewrites the live
// file, and a reader in between sees a shorter, valid one.
package livefile

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Interval is the time between two polls. A change takes effect after two to three of
// them. Interval and Rest are variables for tests, which change them before they open a
// file.
var Interval = 2 * time.Second

// now is the clock.
var now = time.Now

// Options say which file to follow and whom to tell. Loaded and Observe are called by
// Open and then by the goroutine that polls, never at the same time; they must not call
// [File.Close].
type Options[T any] struct {
	// Path of the file, absolute. Symbolic links are followed at each poll.
	Path string

	// Parse turns the content of the file into what the program uses. Its error is
	// logged, so it must not quote what must not be in a log. A panic in it counts as
	// an error.
	Parse func(data []byte) (T, error)

	// Empty says that a file without a byte is a version like any other, if Parse
	// accepts it. Otherwise it is taken for one that is about to be written.
	Empty bool

	// Loaded, if set, is called after every version that takes effect, including the
	// first.
	Loaded func(T)

	// Logger is called at each use.
	Logger func() *zap.Logger

	// Observe, if set, is called with every new status, including the first.
	Observe func(Status)
}

// Status is the state of a file.
type Status struct {
	// Err says why the file as it is now is not active, nil if it is.
	Err error

	// LoadedAt is when the active version was read.
	LoadedAt time.Time
}

// File is a file that is being followed. Its methods are safe for concurrent use.
type File[T any] struct {
	options Options[T]
	current atomic.Pointer[T]
	status  atomic.Pointer[Status]

	close sync.Once
	stop  chan struct{}
	done  chan struct{}
	asked chan question // by Check, IsCurrent and Reload

	follower // touched only by Open and the polling goroutine
}

// Open reads and parses the file and starts to follow it. A file that is empty or
// broken but was written a moment ago is retried for up to two seconds. Errors start
// with "<path>: ", and with "<path>: reading it: " unless Parse returned them.
func Open[T any](options Options[T]) (*File[T], error) {
	f, err := load(options)
	if err != nil {
		return nil, err
	}
	go f.run()
	return f, nil
}

// Current returns the active version.
func (f *File[T]) Current() T { return *f.current.Load() }

// Status returns the state of the file.
func (f *File[T]) Status() Status { return *f.status.Load() }

// Check looks at the file as it is now, and returns why it would not take effect, or
// nil. It changes nothing. A file that was written a moment ago and is empty or broken
// is retried for up to two seconds, as by Open.
func (f *File[T]) Check() error {
	answer := make(chan error, 1)
	select {
	case f.asked <- question{f.check, answer}:
		return <-answer
	case <-f.done:
		return f.Status().Err
	}
}

// IsCurrent tells whether the active version is what the file was at that time, or later:
// false means that something else was written before then, which does not fit or takes
// effect soon. It must not be called by what Options has.
func (f *File[T]) IsCurrent(at time.Time) bool {
	answer := make(chan error, 1)
	select {
	case f.asked <- question{func() error { return f.behind(at) }, answer}:
		return <-answer == nil
	case <-f.done:
		return false
	}
}

// Close stops following the file and returns once that has stopped: no callback runs
// after it. The last version stays readable. Further calls do nothing. It returns nil.
func (f *File[T]) Close() error {
	f.close.Do(func() { close(f.stop) })
	<-f.done
	return nil
}

func (f *File[T]) run() {
	defer close(f.done)
	ticker := time.NewTicker(Interval)
	defer ticker.Stop()
	for {
		select {
		case <-f.stop:
			return
		case q := <-f.asked:
			q.answer <- f.guarded(q.ask)
		case <-ticker.C:
			f.guardedPoll()
		}
	}
}

// question is for the goroutine that polls.
type question struct {
	ask    func() error
	answer chan error // never blocks
}

func (f *File[T]) guardedPoll() {
	_ = f.guarded(func() error { f.poll(); return nil }) // which logs errors itself
}

// guarded keeps a panic of a callback from taking the whole server down.
func (f *File[T]) guarded(step func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			panicked := newPanicError(p)
			err = fmt.Errorf("%s: %w", f.options.Path, panicked)
			f.options.Logger().Error("[PANIC] following a file",
				zap.String("path", f.options.Path), zap.Error(panicked), zap.String("stack", panicked.stack))
		}
	}()
	return step()
}
