package directory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
)

// bound is how much of a server a source can hold up: so many calls at a time, each for
// so long. A call that does not return when its context ends keeps its place until it
// does, so that a source that hangs costs no more than that.
type bound struct {
	guard
	places chan struct{} // of this config
	total  chan struct{} // of all configs of the server
}

func newBound(name string, logger *zap.Logger, total chan struct{}) *bound {
	return &bound{guard{name, logger}, make(chan struct{}, maxCalls), total}
}

// enter takes a place, if there is one.
func (b *bound) enter() bool {
	select {
	case b.places <- struct{}{}:
	default:
		return false
	}
	select {
	case b.total <- struct{}{}:
		return true
	default:
		<-b.places
		return false
	}
}

func (b *bound) leave() {
	<-b.total
	<-b.places
}

// call asks the source, and waits for its answer no longer than the context and
// patience allow. The errors name the source.
func call[T any](ctx context.Context, b *bound, ask func(context.Context) (T, error)) (T, error) {
	if !b.enter() {
		var none T
		return none, fmt.Errorf("%s: %w", b.name, errBusy)
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	answers := make(chan answer[T], 1)
	defer cancel()
	go func() {
		var a answer[T]
		defer func() {
			b.leave()
			answers <- a
		}()
		guarded(b.guard, &a, func() (T, error) {
			value, err := ask(limited)
			if err != nil {
				err = fmt.Errorf("%s: %w", b.name, err)
			}
			return value, err
		})
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-limited.Done():
	}
	var none T
	if ctx.Err() != nil {
		return none, fmt.Errorf("%s: %w", b.name, ctx.Err())
	}
	return none, fmt.Errorf("%s: %w", b.name, errSlow)
}

// answer is how a call ended.
type answer[T any] struct {
	value T
	err   error
}

var (
	errBusy = errors.New("too many look-ups are waiting for it")
	errSlow = fmt.Errorf("no answer within %v", patience)

	// for callers that do not wait as long
	errHangs = errors.New("an earlier look-up has had no answer for some time")
)

// IsBusy tells whether a source was not asked, since too many look-ups wait for it
// already. A stranger can cause that as often as they send requests.
func IsBusy(err error) bool { return errors.Is(err, errBusy) }

// maxCalls is how many calls of a source may be open at a time: look-ups for what a
// stranger may have sent, as many for verified tokens, for clients that were found
// before, and for checks of passwords.
const maxCalls = 100

// patience is how long a call may take.
var patience = 5 * time.Second
