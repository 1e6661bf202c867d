package directory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"go.uber.org/zap"
)

// recent is what a source that has to be asked said a moment ago, by subject or client
// id. An entry that is equal to what was there keeps its pointer, on which remembered
// tokens depend. "No such" is an entry only for keys of verified tokens, of which a
// stranger cannot make any number. An app that shares the secret that tokens are signed
// with can: so what no user or client can have is neither asked for nor kept.
type recent[T any] struct {
	question[T]

	mu      sync.Mutex
	entries *simplelru.LRU[string, *entry[T]]
	flights map[string]*flight[T] // look-ups that several wait for
	failure time.Time             // when a look-up in the background last failed and was logged
}

// question is how a source is asked for a key.
type question[T any] struct {
	name   string // of the source
	look   func(ctx context.Context, key string) (*T, error)
	admit  func(*T) (*T, error) // is the door
	equal  func(kept, raw *T) bool
	maxAge time.Duration
	logger *zap.Logger

	// tokens is look for keys of verified tokens, and found for keys that the source
	// has had before, both in places of their own. Without them it is look.
	tokens, found func(ctx context.Context, key string) (*T, error)
}

// entry is what the source said of a key.
type entry[T any] struct {
	value *T        // nil: no such
	asked time.Time // when the look-up began; zero: it never succeeded

	err    error // of the latest look-up, if it failed
	failed time.Time
}

// flight is a look-up of a key that is under way.
type flight[T any] struct {
	began time.Time
	done  chan struct{}
	value *T
	err   error
}

func newFlight[T any]() *flight[T] { return &flight[T]{began: now(), done: make(chan struct{})} }

// manner is how a source is asked.
type manner int

const (
	asIs     manner = iota // now
	recently               // at most max_age ago
)

func newRecent[T any](q question[T]) *recent[T] {
	entries, _ := simplelru.NewLRU[string, *entry[T]](maxRecent, nil) // it fails for sizes below 1 only
	return &recent[T]{question: q, entries: entries, flights: make(map[string]*flight[T])}
}

// now asks the source. verified says that the key is of a verified token, so that "no
// such" may be kept.
func (r *recent[T]) now(ctx context.Context, key string, verified bool) (*T, error) {
	if verified && !possible(key) {
		return nil, nil
	}
	began := now()
	look := r.look
	switch {
	case verified && r.tokens != nil:
		look = r.tokens
	case !verified && r.found != nil && r.wasFound(key):
		look = r.found
	}
	raw, err := look(ctx, key)
	if err != nil {
		return nil, err
	}
	return r.take(key, raw, began, verified)
}

// ofToken looks up a key of a verified token.
func (r *recent[T]) ofToken(ctx context.Context, key string, how manner) (*T, error) {
	if how == recently {
		return r.get(ctx, key)
	}
	return r.nowOrNone(ctx, key, true)
}

// nowOrNone is now, but a source that fails still lacks what it lacked a moment ago.
func (r *recent[T]) nowOrNone(ctx context.Context, key string, verified bool) (*T, error) {
	found, err := r.now(ctx, key, verified)
	if err != nil && r.isNone(key) {
		return nil, nil
	}
	return found, err
}

