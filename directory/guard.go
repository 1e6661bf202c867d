package directory

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"go.uber.org/zap"
)

// guard is for code of a source that runs in a goroutine of its own, where a panic
// would end the process, as it would not in a request.
type guard struct {
	name   string // of the source
	logger *zap.Logger
}

// guarding is the guard itself, for types that embed it.
func (g guard) guarding() guard { return g }

// guarded stores how a call ended, also if it did not return.
func guarded[T any](g guard, a *answer[T], ask func() (T, error)) {
	a.err = fmt.Errorf("%s: %w", g.name, errExit)
	defer func() {
		if r := recover(); r != nil {
			g.log(r)
			*a = answer[T]{err: fmt.Errorf("%s: %w", g.name, errPanic)}
		}
	}()
	a.value, a.err = ask()
}

// log says where a panic was, and what it was only if the runtime raised it, since any
// other value may contain a password.
func (g guard) log(r any) {
	text := fmt.Sprintf("%T", r)
	if cause, ok := r.(runtime.Error); ok {
		text = cause.Error()
	}
	g.logger.Error("[PANIC] in a source", zap.String("source", g.name), zap.String("panic", text), zap.ByteString("stack", debug.Stack()))
}

var (
	errPanic = errors.New("it panicked, see the log")
	errExit  = errors.New("its goroutine ended without an answer")
)
