package apikey

import (
	"fmt"
	"iter"
	"slices"

	"github.com/caddygrant/caddy-grant/internal/userfile"
)

// Set is the keys of a file. It is not changed once it is looked up in.
type Set struct {
	keys     []*Key
	byName   map[string]bool
	byDigest map[Digest]*entry
}

// entry is a key and the line that it is on.
type entry struct {
	key  *Key
	line int
}

// NewSet returns an empty set.
func NewSet() *Set {
	return &Set{byName: make(map[string]bool), byDigest: make(map[Digest]*entry)}
}

// Add checks a key and takes it in; line is where it was found.
func (s *Set) Add(k *Key, line int) error {
	if err := k.Validate(); err != nil {
		return err
	}
	if s.byName[k.Name] {
		return userfile.ErrDuplicate
	}
	if other := s.byDigest[k.digest]; other != nil {
		return fmt.Errorf("it has the hash of the key on line %d: a key has one name and one owner; delete one of the two, or make another key", other.line)
	}
	s.keys = append(s.keys, k)
	s.byName[k.Name] = true
	s.byDigest[k.digest] = &entry{k, line}
	return nil
}

// ByDigest returns the key with that digest, or nil. It may have expired.
func (s *Set) ByDigest(d Digest) *Key {
	if found := s.byDigest[d]; found != nil {
		return found.key
	}
	return nil
}

// Has tells whether there is a key of that name.
func (s *Set) Has(name string) bool { return s.byName[name] }

// Line is the line of the file that a key of it is on, 0 if it is not one of it.
func (s *Set) Line(k *Key) int {
	if found := s.byDigest[k.digest]; found != nil && found.key == k {
		return found.line
	}
	return 0
}

// All goes through the keys in the order of the file.
func (s *Set) All() iter.Seq[*Key] { return slices.Values(s.keys) }

// Len returns the number of keys.
func (s *Set) Len() int { return len(s.keys) }
