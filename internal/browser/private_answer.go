package browser

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// PrivateAnswer is a response writer whose answer no shared cache keeps.
type PrivateAnswer struct {
	caddyhttp.ResponseWriterWrapper
	document bool
	before   func(http.Header) // nil once it was called
	settled  bool
}

// Private wraps w for an answer to a request that a cookie let through. Just before the
// header is written it calls before, which may be nil, with the header; then it makes
// the answer private to shared caches, whatever the app said. document tells whether
// the request was a navigation.
func Private(w http.ResponseWriter, document bool, before func(h http.Header)) *PrivateAnswer {
	return &PrivateAnswer{ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, document: document, before: before}
}

// Forgo leaves out what would be called before the header: a route for errors may still
// let caches keep the answer.
func (w *PrivateAnswer) Forgo() { w.before = nil }

// Finish is to be called when the app returns: if it wrote nothing, the server, or a
// route for errors, writes the header past this writer.
func (w *PrivateAnswer) Finish() { w.settle(nil) }

// settle completes the header once. beginning is of the body, if that is known.
func (w *PrivateAnswer) settle(beginning []byte) {
	if !w.settled {
		w.settled = true
		w.complete(beginning)
	}
}

func (w *PrivateAnswer) complete(beginning []byte) {
	h := w.Header()
	if before := w.before; before != nil {
		w.before = nil
		before(h)
	}
	makePrivate(h, w.document || isDocument(h, beginning))
}

// WriteHeader leaves informational answers as they are. 101 is final with HTTP/1.1, but
// informational with HTTP/2, where another header may follow.
func (w *PrivateAnswer) WriteHeader(status int) {
	switch {
	case status == http.StatusSwitchingProtocols:
		w.complete(nil)
	case status < 100 || status > 199:
		w.settle(nil)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *PrivateAnswer) Write(p []byte) (int, error) {
	w.settle(p)
	return w.ResponseWriter.Write(p)
}

// ReadFrom keeps sendfile. Where the type is unknown it looks at the beginning first, as
// net/http does.
func (w *PrivateAnswer) ReadFrom(r io.Reader) (n int64, err error) {
	if !w.settled && !w.document && isSniffed(w.Header()) {
		n, err = io.CopyN(struct{ io.Writer }{w}, r, sniffed)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
	w.settle(nil)
	more, err := w.ResponseWriterWrapper.ReadFrom(r)
	return n + more, err
}

// sniffed is how much of a body net/http looks at.
const sniffed = 512

// isSniffed tells whether net/http will find the type of the body itself.
func isSniffed(h http.Header) bool {
	_, typed := h["Content-Type"]
	return !typed && h.Get("Content-Encoding") == ""
}

// Flush is for apps that do not use http.ResponseController.
func (w *PrivateAnswer) Flush() { _ = w.FlushError() }

// FlushError is the Flush of http.ResponseController, which would write the header past
// this writer.
func (w *PrivateAnswer) FlushError() error {
	w.settle(nil)
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack completes the header for apps that write it to the connection themselves.
func (w *PrivateAnswer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.settle(nil)
	}
	return conn, buffers, err
}

// isDocument recognizes what a tab or a frame shows as a page of its own.
func isDocument(h http.Header, beginning []byte) bool {
	if len(beginning) > 0 && isSniffed(h) {
		return isDocumentType(http.DetectContentType(beginning))
	}
	return slices.ContainsFunc(h["Content-Type"], isDocumentType)
}

// isDocumentType is generous with what follows the type, as browsers are.
func isDocumentType(contentType string) bool {
	contentType, _, _ = strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(contentType)) {
	case "text/html", "application/xhtml+xml", "application/pdf", "image/svg+xml":
		return true
	}
	return false
}

var _ http.Flusher = (*PrivateAnswer)(nil)
