package directory

import (
	"context"
	"time"
)

// asking is a look-up in one of several sources that are asked at the same time.
type asking[T any] struct {
	done chan struct{}
	answer[*T]
}

// askAll asks all sources at the same time.
func askAll[S interface{ guarding() guard }, T any](ctx context.Context, sources []S, ask func(context.Context, S) (*T, error)) []*asking[T] {
	all := make([]*asking[T], len(sources))
	for i, source := range sources {
		a := &asking[T]{done: make(chan struct{})}
		all[i] = a
		go func() {
			defer close(a.done)
			guarded(source.guarding(), &a.answer, func() (*T, error) { return ask(ctx, source) })
		}()
	}
	return all
}

// firstOf returns the first source that has something, in their order, or the error of
// a source before it. It also waits for the sources after it, unless they are slow:
// otherwise a name in an early source would be answered sooner than an unknown name.
func firstOf[T any](ctx context.Context, all []*asking[T]) (int, *T, error) {
	begun := time.Now()
	for i, a := range all {
		<-a.done // which comes within patience
		if a.err != nil {
			return i, nil, a.err
		}
		if a.value == nil {
			continue
		}
		late := time.NewTimer(time.Until(begun.Add(courtesy)))
		defer late.Stop()
		for _, later := range all[i+1:] {
			select {
			case <-later.done:
			case <-late.C:
				return i, a.value, nil
			case <-ctx.Done():
				return i, a.value, nil
			}
		}
		return i, a.value, nil
	}
	return len(all), nil, nil
}

// courtesy is how long a login waits for sources that have nothing to say on it.
const courtesy = 250 * time.Millisecond
