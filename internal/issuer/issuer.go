package issuer

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/compact"
	"github.com/caddygrant/caddy-grant/internal/remembered"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// Issuer judges the tokens of one outside issuer by its keys and by the settings of one
// check. It is safe for concurrent use.
type Issuer struct {
	settings Settings
	keys     *Keys
	memory   atomic.Pointer[memory]
}

// memory is the tokens that were verified with one set of keys, in whatever order.
type memory struct {
	set     *keySet // its origin
	checked *remembered.Cache[*Token]
}

// New returns the issuer of settings that were validated.
func New(settings Settings, keys *Keys) *Issuer { return &Issuer{settings: settings, keys: keys} }

// URL is the issuer, byte for byte as `iss` has it.
func (i *Issuer) URL() string { return i.settings.URL }

// Settings are those by which it judges, with defaults.
func (i *Issuer) Settings() Settings { return i.settings }

// Check verifies a token and returns what it says. What never changes about a token is
// checked once. An error is the reason for the log, and the token returned with it says
// whose it was, if this issuer signed it; a [token.UncheckedError] is not a fault of
// the token. No request waits for the issuer.
func (i *Issuer) Check(_ context.Context, raw string) (*Token, error) {
	if len(raw) > MaxTokenLength {
		return nil, errTooLong
	}
	set := i.keys.current.Load()
	if set == nil {
		return nil, token.Unchecked("no keys of the outside issuer yet", i.keys.Status().Err)
	}
	checked := i.checkedWith(set)
	digest := remembered.DigestOf(raw)
	if t, ok := checked.Get(digest); ok {
		return t, i.CheckTimes(t)
	}
	h, payload, err := i.verify(set, raw)
	if err != nil {
		return nil, err
	}
	t, err := i.read(h, payload)
	if err != nil {
		return nil, err
	}
	if err := i.CheckTimes(t); err != nil {
		return t, err
	}
	if err := i.checkLifetime(t); err != nil {
		return t, err
	}
	checked.Add(digest, t, t.memory(len(raw)))
	return t, nil
}

// ReadUnverified is what Check says of a token whose signature verifies, without the
// keys. Anyone can write such a token: it is to explain what is wrong with one, and never
// lets a request pass.
func (i *Issuer) ReadUnverified(raw string) (*Token, error) {
	if len(raw) > MaxTokenLength {
		return nil, errTooLong
	}
	parts, ok := compact.Split(raw, MaxTokenLength)
	if !ok {
		return nil, errMalformed
	}
	payload, err := compact.Decode(parts.Payload)
	if err != nil {
		return nil, errMalformed
	}
	h, err := readHeader(parts.Header)
	if err != nil {
		return nil, err
	}
	if i.accepted(h.Algorithm) == nil {
		return nil, errAlgorithm
	}
	t, err := i.read(h, payload)
	if err != nil {
		return nil, err
	}
	if err := i.CheckTimes(t); err != nil {
		return t, err
	}
	return t, i.checkLifetime(t)
}

// Recall returns a token that was found valid before with the keys as they are now, by
// the digest of it, nil if there is none. What can change about it is for
// [Issuer.CheckTimes].
func (i *Issuer) Recall(digest remembered.Digest) *Token {
	m, set := i.memory.Load(), i.keys.current.Load()
	if m == nil || set == nil || m.set != set.origin {
		return nil
	}
	t, _ := m.checked.Get(digest)
	return t
}

// checkedWith is the memory of what was verified with a set of keys. Another set begins
// with an empty one, since the key of a token may be gone.
func (i *Issuer) checkedWith(set *keySet) *remembered.Cache[*Token] {
	before := i.memory.Load()
	if before != nil && before.set == set.origin {
		return before.checked
	}
	now := &memory{set.origin, remembered.New[*Token](maxRemembered, maxRememberedSize)}
	if !i.memory.CompareAndSwap(before, now) { // another request did so
		if m := i.memory.Load(); m.set == set.origin {
			return m.checked
		}
	}
	return now.checked
}

// verify checks the signature of a token and returns its header and payload. The
// algorithm must be one that is accepted, and that of the key (RFC 8725 §3.1).
func (i *Issuer) verify(set *keySet, raw string) (*compact.Header, []byte, error) {
	parts, ok := compact.Split(raw, MaxTokenLength)
	if !ok {
		return nil, nil, errMalformed
	}
	payload, err := compact.Decode(parts.Payload)
	if err != nil {
		return nil, nil, errMalformed
	}
	signature, err := compact.Decode(parts.Signature)
	if err != nil {
		return nil, nil, errMalformed
	}
	h, err := readHeader(parts.Header)
	if err != nil {
		return nil, nil, err
	}
	a := i.accepted(h.Algorithm)
	if a == nil {
		return nil, nil, errAlgorithm
	}
	candidates, known, more := set.candidates(h.KeyID, a)
	signed := raw[:len(raw)-len(parts.Signature)-1]
	for _, k := range candidates {
		if a.method.Verify(signed, signature, k.public) == nil {
			return h, payload, nil
		}
	}
	i.keys.ask() // there may be a new key
	switch {
	case set.isEmpty():
		return nil, nil, token.Error("the issuer publishes no key that can verify tokens")
	case !known:
		return nil, nil, token.Error("the issuer has no key with the token's kid")
	case len(candidates) == 0:
		return nil, nil, token.Error("the issuer has no such key for the token's algorithm")
	case more:
		return nil, nil, token.Error("the signature does not verify with the first 4 keys that fit, and no more are tried")
	}
	return nil, nil, token.Error("the signature does not verify")
}

// accepted finds the algorithm that a header names, nil if the settings do not accept it.
func (i *Issuer) accepted(name string) *algorithm {
	a := findAlgorithm(name)
	if a == nil || !slices.ContainsFunc(i.settings.Algorithms, func(name string) bool { return findAlgorithm(name) == a }) {
		return nil
	}
	return a
}

// CheckTimes enforces RFC 7519 §4.1.4 and §4.1.5, with leeway for clocks that differ.
func (i *Issuer) CheckTimes(t *Token) error {
	at, leeway := clock.Now(), i.settings.Leeway
	switch {
	case !at.Before(time.Unix(t.expires, 0).Add(leeway)):
		return token.Error("expired")
	case at.Add(leeway).Before(time.Unix(t.notBefore, 0)):
		return token.Error("not yet valid")
	case at.Add(leeway).Before(time.Unix(t.issuedAt, 0)):
		return token.Error("issued in the future")
	}
	return nil
}

// checkLifetime refuses a token that is good for long: nothing revokes it here.
func (i *Issuer) checkLifetime(t *Token) error {
	from := time.Unix(t.issuedAt, 0)
	if _, there := t.claims["iat"]; !there {
		from = clock.Now()
	}
	if time.Unix(t.expires, 0).Sub(from) > i.settings.MaxLifetime {
		return token.Error("it is good for longer than max_lifetime")
	}
	return nil
}

const errAlgorithm = token.Error("its algorithm is not one that is accepted of this issuer")

const (
	maxRemembered     = 1 << 15
	maxRememberedSize = 24 << 20 // an estimate, see [token.MemoryOf]
)
