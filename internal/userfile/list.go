package userfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"
)

// sections are the keys that the object of a JSON file may have.
var sections = map[string]bool{"users": true, "clients": true, "api_keys": true}

// List reads a JSON object like {"users":[{…},…],"clients":[…]}, decodes every entry of
// the list under section into a new T and calls each with the line on which it begins
// and with it, in order. The list is required; the other lists are optional, and only
// their syntax is checked. T is a struct with json tags.
//
// It is stricter than encoding/json: a key that is not a field of T in exactly that
// spelling, a duplicate key in any object, null for an entry, for a field or in a
// field's list, data after the object, and invalid UTF-8 are all errors. An absent
// field stays nil, an empty list becomes non-nil.
//
// each returns [ErrDuplicate] for an entry whose name (as the function name has it) it
// has seen before. All errors are collected in a [*Problems] and name the entry by
// index, line and name. Errors that an UnmarshalJSON of T's fields returns are printed
// as they are. A file in another format is [ErrHtpasswd] or [ErrYAML].
func List[T any](data []byte, section string, name func(*T) string, each func(line int, entry *T) error) error {
	data, err := unmark(data)
	if err != nil {
		return err
	}
	if err := notJSON(data); err != nil {
		return err
	}
	var problems Problems
	if valid, at := validUTF8(data); !valid {
		problems.add(at, "", errors.New("not valid UTF-8; save the file as UTF-8"))
		return problems.err()
	}

	at, err := walk(data, section, func(at place, entry *T, err error) {
		if err != nil {
			problems.add(at, "", err)
		} else if err := each(at.line, entry); err != nil {
			problems.add(at, name(entry), err)
		}
	})
	if err != nil {
		problems.add(at, "", err)
	}
	problems.locate(func(found func(string, place)) {
		// This walk also skips what the first one could not read.
		_, _ = walk(data, section, func(at place, entry *T, err error) {
			if err == nil {
				found(name(entry), at)
			}
		})
	})
	return problems.err()
}

// walker reads the tokens of a file.
type walker struct {
	data    []byte
	decoder *json.Decoder
	strict  strict
	other   json.RawMessage // an entry of the list that was not asked for

	counted int // bytes of data whose line ends are in line
	line    int
}

// walk calls visit for each entry of the list under section, or with what is wrong with
// it. After an error that it returns, with its place, the rest of the file cannot be
// read.
func walk[T any](data []byte, section string, visit func(place, *T, error)) (place, error) {
	w := &walker{data: data, decoder: json.NewDecoder(bytes.NewReader(data)), line: 1}
	w.decoder.DisallowUnknownFields() // of structs within T; its own fields are checked by strict
	names := keysOf[T]()

	token, err := w.decoder.Token()
	if err == nil && token != json.Delim('{') {
		err = fmt.Errorf(`no JSON object; the file starts with {"%s": [`, section)
	}
	if err != nil {
		return w.fail(err)
	}

	seen := make(map[string]bool)
	for w.decoder.More() {
		key, err := w.key(seen)
		if err != nil {
			return w.fail(err)
		}
		for index := 0; w.decoder.More(); index++ {
			if key != section {
				at, raw, err := w.next(&w.other)
				if err == nil {
					err = w.strict.check(raw, nil)
				}
				if err != nil {
					return place{line: at.line, section: key, index: index}, err
				}
				continue
			}

			entry := new(T)
			at, raw, err := w.next(entry)
			if raw == nil {
				return at, err
			}
			at.section, at.index = section, index
			// First what is odd about its keys: that explains more decoder errors than
			// the reverse.
			if odd := w.strict.check(raw, names); odd != nil {
				err = odd
			}
			visit(at, entry, err)
		}
		if _, err := w.decoder.Token(); err != nil { // the end of the list
			return w.fail(err)
		}
	}
	if _, err := w.decoder.Token(); err != nil { // the end of the object
		return w.fail(err)
	}
	if !seen[section] {
		return w.fail(fmt.Errorf("no list %q in it", section))
	}
	if _, err := w.decoder.Token(); !errors.Is(err, io.EOF) {
		return w.fail(errors.New("something follows the JSON object; remove it"))
	}
	return place{}, nil
}

