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
	unusable []string // why other keys are not used, one line each
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
	for i, encoded := range *document.Keys {
		k, err := parseKey(encoded)
		if err != nil {
			set.refuse(i, err)
			continue
		}
		set.keys = append(set.keys, k)
		if k.id != "" {
			set.byID[k.id] = append(set.byID[k.id], k)
		}
	}
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

// refuse notes why a key is not used, of the first few.
func (s *keySet) refuse(index int, why error) {
	switch n := len(s.unusable); {
	case n < maxUnusable:
		s.unusable = append(s.unusable, fmt.Sprintf("key %d: %v", index+1, why))
	case n == maxUnusable:
		s.unusable = append(s.unusable, "and more")
	}
}

// same tells whether both have the same keys, in any order.
func (s *keySet) same(other *keySet) bool {
	if s == nil || other == nil {
		return s == other
	}
	return slices.Equal(s.texts(), other.texts())
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
	var ids []string
	for _, k := range s.keys {
		if len(ids) == maxShownIDs {
			return append(ids, "and more")
		}
		ids = append(ids, brief(k.id))
	}
	return ids
}

const (
	maxKeys       = 1000
	maxCandidates = 4
	maxUnusable   = 5
	maxShownIDs   = 10
)