// take admits what a source returned, and keeps it unless a later look-up has ended
// before.
func (r *recent[T]) take(key string, raw *T, began time.Time, verified bool) (*T, error) {
	if value, same := r.same(key, raw, began); same {
		return value, nil
	}
	value := raw
	if raw != nil {
		var err error
		if value, err = r.admit(raw); err != nil {
			return nil, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	before, there := r.entries.Get(key)
	switch {
	case there && before.asked.After(began):
		if value != nil && before.value != nil && r.equal(before.value, value) {
			return before.value, nil
		}
	case value == nil && !verified:
		r.entries.Remove(key)
	default:
		if value != nil && there && before.value != nil && r.equal(before.value, value) {
			value = before.value // two asked at the same time
		}
		r.entries.Add(key, &entry[T]{value: value, asked: began})
	}
	return value, nil
}

// same finds what is admitted already and has not changed.
func (r *recent[T]) same(key string, raw *T, began time.Time) (*T, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, there := r.entries.Get(key)
	if !there || before.value == nil || raw == nil || !r.equal(before.value, raw) {
		return nil, false
	}
	if began.After(before.asked) {
		before.asked, before.err = began, nil
	}
	return before.value, true
}

// get returns what the source said at most maxAge ago, and renews it in the background
// when half of that is over. The key is of a verified token.
func (r *recent[T]) get(ctx context.Context, key string) (*T, error) {
	r.mu.Lock()
	at := now()
	kept, there := r.entries.Get(key)
	if there && kept.fresh(at, r.maxAge/2) {
		defer r.mu.Unlock()
		return kept.value, nil
	}
	if !there && !possible(key) {
		defer r.mu.Unlock()
		return nil, nil
	}
	rests := there && kept.err != nil && at.Sub(kept.failed) < r.maxAge/10 // it has just been asked
	if there && kept.fresh(at, r.maxAge) {
		defer r.mu.Unlock()
		if r.flights[key] == nil && !rests {
			r.begin(key)
		}
		return kept.value, nil
	}
	f := r.flights[key]
	if f == nil && rests {
		defer r.mu.Unlock()
		return nil, kept.err
	}
	if f == nil {
		f = r.begin(key)
	}
	hung := there && errors.Is(kept.err, errSlow) && at.Sub(kept.failed) < r.maxAge
	r.mu.Unlock()
	return r.wait(ctx, f, at, hung)
}

// wait waits for a look-up. While the source hangs it does not for long, or requests
// would pile up: a look-up that is old, or follows one that took too long, most likely
// hangs as well.
func (r *recent[T]) wait(ctx context.Context, f *flight[T], at time.Time, hung bool) (*T, error) {
	age := at.Sub(f.began)
	var late <-chan time.Time // never, since the look-up ends within patience
	switch {
	case hung:
		late = time.After(courtesy - age)
	case age >= patience/2:
		late = time.After(0)
	}
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-late:
		return nil, fmt.Errorf("%s: %w", r.name, errHangs)
	}
}

// begin looks a key up in the background, for all callers that come meanwhile. r.mu is
// held.
func (r *recent[T]) begin(key string) *flight[T] {
	f := newFlight[T]()
	r.flights[key] = f
	go func() {
		f.value, f.err = r.now(context.Background(), key, true)
		r.land(key, f)
	}()
	return f
}

// land ends a look-up. One that failed is logged once a minute, since a request that
// finds an entry which is fresh enough does not notice.
func (r *recent[T]) land(key string, f *flight[T]) {
	r.mu.Lock()
	delete(r.flights, key)
	quiet := f.err == nil
	if f.err != nil {
		at := now()
		kept, there := r.entries.Get(key)
		if !there {
			kept = new(entry[T])
			r.entries.Add(key, kept)
		}
		kept.err, kept.failed = f.err, at
		if quiet = at.Sub(r.failure) < time.Minute; !quiet {
			r.failure = at
		}
	}
	r.mu.Unlock()
	if !quiet {
		r.logger.Error("a source cannot tell: what it said before counts for a moment, then requests are answered with 503",
			zap.Error(f.err), zap.Duration("moment", r.maxAge))
	}
	close(f.done)
}

// isNone tells whether the source said a moment ago that it has nothing for a key.
func (r *recent[T]) isNone(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept, there := r.entries.Get(key)
	return there && kept.value == nil && kept.fresh(now(), r.maxAge)
}

// wasFound tells whether the source had that key when it last answered, however long
// ago.
func (r *recent[T]) wasFound(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept, there := r.entries.Get(key)
	return there && kept.value != nil
}

func (e *entry[T]) fresh(at time.Time, age time.Duration) bool {
	return !e.asked.IsZero() && at.Sub(e.asked) < age
}

// named wraps a look-up: a result with a key other than the one asked for counts as
// none.
func named[T any](b *bound, look func(context.Context, string) (*T, error), key func(*T) string) func(context.Context, string) (*T, error) {
	return func(ctx context.Context, asked string) (*T, error) {
		found, err := call(ctx, b, func(ctx context.Context) (*T, error) { return look(ctx, asked) })
		if err != nil || found == nil || key(found) != asked {
			return nil, err
		}
		return found, nil
	}
}

// now is the clock.
var now = time.Now

const (
	// DefaultMaxAge is how old what a source said may be for a request with an access
	// token: how late a user is cut off at most.
	DefaultMaxAge = 10 * time.Second

	// maxRecent is how many users or clients of a source are kept.
	maxRecent = 1 << 15
)
