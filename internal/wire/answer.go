// Package wire reads requests to the endpoints and writes their answers: forms, client
// credentials, what TLS and proxies say about the connection, and what browsers say
// about the page. It knows net/http and nothing of users, clients or servers.
package wire

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/caddygrant/caddy-grant/internal/buffer"
)

// WriteJSON sends an answer that no cache may keep (RFC 6749 §5.1).
func WriteJSON(w http.ResponseWriter, status int, body any) error {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Pragma", "no-cache")
	return write(w, status, "application/json; charset=UTF-8", body)
}

// WriteCacheable sends what is the same for all clients and may be cached for ten
// minutes.
func WriteCacheable(w http.ResponseWriter, contentType string, body any) error {
	w.Header().Set("Cache-Control", "public, max-age=600")
	return write(w, http.StatusOK, contentType, body)
}

func write(w http.ResponseWriter, status int, contentType string, body any) error {
	encoded := buffer.Borrow()
	if err := buffer.AppendJSON(encoded, body); err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	encoded.WriteByte('\n')
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(encoded.Len()))
	w.WriteHeader(status)
	_, err := w.Write(encoded.Bytes())
	if err == nil { // otherwise the buffer may still be read
		buffer.Return(encoded)
	}
	return err
}
