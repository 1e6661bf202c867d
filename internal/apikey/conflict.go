package apikey

import (
	"fmt"
	"slices"
)

// Find returns the key with that digest among the files of a server. A key that another
// of the files contradicts, by the same hash or the same name, comes with an error: it
// has two owners, or logs could not tell which key it is.
func Find(files []*Set, d Digest) (*Key, error) {
	var key *Key
	in := 0
	for i, file := range files {
		switch found := file.ByDigest(d); {
		case found == nil:
		case key != nil:
			return key, ErrSameHash
		default:
			key, in = found, i
		}
	}
	if key == nil {
		return nil, ErrUnknown
	}
	for i, file := range files {
		if i != in && file.Has(key.Name) {
			return key, ErrSameName
		}
	}
	return key, nil
}

// Conflict is two files of a server that contradict each other: they have keys of one
// hash or one name, which are refused.
type Conflict struct {
	File, Other int      // which files, the later one first
	Names       []string // of the keys of File that are refused
	line        int      // of the first of them
	why         string
}

// Conflicts finds the files that contradict each other.
func Conflicts(files []*Set) (all []Conflict) {
	for i, file := range files {
		for other := range i {
			if found := file.conflict(files[other]); len(found.Names) > 0 {
				found.File, found.Other = i, other
				all = append(all, found)
			}
		}
	}
	return all
}

// Error says of two files, by their names, what is wrong with the first of the keys.
func (c Conflict) Error(file, other string) error {
	err := fmt.Errorf("%s: line %d: "+c.why, file, c.line, c.Names[0], other)
	switch more := len(c.Names) - 1; more {
	case 0:
	case 1:
		err = fmt.Errorf("%w (and 1 more key)", err)
	default:
		err = fmt.Errorf("%w (and %d more keys)", err, more)
	}
	return err
}

// conflict is about the keys of s that other contradicts.
func (s *Set) conflict(other *Set) (c Conflict) {
	note := func(k *Key, why string) {
		if c.Names = append(c.Names, k.Name); c.why == "" {
			c.line, c.why = s.Line(k), why
		}
	}
	for _, k := range s.keys {
		switch same := other.byDigest[k.digest]; {
		case same != nil && same.key.Name == k.Name:
			note(k, "the API key %q is in %s, too: delete one of the two lines")
		case same != nil:
			note(k, "the API key %q has the hash of a key in %s: a key has one name and one owner; delete one of the two lines, or make another key")
		case other.Has(k.Name):
			note(k, "there is an API key %q in %s, too: give one of them another name")
		}
	}
	return c
}

// Equal tells whether two conflicts are about the same keys.
func (c Conflict) Equal(other Conflict) bool {
	return c.File == other.File && c.Other == other.Other && c.line == other.line && c.why == other.why && slices.Equal(c.Names, other.Names)
}