// key reads a key of the top-level object and the start of its list.
func (w *walker) key(seen map[string]bool) (string, error) {
	token, err := w.decoder.Token()
	if err != nil {
		return "", err
	}
	key, _ := token.(string) // an object has no other keys
	switch {
	case !sections[key]:
		return "", unknownKey(key, sections)
	case seen[key]:
		return "", fmt.Errorf("duplicate key %q", key)
	}
	seen[key] = true

	token, err = w.decoder.Token()
	if err == nil && token != json.Delim('[') {
		err = fmt.Errorf("key %q must be a list", key)
	}
	return key, err
}

// next decodes the next element of a list into v. raw is nil after an error that ends
// the file.
func (w *walker) next(v any) (at place, raw []byte, err error) {
	start := int(w.decoder.InputOffset())
	err = w.decoder.Decode(v)
	if fatal(err) {
		at, err = w.fail(err)
		return at, nil, err
	}
	raw = bytes.TrimLeft(w.data[start:w.decoder.InputOffset()], ", \t\r\n")
	at = w.place(int(w.decoder.InputOffset()) - len(raw))

	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
	case errors.As(err, &wrong):
		err = mistyped(wrong)
	default:
		err = errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	return at, raw, err
}

// fatal reports whether the decoder cannot go on after err.
func fatal(err error) bool {
	var syntax *json.SyntaxError
	return errors.As(err, &syntax) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// fail gives an error that ends the file its place and its words.
func (w *walker) fail(err error) (place, error) {
	if len(bytes.TrimSpace(w.data)) == 0 {
		return place{line: 1}, errors.New("the file is empty")
	}
	offset := w.decoder.InputOffset()
	if fatal(err) {
		// The offsets of a decoder leave the tokens out: have the file checked as a
		// whole.
		var syntax *json.SyntaxError
		if errors.As(json.Unmarshal(w.data, new(json.RawMessage)), &syntax) {
			offset, err = syntax.Offset, syntax
		}
		err = fmt.Errorf("not valid JSON: %w", err)
	}
	return w.place(int(offset)), err
}

// place counts the lines up to offset. Offsets may only grow from call to call; a
// smaller one counts as the last.
func (w *walker) place(offset int) place {
	if offset = min(offset, len(w.data)); offset > w.counted {
		w.line += bytes.Count(w.data[w.counted:offset], []byte{'\n'})
		w.counted = offset
	}
	return place{line: w.line}
}

// mistyped says what a field should have been. The decoder's own message would quote a
// number, and a number may be a user's password.
func mistyped(err *json.UnmarshalTypeError) error {
	want := "of another type"
	switch err.Type.Kind() {
	case reflect.String:
		want = "a string"
	case reflect.Bool:
		want = "true or false"
	case reflect.Slice, reflect.Array:
		want = "a list"
	case reflect.Map, reflect.Struct:
		want = "an object"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		want = "a whole number"
	case reflect.Float32, reflect.Float64:
		want = "a number"
	}
	got, _, _ := strings.Cut(err.Value, " ")
	if err.Field == "" {
		return fmt.Errorf("the entry must be %s, not %s", want, got)
	}
	return fmt.Errorf("key %s: must be %s, not %s", showKey(err.Field), want, got)
}

// validUTF8 returns the place of the first byte that is not UTF-8.
func validUTF8(data []byte) (bool, place) {
	if utf8.Valid(data) {
		return true, place{}
	}
	line := 1
	for text := range bytes.Lines(data) {
		if !utf8.Valid(text) {
			break
		}
		line++
	}
	return false, place{line: line}
}
