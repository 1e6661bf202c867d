package sessions

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
)

// Opener is what a module in the namespace grant.sessions implements.
type Opener interface {
	// OpenSessions returns the engine with the sessions of the authorization server of
	// that name, 1 to 64 characters of a-z, 0-9, "_" and "-". It is called once for each
	// config and server, after Provision. An error refuses the config.
	//
	// It connects to nothing, since `caddy validate` opens engines too, and an engine
	// that is down must not keep Caddy from starting.
	OpenSessions(server string, logger *zap.Logger) (Engine, error)
}

// Engine keeps the sessions of one authorization server. It is safe for concurrent use
// by any number of nodes.
//
// A context ends the waiting of the caller; nothing begins after it has ended. What was
// acknowledged survives restarts of the engine and of all nodes. Each call reads what
// is acknowledged, not a replica, and sees all that was acknowledged before it began,
// at any node. Where a fail-over can lose what was acknowledged, the engine documents
// which.
//
// All errors except those of this package mean that nothing is known, and that the call
// may still take effect later. A failure is never reported as a missing record, and
// neither is an epoch that is missing: an engine without it may be another one, at a
// wrong address, so it says nothing of any session. An ID that is not valid, or a
// parameter of another form, is an error. No error contains a secret, such as the
// password in a URL.
type Engine interface {
	// Epoch is the epoch of new sessions, [EpochLength] characters of 0-9 and a-f. If
	// the engine was empty when it was opened, the first call makes one; several nodes
	// that do so at once agree. An epoch that is missing later is an error, until the
	// engine is opened again. An epoch that was replaced is returned as it is.
	//
	// An error that wraps [ErrUnsuitable] says that the engine answers, and that it is
	// set up in a way in which it cannot keep its promises. Callers ask at the start,
	// now and then later, and after ErrCursor; no login waits for it.
	Epoch(ctx context.Context) (string, error)

	// Load returns the state of a session. It sees epoch, record and marker at one
	// moment. It returns [ErrOtherEpoch] or [ErrDamaged], or that nothing is known.
	Load(ctx context.Context, id ID) (State, error)

	// Swap makes the generation next, which is at least 1, if the state is at next-1 and
	// neither revoked nor over; answer, 32 characters of 0-9 and a-f, is the name of
	// this exchange. If the state is at next with this answer, it changes nothing, not
	// even the age. In any other case it changes nothing either.
	//
	// It returns the state afterwards, whoever made it: the caller has won if the
	// generation is next, the answer is its own, and the state is neither revoked nor
	// over. Two answers never win the same generation. After an error it may take effect
	// at any later time, under the same condition only; and so it may where the state is
	// below next-1, since what a client repeats after a connection broke can arrive twice,
	// the second time after the answer.
	//
	// Errors are those of Load. A damaged record is not replaced.
	Swap(ctx context.Context, id ID, next uint64, answer string) (State, error)

	// Revoke ends a session for good, with or without a record, and puts it into the
	// feed. After nil it has done both, and no Swap of the session wins. Repeating it is
	// safe, and completes what was cut off. A session of another epoch is
	// [ErrOtherEpoch]. For a session that was swept it does nothing; one that is over by
	// the clock alone, which may go back, is ended like any other. A damaged record is
	// no hindrance.
	Revoke(ctx context.Context, id ID) error

	// Revoked returns a page of the feed: sessions that were revoked, after a cursor
	// that an earlier call returned, or the oldest that are kept for "". Where more is
	// false, every session whose Revoke had returned nil before this call began was
	// returned by it, or on the way to its cursor. Repeats and any order are allowed,
	// gaps are not.
	//
	// A cursor that cannot promise that, such as one of before a fail-over, of another
	// epoch, or to a part of the feed that was removed, is [ErrCursor]: the caller starts
	// again with "", and forgets nothing. Cursors are opaque, 1 to [MaxCursor] bytes, also
	// where the feed is empty, and are valid at other nodes. Entries stay until their session is over.
	Revoked(ctx context.Context, after string) (ids []ID, next string, more bool, err error)

	// Sweep removes what sessions that are over have left behind, a bounded part of it:
	// more says that some is left. That a session is over is durable before the first
	// record is removed. An engine that removes everything by itself does nothing here.
	Sweep(ctx context.Context) (more bool, err error)

	// Close ends what the engine has running. Calls after it fail.
	Close() error
}

// State is what an engine has of a session. Where there is no record and no marker, and
// the epoch is there, it is zero.
type State struct {
	// Generation is how many times the session was exchanged.
	Generation uint64

	// Answer is the name of the exchange that made the generation; empty at 0.
	Answer string

	// Age is how long ago that exchange was, by the engine's clock, at least 0; 0 at
	// generation 0. An engine whose clock went back, so that the exchange is in its
	// future, returns how far: a grace must not last longer for it.
	Age time.Duration

	// Revoked says that Revoke ended the session. It is never taken back. Generation,
	// Answer and Age need not be known then.
	Revoked bool

	// Over says that the session ended more than a week ago by the engine's clock, or
	// was swept. It is for good, and says nothing about the rest of the state.
	Over bool
}

// What an engine can say for certain, apart from a state.
var (
	// ErrOtherEpoch says that the session began in another epoch: the engine has lost
	// what it had then. The session is over.
	ErrOtherEpoch = errors.New("sessions: the session began in another epoch of the engine")

	// ErrDamaged says that the record of the session cannot be read.
	ErrDamaged = errors.New("sessions: the session's record cannot be read")

	// ErrCursor says that the feed cannot be continued after a cursor without a gap.
	ErrCursor = errors.New("sessions: the feed does not go back to that cursor")

	// ErrUnsuitable says that the engine cannot keep its promises the way it is set up.
	// An error that wraps it says what to change.
	ErrUnsuitable = errors.New("sessions: the engine is not suitable")
)

// MaxCursor is how long a cursor may be, in bytes.
const MaxCursor = 1024

// KeepOver is how long after the day on which it ends a session is kept: so the clock
// of an engine may be wrong by that much before a session ends too early.
const KeepOver = 7 * 24 * time.Hour
