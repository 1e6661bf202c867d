package caddygrant

import (
	"bytes"
	"encoding/json"
	"sync"
)

// buffers are for what is read or written once: bodies, payloads and answers, which are a
// few kilobytes. Whoever puts a secret of a client in one clears it.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// borrowBuffer returns an empty buffer. It goes back with buffers.Put.
func borrowBuffer() *bytes.Buffer {
	b := buffers.Get().(*bytes.Buffer)
	b.Reset()
	return b
}

// appendJSON writes a value as [json.Marshal] does.
func appendJSON(b *bytes.Buffer, value any) error {
	if err := json.NewEncoder(b).Encode(value); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the line feed
	return nil
}
