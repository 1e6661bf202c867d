// Package buffer lends byte buffers for what is read or written once.
package buffer

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"unicode/utf8"
)

// buffers are for what is read or written once: bodies, payloads and answers, which are
// a few kilobytes.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Borrow returns an empty buffer. It goes back with Return, or with ReturnSecret if it
// has held a password or a hash.
func Borrow() *bytes.Buffer {
	b := buffers.Get().(*bytes.Buffer)
	b.Reset()
	return b
}

// Return gives a buffer back.
func Return(b *bytes.Buffer) { buffers.Put(b) }

// ReturnSecret gives a buffer back with nothing in it.
func ReturnSecret(b *bytes.Buffer) {
	clear(b.Bytes())
	buffers.Put(b)
}

// AppendJSON writes a value as [json.Marshal] does.
func AppendJSON(b *bytes.Buffer, value any) error {
	if err := json.NewEncoder(b).Encode(value); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the line feed
	return nil
}

// AppendJSONString appends a string to b as [json.Marshal] writes it. A string that has
// nothing to escape, as nearly all have, is copied; every other goes through
// encoding/json.
func AppendJSONString(b []byte, s string) []byte {
	for i := range len(s) {
		if !plain[s[i]] {
			encoded, _ := json.Marshal(s) // which cannot fail for a string
			return append(b, encoded...)
		}
	}
	b = append(append(b, '"'), s...)
	return append(b, '"')
}

// plain are the bytes that stand for themselves in a string, whatever is beside them.
var plain = func() (bytes [256]bool) {
	for c := rune(' '); c < utf8.RuneSelf; c++ {
		bytes[c] = !strings.ContainsRune(`"\<>&`, c)
	}
	return bytes
}()
