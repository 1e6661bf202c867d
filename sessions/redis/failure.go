package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddygrant/caddy-grant/sessions"
)

// errLost is that of an engine whose epoch is missing in a part of it or everywhere.
var errLost = errors.New("redis: the data of sessions was lost, or a part of it: load the config of one node again with \"caddy reload --force\", after which the sessions concerned are over and new ones go on")

// errClosed is that of calls after Close.
var errClosed = errors.New("redis: the engine is closed")

// errDropped is that of calls whose connections were closed meanwhile: because another call
// has panicked in the client, or with the engine.
var errDropped = errors.New("redis: its connections were closed")

// refusal is why a connection is not used.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

// failure is an error of the client, in words without a secret. What Redis says of an
// unknown command repeats its arguments, such as the password of HELLO, and what it says
// of a session may repeat the session's ID.
func failure(err error) error {
	if err == nil {
		return nil
	}
	for _, own := range []error{errLost, errClosed, errPanic, sessions.ErrUnsuitable, sessions.ErrOtherEpoch, sessions.ErrDamaged, sessions.ErrCursor} {
		if errors.Is(err, own) {
			return err
		}
	}
	if refused, is := errors.AsType[*refusal](err); is {
		return fmt.Errorf("redis: %w", refused)
	}
	for _, cause := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, cause) {
			return fmt.Errorf("redis: no answer: %w", cause)
		}
	}
	if forbidden(err) {
		return fmt.Errorf("redis: %w", rightsMissing(err))
	}
	if timedOut(err) {
		return fmt.Errorf("redis: no answer: %w", context.DeadlineExceeded)
	}
	if errors.Is(err, goredis.ErrClosed) {
		return errDropped
	}
	text := strings.TrimPrefix(firstLine(err.Error()), "redis: ")
	for says, remedy := range remedies {
		if strings.Contains(text, says) {
			return errors.New("redis: " + remedy + " (" + text + ")")
		}
	}
	return errors.New("redis: " + text)
}

// remedies are what to do about an answer that has these words in any version of Redis,
// whether a script or a command got it.
var remedies = map[string]string{
	"OOM command not allowed": "its memory is full, and it takes no refresh or revocation until there is room: raise maxmemory, or remove what else is in it, such as the keys of a server that is no longer used",
	"MISCONF ":                "it cannot write to its disk, and takes no refresh or revocation until it can: make room on the disk, or look into its log",
	"NOREPLICAS ":             "it has fewer replicas than min-replicas-to-write, and takes no refresh or revocation until they are back: look after the replicas, or lower it",
	"WRONGPASS ":              "its user or the password is wrong: check username and password",
	"NOAUTH ":                 "it needs a password: write password {env.REDIS_PASSWORD}",
}

// timedOut tells whether a call has ended with its time. A connection ends with it too, in
// words of its own.
func timedOut(err error) bool {
	slow, is := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || is && slow.Timeout()
}

// firstLine is the beginning of a text that says what is wrong.
func firstLine(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	text, _, _ = strings.Cut(text, ", with args")
	text, _, _ = strings.Cut(text, "with args beginning")
	if len(text) > mostText {
		text = text[:mostText]
	}
	return text
}

// mostText is how much of an error is told.
const mostText = 300

// unsuitable is an error that says what to change.
func unsuitable(format string, args ...any) error {
	return fmt.Errorf("%w: redis: %w", sessions.ErrUnsuitable, fmt.Errorf(format, args...))
}
