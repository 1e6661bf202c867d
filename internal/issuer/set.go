package issuer

import (
	"context"

	"github.com/caddygrant/caddy-grant/internal/remembered"
)

// Set is the issuers whose tokens one check accepts. No two have the same URL.
type Set []*Issuer

// Check checks a token by the one issuer that its `iss` names, byte for byte. ours is
// false if it names none of these, and nothing else was checked.
func (s Set) Check(_ context.Context, raw string) (t *Token, ours bool, err error) {
	if len(raw) > MaxTokenLength {
		return nil, false, nil
	}
	digest := remembered.DigestOf(raw)
	for _, i := range s {
		if i.Remembers(digest) {
			t, err = i.check(raw, digest)
			return t, true, err
		}
	}
	claimed, ok := ClaimedIssuer(raw)
	if !ok {
		return nil, false, nil
	}
	for _, i := range s {
		if i.settings.URL == claimed {
			t, err = i.check(raw, digest)
			return t, true, err
		}
	}
	return nil, false, nil
}

// Of returns the issuer of that URL, nil if there is none.
func (s Set) Of(url string) *Issuer {
	for _, i := range s {
		if i.settings.URL == url {
			return i
		}
	}
	return nil
}

// MayName tells whether a name could be that of a user of one of them, see
// [Issuer.MayName].
func (s Set) MayName(name string) bool {
	for _, i := range s {
		if i.MayName(name) {
			return true
		}
	}
	return false
}
