package issuer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddygrant/caddy-grant/internal/token"
)

// keySet is the usable keys of an issuer at one time, which may be none. It is never
// changed.
type keySet struct {
	keys     []*key
	byID     map[string][]*key
	unusable []string // why other keys are not used, one line each of the first few

	refused []string // all other keys, sorted, to compare sets by: the kid and why
	private []string // the kid of each key that was published with its private part, sorted

	origin *keySet // the first set that had these keys, in another order perhaps
}

// parseKeySet reads a JWK Set (RFC 7517 §5). Keys that cannot verify tokens are left
// out.
func parseKeySet(encoded []byte) (*keySet, error) {
	var document *struct {
		Keys *[]json.RawMessage `json:"keys"`
	}
	if token.DecodeStrictly(encoded, &document) != nil || document == nil || document.Keys == nil {
		return nil, errors.New("it is not a JWK Set: a JSON object with a list of keys (RFC 7517 §5)")
	}
	if n := len(*document.Keys); n > maxKeys {
		return nil, fmt.Errorf("it has %d keys, the maximum is %d", n, maxKeys)
	}
	set := &keySet{byID: make(map[string][]*key)}
	set.origin = set
	for i, encoded := range *document.Keys {
		k, err := parseKey(encoded)
		if err != nil {
			set.refuse(i, k, err)
			continue
		}
		set.keys = append(set.keys, k)
		if k.id != "" {
			set.byID[k.id] = append(set.byID[k.id], k)
		}
	}
	slices.Sort(set.refused)
	slices.Sort(set.private)
	return set, nil
}

// isEmpty tells whether no key can verify tokens.
func (s *keySet) isEmpty() bool { return len(s.keys) == 0 }

// whyEmpty says why no key can verify tokens.
func (s *keySet) whyEmpty() error {
	if len(s.unusable) == 0 {
		return errors.New("it has no keys")
	}
	return errors.New("it has no key to verify tokens with: " + strings.Join(s.unusable, "; "))
}

// refuse notes why a key is not used.
func (s *keySet) refuse(index int, k *key, why error) {
	name := fmt.Sprintf("key %d", index+1)
	if k.id != "" {
		name += fmt.Sprintf(" (kid %s)", brief(k.id))
	}
	switch n := len(s.unusable); {
	case n < maxUnusable:
		s.unusable = append(s.unusable, fmt.Sprintf("%s: %v", name, why))
	case n == maxUnusable:
		s.unusable = append(s.unusable, "and more")
	}
	s.refused = append(s.refused, brief(k.id)+" "+why.Error())
	if errors.Is(why, errPrivate) {
		s.private = append(s.private, k.id)
	}
}

// same tells whether both have the same usable keys, in any order.
func (s *keySet) same(other *keySet) bool {
	if s == nil || other == nil {
		return s == other
	}
	return slices.Equal(s.texts(), other.texts())
}

// sameOrder tells whether two sets of the same keys have them in the same order.
func (s *keySet) sameOrder(other *keySet) bool {
	return slices.EqualFunc(s.keys, other.keys, func(a, b *key) bool { return a.text == b.text })
}

// sameRefused tells whether a set, nil for none, has the same keys that are not usable.
func (s *keySet) sameRefused(before *keySet) bool {
	return before != nil && slices.Equal(s.refused, before.refused)
}

// hasOtherPrivate tells whether a private key is published that was not in a set before,
// nil for none.
func (s *keySet) hasOtherPrivate(before *keySet) bool {
	return slices.ContainsFunc(s.private, func(id string) bool {
		return before == nil || !slices.Contains(before.private, id)
	})
}

func (s *keySet) texts() []string {
	texts := make([]string, len(s.keys))
	for i, k := range s.keys {
		texts[i] = k.text
	}
	slices.Sort(texts)
	return texts
}

// candidates are the keys that a header may mean, at most maxCandidates. Keys of one
// `kid` may differ in kind (RFC 7517 §4.5). known is false if there is no key of that
// `kid`, and more is true if more keys fit than are tried.
func (s *keySet) candidates(id string, a *algorithm) (keys []*key, known, more bool) {
	among := s.keys
	if id != "" {
		if among = s.byID[id]; among == nil {
			return nil, false, false
		}
	}
	for _, k := range among {
		if (k.algorithm == "" || k.algorithm == a.name) && a.fits(k.public) {
			if len(keys) == maxCandidates {
				return keys, true, true
			}
			keys = append(keys, k)
		}
	}
	return keys, true, false
}

// ids are the `kid` of the keys, for the log.
func (s *keySet) ids() []string {
	ids := make([]string, len(s.keys))
	for i, k := range s.keys {
		ids[i] = k.id
	}
	return shownIDs(ids)
}

// shownIDs are the first few of many `kid`.
func shownIDs(ids []string) []string {
	var shown []string
	for _, id := range ids {
		if len(shown) == maxShownIDs {
			return append(shown, "and more")
		}
		shown = append(shown, brief(id))
	}
	return shown
}

const (
	maxKeys       = 1000
	maxCandidates = 4
	maxUnusable   = 5
	maxShownIDs   = 10
)
