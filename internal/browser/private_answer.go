package browser

import (
	"bufio"
	"io"
	"mime"
	"net"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// PrivateAnswer is a response writer whose answer no shared cache keeps.
type PrivateAnswer struct {
	caddyhttp.ResponseWriterWrapper
	document bool
	before   func(http.Header)
	settled  bool
}

// Private wraps w for an answer to a request that a cookie let through. Just before the
// header is written it calls before, which may be nil, with the header; then it makes
// the answer private to shared caches, whatever the app said. document tells whether
// the request was a navigation.
func Private(w http.ResponseWriter, document bool, before func(h http.Header)) *PrivateAnswer {
	return &PrivateAnswer{ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, document: document, before: before}
}

// Finish is to be called when the app returns: if it wrote nothing, the server, or a
// route for errors, writes the header past this writer.
func (w *PrivateAnswer) Finish() { w.settle(nil) }

// settle completes the header once. beginning is of the body, if that is known.
func (w *PrivateAnswer) settle(beginning []byte) {
	if w.settled {
		return
	}
	w.settled = true
	h := w.Header()
	if w.before != nil {
		w.before(h)
	}
	makePrivate(h, w.document || isDocument(h, beginning))
}

// WriteHeader leaves informational answers as they are; 101 is final, as in net/http.
func (w *PrivateAnswer) WriteHeader(status int) {
	if status < 100 || status > 199 || status == http.StatusSwitchingProtocols {
		w.settle(nil)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *PrivateAnswer) Write(p []byte) (int, error) {
	w.settle(p)
	return w.ResponseWriter.Write(p)
}

// ReadFrom keeps sendfile.
func (w *PrivateAnswer) ReadFrom(r io.Reader) (int64, error) {
	w.settle(nil)
	return w.ResponseWriterWrapper.ReadFrom(r)
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

// isDocument recognizes what a tab shows as a page of its own.
func isDocument(h http.Header, beginning []byte) bool {
	contentType := h.Get("Content-Type")
	if _, given := h["Content-Type"]; !given && len(beginning) > 0 && h.Get("Content-Encoding") == "" {
		contentType = http.DetectContentType(beginning) // as net/http does
	}
	mediaType, _, _ := mime.ParseMediaType(contentType)
	switch mediaType {
	case "text/html", "application/xhtml+xml", "application/pdf", "image/svg+xml":
		return true
	}
	return false
}

var _ http.Flusher = (*PrivateAnswer)(nil)
