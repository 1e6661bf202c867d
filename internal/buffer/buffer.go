// Package buffer lends byte buffers for what is read or written once.
package buffer

import (
	"bytes"
	"encoding/json"
	"sync"
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
