// Package wire reads requests to the endpoints and writes their answers: forms, client
// credentials, what TLS and proxies say about the connection, and what browsers say
// about the page. It knows net/http and nothing of users, clients or servers.
package wire

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"

	"github.com/caddygrant/caddy-grant/internal/buffer"
)

// WriteJSON sends an answer that no cache may keep (RFC 6749 §5.1).
func WriteJSON(w http.ResponseWriter, status int, body any) error {
	forbidCaching(w.Header())
	return write(w, status, typeJSON, body)
}

// WriteSecret sends an answer of status 200 with secrets in it, such as tokens, which no
// cache may keep. It is JSON already, and its buffer is given back: it must no longer be
// used.
func WriteSecret(w http.ResponseWriter, encoded *bytes.Buffer) error {
	forbidCaching(w.Header())
	err := send(w, http.StatusOK, typeJSON, encoded)
	if err == nil { // otherwise the buffer may still be read
		buffer.ReturnSecret(encoded)
	}
	return err
}

// WriteCacheable sends what is the same for all clients and may be cached for ten
// minutes.
func WriteCacheable(w http.ResponseWriter, contentType string, body any) error {
	w.Header().Set("Cache-Control", "public, max-age=600")
	return write(w, http.StatusOK, contentType, body)
}

func forbidCaching(header http.Header) {
	header.Set("Cache-Control", "no-store")
	header.Set("Pragma", "no-cache")
}

func write(w http.ResponseWriter, status int, contentType string, body any) error {
	encoded := buffer.Borrow()
	if err := buffer.AppendJSON(encoded, body); err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	err := send(w, status, contentType, encoded)
	if err == nil { // otherwise the buffer may still be read
		buffer.Return(encoded)
	}
	return err
}

func send(w http.ResponseWriter, status int, contentType string, encoded *bytes.Buffer) error {
	encoded.WriteByte('\n')
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(encoded.Len()))
	w.WriteHeader(status)
	_, err := w.Write(encoded.Bytes())
	return err
}

const typeJSON = "application/json; charset=UTF-8"
