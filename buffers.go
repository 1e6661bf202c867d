package caddygrant

import (
	"bytes"
	"encoding/json"
	"sync"
)

// buffers are for what is read or written once: bodies, payloads and answers, which are a
// few kilobytes.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// borrowBuffer returns an empty buffer. It goes back with buffers.Put, or with
// returnSecret if there is a password or a hash in it.
func borrowBuffer() *bytes.Buffer {
	b := buffers.Get().(*bytes.Buffer)
	b.Reset()
	return b
}

func returnSecret(b *bytes.Buffer) {
	clear(b.Bytes())
	buffers.Put(b)
}

// appendJSON writes a value as [json.Marshal] does.
func appendJSON(b *bytes.Buffer, value any) error {
	if err := json.NewEncoder(b).Encode(value); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the line feed
	return nil
}
