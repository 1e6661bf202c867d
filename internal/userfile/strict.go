package userfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/caddygrant/caddy-grant/internal/suggestion"
)

// Bounds of one entry.
const (
	maxDepth = 32  // objects and lists within each other, including the entry
	maxKeys  = 256 // in one object, so that looking for duplicates stays cheap
)

var (
	errNull  = errors.New("null where an entry should be; remove it")
	errDepth = fmt.Errorf("nested more than %d deep", maxDepth)
	errKeys  = fmt.Errorf("more than %d keys in one object", maxKeys)
)

// strict finds in a JSON value what encoding/json accepts: a duplicate key, a key in
// another case than its field, and null, which would leave a field as if it were absent
// (and an absent list means "no restriction"). Its fields are buffers, reused from
// entry to entry.
type strict struct {
	keys   [][]byte // of all open objects
	opened []int    // for each open value: where its keys start, or -1 for a list
}

// check walks through raw, which must be syntactically valid JSON. Where names is not
// nil, raw must be an object with keys of these names, and null is allowed only inside
// an object within it (it is a value that a claim can have).
func (s *strict) check(raw []byte, names map[string]bool) error {
	s.keys, s.opened = s.keys[:0], s.opened[:0]
	objects := 0
	key := false // whether the next string is a key
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '{', '[':
			if len(s.opened) == maxDepth {
				return errDepth
			}
			if key = raw[i] == '{'; key {
				objects++
				s.opened = append(s.opened, len(s.keys))
			} else {
				s.opened = append(s.opened, -1)
			}
		case '}', ']':
			last := len(s.opened) - 1
			if start := s.opened[last]; start >= 0 {
				objects--
				s.keys = s.keys[:start]
			}
			s.opened = s.opened[:last]
			key = false
		case ',':
			key = s.opened[len(s.opened)-1] >= 0
		case '"':
			end := i + quoted(raw[i:])
			if key {
				if err := s.key(raw[i:end], names); err != nil {
					return err
				}
				key = false
			}
			i = end - 1
		case 'n': // outside of a string only null has one
			if names != nil && objects == 0 {
				return errNull
			}
			if names != nil && objects == 1 {
				return fmt.Errorf("key %s is null or has null in its list; leave it out", showKey(string(s.keys[len(s.keys)-1])))
			}
		}
	}
	return nil
}

// key adds a key, in quotes, to those of the innermost object.
func (s *strict) key(raw []byte, names map[string]bool) error {
	name := raw[1 : len(raw)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return errors.New("malformed key")
		}
		name = []byte(text)
	}

	siblings := s.keys[s.opened[len(s.opened)-1]:]
	if len(siblings) == maxKeys {
		return errKeys
	}
	for _, sibling := range siblings {
		if bytes.Equal(sibling, name) {
			return fmt.Errorf("duplicate key %s", showKey(string(name)))
		}
	}
	if len(s.opened) == 1 && names != nil && !names[string(name)] {
		return unknownKey(string(name), names)
	}
	s.keys = append(s.keys, name)
	return nil
}

func unknownKey(key string, names map[string]bool) error {
	for name := range names {
		if strings.EqualFold(name, key) {
			return fmt.Errorf("unknown key %s; it is written %q", showKey(key), name)
		}
	}
	for _, name := range hashKeys {
		if names[name] && (key == "hash" || key == "password" || key == "secret") {
			return fmt.Errorf("unknown key %s; the hash is %q", showKey(key), name)
		}
	}
	known := slices.Sorted(maps.Keys(names))
	if name := suggestion.Nearest(key, known); name != "" {
		return fmt.Errorf("unknown key %s; did you mean %q?", showKey(key), name)
	}
	return fmt.Errorf("unknown key %s; the known keys are %s", showKey(key), strings.Join(known, ", "))
}

// hashKeys are the names that a hash has in the lists.
var hashKeys = []string{"password_hash", "secret_hash", "hash"}

// quoted returns the length of the JSON string at the start of raw, quotes included.
func quoted(raw []byte) int {
	for i := 1; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}

// keysOf returns the names that encoding/json gives the fields of T.
func keysOf[T any]() map[string]bool {
	names := make(map[string]bool)
	for _, field := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		tag := field.Tag.Get("json")
		name, _, _ := strings.Cut(tag, ",")
		switch {
		case tag == "-" || !field.IsExported() || field.Anonymous && name == "":
		case name != "":
			names[name] = true
		default:
			names[field.Name] = true
		}
	}
	return names
}
