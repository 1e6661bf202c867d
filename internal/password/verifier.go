package password

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/caddygrant/caddy-grant/internal/mac"
)

// Verifier handles every comparison in a process: what matched a moment ago is not
// hashed again, equal attempts that come together are hashed once, and all hashing goes
// through the gate. It has no goroutine that would have to be stopped, and keeps no
// password longer than its comparison.
type Verifier struct {
	gate    *Gate
	key     mac.Key
	cache   *cache
	flights flights
}

// NewVerifier returns a verifier that hashes through the gate and remembers nothing,
// see SetCacheTTL.
func NewVerifier(gate *Gate) *Verifier {
	key := make([]byte, 32)
	rand.Read(key) // never fails: it crashes the program instead
	return &Verifier{gate: gate, key: mac.NewKey(sha256.New, key), cache: newCache(), flights: flights{underway: make(map[attemptDigest]*flight)}}
}

// SetCacheTTL changes for how long a match is remembered; 0 turns that off and forgets
// all.
func (v *Verifier) SetCacheTTL(ttl time.Duration) { v.cache.setTTL(ttl) }

// Attempt is a password presented for a name.
type Attempt struct {
	Key        string // whose turn it is at the gate
	First      bool   // before those of strangers, see Gate.AcquireFirst
	Kind, Name string // whose password it is; names of two kinds are two names
	Hash       Hash   // of the name, or a decoy
	Password   string

	// Keep says that a match counts. Other matches are never remembered, so that a
	// match for a disabled user, or for a decoy, costs what a wrong password costs.
	Keep bool

	// Or is another reading of what was presented, where it has two: the same attempt,
	// which one comparison answers in one turn at the gate. Its Key, First and Or are
	// ignored.
	Or *Attempt
}

// Format writes whose password it is and what it costs for every verb, so that no log
// line or error contains a password by accident.
func (a Attempt) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "%s, %s", a.Kind, a.Hash) }

// Result is the result of a comparison.
type Result struct {
	Matches bool
	Or      bool // it is Attempt.Or that matches
	Cached  bool // it was not hashed, since the same had matched before
	Joined  bool // it was not hashed, since the same was being hashed for another caller

	// Hashing is how long the hash took, without the wait at the gate: with two
	// readings, that of the first that is not a keyed digest. Of the callers that share
	// one hash, one gets this and the others 0.
	Hashing time.Duration
}

// AtOnce is Verify where it takes only microseconds: keyed digests, and what is
// remembered. Otherwise the result is not known. Key and First are not needed.
func (v *Verifier) AtOnce(a Attempt) (result Result, known bool) {
	result, known = v.atOnce(a)
	if a.Or == nil || result.Matches {
		return result, known
	}
	or, orKnown := v.atOnce(*a.Or)
	if or.Matches {
		or.Or = true
		return or, true
	}
	return Result{}, known && orKnown
}

// atOnce is AtOnce for one reading.
func (v *Verifier) atOnce(a Attempt) (result Result, known bool) {
	if a.Hash.Params().Cheap() {
		return Result{Matches: a.Hash.Matches(a.Password)}, true
	}
	remembered := v.cache.has(v.digest(a)) && a.Keep
	return Result{Matches: remembered, Cached: remembered}, remembered
}

// Verify compares a password with a hash. Errors are those of Gate.Acquire, which all
// who share a comparison get, and that of the caller's context if it ends while nothing
// is hashed yet; a hash that is being made is waited for, so that the caller learns the
// result.
func (v *Verifier) Verify(ctx context.Context, a Attempt) (Result, error) {
	if result, known := v.AtOnce(a); known {
		return result, nil
	}
	return v.share(ctx, a, v.digest(a))
}

// share hashes, or waits for an equal attempt that is being hashed.
func (v *Verifier) share(ctx context.Context, a Attempt, d attemptDigest) (Result, error) {
	f, joined := v.flights.join(d, func(ctx context.Context, begin func() bool) (Result, error) {
		return v.hash(ctx, a, begin)
	})
	select {
	case <-f.done:
	case <-ctx.Done():
		if v.flights.giveUp(d, f) {
			return Result{}, ctx.Err()
		}
		<-f.done
	}
	defer v.flights.leave(d, f)
	if f.err != nil {
		return Result{}, f.err
	}
	result := f.result
	result.Joined, result.Hashing = joined, v.flights.claim(f)
	return result, nil
}

// hash waits for a slot of the gate, compares, and remembers a match before the flight
// lands, so that a caller that comes at that moment finds one or the other. The line is
// that of the first caller with this attempt: others that join have the same name and
// the same password.
func (v *Verifier) hash(ctx context.Context, a Attempt, begin func() bool) (Result, error) {
	acquire := v.gate.Acquire
	if a.First {
		acquire = v.gate.AcquireFirst
	}
	release, err := acquire(ctx, a.Key)
	if err != nil {
		return Result{}, err
	}
	defer release()
	if !begin() {
		return Result{}, context.Canceled // no caller is left
	}
	var result Result
	result.Matches, result.Hashing = v.compare(a)
	if a.Or != nil && !result.Matches {
		var hashing time.Duration
		result.Or, hashing = v.compare(*a.Or)
		result.Matches = result.Or
		if result.Hashing == 0 {
			result.Hashing = hashing
		}
	}
	return result, nil
}

// compare hashes one reading, and remembers it if it matches. A keyed digest takes no
// time, and is not remembered.
func (v *Verifier) compare(a Attempt) (matches bool, hashing time.Duration) {
	begun := time.Now()
	matches = a.Hash.Matches(a.Password)
	if a.Hash.Params().Cheap() {
		return matches, 0
	}
	hashing = max(1, time.Since(begun))
	if matches && a.Keep {
		a.Or = nil
		v.cache.add(v.digest(a))
	}
	return matches, hashing
}

// Fingerprint stands for all that decides the result of an attempt, including Keep:
// when a disabled user may log in again, what was wrong may be right. Without the
// verifier's key nothing can be read from it or guessed with it.
func (v *Verifier) Fingerprint(a Attempt) [32]byte { return v.digest(a) }

// digest is the fingerprint. Lengths precede the parts, so that none can run into the
// next. A changed hash makes another digest.
func (v *Verifier) digest(a Attempt) attemptDigest {
	if a.Or == nil {
		return v.digestOne(a)
	}
	first, or := v.digestOne(a), v.digestOne(*a.Or)
	var d attemptDigest
	v.key.Append(d[:0], first[:], or[:])
	return d
}

// digestOne is digest for one reading.
func (v *Verifier) digestOne(a Attempt) attemptDigest {
	p := a.Hash.params
	parts := [...]string{
		a.Kind, a.Name, string(p.Scheme), a.Hash.text, string(a.Hash.salt), string(a.Hash.sum), a.Password,
	}
	numbers := [...]uint64{uint64(p.cost), uint64(p.memory), uint64(p.threads), uint64(p.salt), 0}
	if a.Keep {
		numbers[len(numbers)-1] = 1
	}
	size := len(parts)*binary.MaxVarintLen16 + len(numbers)*binary.MaxVarintLen32
	for _, part := range parts {
		size += len(part)
	}
	data := make([]byte, 0, size) // it does not grow, so all that has to be cleared is in one place
	for _, part := range parts {
		data = binary.AppendUvarint(data, uint64(len(part)))
		data = append(data, part...)
	}
	for _, number := range numbers {
		data = binary.AppendUvarint(data, number)
	}
	var d attemptDigest
	v.key.Append(d[:0], data)
	clear(data) // it contains the password
	return d
}
