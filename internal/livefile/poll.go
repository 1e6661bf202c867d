package livefile

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"runtime/debug"
	"time"

	"go.uber.org/zap"
)

const (
	retries    = 7 // of Open, retryDelay apart: two seconds
	retryDelay = 300 * time.Millisecond
	retryAge   = 2 * time.Second // only for a file that was written less than this ago

	reminder = time.Hour
)

// errEmpty is for a Parse that would accept an empty file.
var errEmpty = errors.New("it is empty")

// follower is what one poll leaves for the next.
type follower struct {
	seen   sight             // by the last poll
	judged sight             // the last that was read and parsed, whatever the result
	sum    [sha256.Size]byte // of the active version

	writers string // why others can change the file, if there was a warning

	logged   map[string]bool // errors since the last good version or reminder
	remindAt time.Time
}

// load is Open without the goroutine.
func load[T any](options Options[T]) (*File[T], error) {
	f := &File[T]{options: options, stop: make(chan struct{}), done: make(chan struct{}), asked: make(chan question)}
	for try := 0; ; try++ {
		s := look(options.Path)
		err := f.first(s)
		if err == nil {
			return f, nil
		}
		if try == retries || !errors.Is(err, errMoved) && !s.young(retryAge) {
			return nil, err
		}
		time.Sleep(retryDelay)
	}
}

// first is one attempt to activate a first version.
func (f *File[T]) first(s sight) error {
	data, err := s.read(f.options.Path)
	if err != nil {
		return f.unread(err)
	}
	value, err := f.parse(data)
	if err != nil {
		return err
	}
	f.seen = s
	if !s.young(Rest) { // otherwise a write that does not show may follow: the first polls read it again
		f.judged = s
	}
	f.install(value, sha256.Sum256(data))
	f.warnOfWriters(s)
	return nil
}

// check is Check within the goroutine that polls.
func (f *File[T]) check() error {
	for try := 0; ; try++ {
		s := look(f.options.Path)
		err := f.checkOnce(s)
		if err == nil || try == retries || !errors.Is(err, errMoved) && !s.young(retryAge) {
			return err
		}
		time.Sleep(retryDelay)
	}
}

func (f *File[T]) checkOnce(s sight) error {
	if s.same(f.judged) {
		return f.Status().Err
	}
	data, err := s.read(f.options.Path)
	if err != nil {
		return f.unread(err)
	}
	if sha256.Sum256(data) == f.sum {
		return nil
	}
	_, err = f.parse(data)
	return err
}

var errBehind = errors.New("a change is not active yet")

// behind is IsCurrent within the goroutine that polls. A change that was not at rest at
// that time came later than what took effect by then.
func (f *File[T]) behind(at time.Time) error {
	if err := f.Status().Err; err != nil {
		return err
	}
	s := look(f.options.Path)
	if s.same(f.judged) || s.info != nil && s.info.ModTime().After(at.Add(-Rest)) {
		return nil
	}
	return errBehind
}

// poll looks at the file once and loads a change that is at rest.
func (f *File[T]) poll() {
	f.step()
	f.remind()
}

func (f *File[T]) step() {
	s := look(f.options.Path)
	steady := s.same(f.seen)
	f.seen = s
	if steady && s.same(f.judged) && f.Status().Err == nil {
		f.warnOfWriters(s) // a chmod changes nothing else
	}
	if !steady || s.same(f.judged) || s.young(Rest) {
		return
	}

	_ = f.take(s)
}

// take activates the file in sight, unless it has changed since. The error is in the
// status then, unless it is errMoved.
func (f *File[T]) take(s sight) error {
	data, err := s.read(f.options.Path)
	if errors.Is(err, errMoved) {
		return err
	}
	if err != nil {
		// Not judged: a file that becomes readable by a chmod looks the same.
		f.judged = sight{}
		return f.fail(f.unread(err))
	}

	f.judged = s
	if s.young(Rest) { // a write that does not show may follow: the next polls read it again
		f.judged = sight{}
	}
	sum := sha256.Sum256(data)
	if sum == f.sum {
		f.recovered()
		return nil
	}
	value, err := f.parse(data)
	if err != nil {
		return f.fail(err)
	}
	f.install(value, sum)
	f.options.Logger().Info("file has changed; its new version is active", zap.String("path", f.options.Path))
	f.warnOfWriters(s)
	return nil
}

// warnOfWriters warns that others can change the file: once per version, and again
// after a time when they could not.
func (f *File[T]) warnOfWriters(s sight) {
	changed, why := writable(f.options.Path, s.info)
	if why != "" && why != f.writers {
		f.options.Logger().Warn("file can be changed by others", zap.String("path", f.options.Path),
			zap.String("advice", why+": \"chmod go-w "+changed+"\""))
	}
	f.writers = why
}

// install activates a version.
func (f *File[T]) install(value T, sum [sha256.Size]byte) {
	f.sum = sum
	f.logged, f.writers = nil, ""
	f.current.Store(&value)
	f.status.Store(&Status{LoadedAt: now()})
	if f.options.Loaded != nil {
		f.options.Loaded(value)
	}
	f.observe()
}

// recovered is for a file that has the active content, maybe again.
func (f *File[T]) recovered() {
	status := f.Status()
	if status.Err == nil {
		return
	}
	f.logged = nil
	f.status.Store(&Status{LoadedAt: status.LoadedAt})
	f.observe()
	f.options.Logger().Info("file is good again; its active version has not changed", zap.String("path", f.options.Path))
}

// fail keeps the active version, and records and returns why.
func (f *File[T]) fail(err error) error {
	status := f.Status()
	if status.Err != nil && status.Err.Error() == err.Error() {
		return err
	}
	f.status.Store(&Status{Err: err, LoadedAt: status.LoadedAt})
	f.observe()
	return err
}

// remind logs the error that keeps a newer version out: once each, and again every
// hour.
func (f *File[T]) remind() {
	status := f.Status()
	if status.Err == nil {
		return
	}
	if len(f.logged) == 0 || !now().Before(f.remindAt) {
		f.logged = make(map[string]bool)
		f.remindAt = now().Add(reminder)
	}
	if f.logged[status.Err.Error()] {
		return
	}
	f.logged[status.Err.Error()] = true

	fields := []zap.Field{
		zap.String("path", f.options.Path),
		zap.Error(status.Err),
		zap.Time("active_since", status.LoadedAt),
	}
	if p := (*panicError)(nil); errors.As(status.Err, &p) {
		fields = append(fields, zap.String("stack", p.stack))
	}
	f.options.Logger().Error("file is unusable; its last good version stays active", fields...)
}

func (f *File[T]) observe() {
	if f.options.Observe != nil {
		f.options.Observe(f.Status())
	}
}

func (f *File[T]) unread(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w; correct the path, or create the file", err)
	}
	return fmt.Errorf("%s: reading it: %w", f.options.Path, err)
}

// parse calls Parse and turns a panic in it into an error.
func (f *File[T]) parse(data []byte) (value T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = newPanicError(p)
		}
		if err == nil && len(data) == 0 && !f.options.Empty {
			err = errEmpty
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", f.options.Path, err)
		}
	}()
	return f.options.Parse(data)
}

// panicError says where a panic was, and what it was only if the runtime raised it,
// since any other value may contain a piece of the file.
type panicError struct {
	text  string
	stack string
}

func newPanicError(p any) *panicError {
	text := fmt.Sprintf("panic with a %T", p)
	if cause, ok := p.(runtime.Error); ok {
		text = "panic: " + cause.Error()
	}
	return &panicError{text: text, stack: string(debug.Stack())}
}

func (e *panicError) Error() string { return e.text }
