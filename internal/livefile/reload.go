package livefile

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrClosed says that a file is not followed any longer.
var ErrClosed = errors.New("the file is no longer followed")

// Reload reads the file now. The caller says that it is complete, so it is not waited
// until the file is at rest. A good version takes effect before Reload returns.
// Otherwise the error says why not, in the status too, and the last good version stays
// active. Polls go on as before: a file that was written a moment ago is read again.
//
// A file that changes while it is read is tried again for up to two seconds. If ctx
// ends meanwhile, Reload returns, and the file may be read yet.
func (f *File[T]) Reload(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case f.asked <- question{f.reload, answer}:
	case <-f.done:
		return fmt.Errorf("%s: %w", f.options.Path, ErrClosed)
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reload is Reload within the goroutine that polls.
func (f *File[T]) reload() error {
	defer f.remind()
	for try := 0; ; try++ {
		f.seen = look(f.options.Path)
		err := f.take(f.seen)
		if !errors.Is(err, errMoved) {
			return err
		}
		if try == retries {
			return f.unread(err)
		}
		time.Sleep(retryDelay)
	}
}
