package bearer

import (
	"io"
	"net/http"
)

// RemoveIdentityHeaders removes what the client sent under the names of identity
// headers, from headers, trailers and the list of the Connection header, which would
// make the proxy drop ours. The names are as HeaderAlias gives them and are those of
// all checks of the config, since one check may refuse before the next one runs.
func RemoveIdentityHeaders(r *http.Request, names map[string]bool) {
	if r.Trailer != nil {
		removeTrailers(r.Trailer, names)
		r.Body = &trailerFilter{ReadCloser: r.Body, trailer: r.Trailer, names: names}
	}
	if len(names) == 0 {
		return
	}
	removeHeaders(r.Header, names)
	if len(r.Header["Connection"]) > 0 {
		keepConnection(r.Header, func(name string) bool { return isIdentityHeader(names, name) })
	}
}

// removeTrailers also removes names that have a meaning to HTTP, which must not be
// trailers (RFC 9110 §6.5.1): an app that takes trailers for headers would trust an
// Authorization there that was never checked.
func removeTrailers(trailer http.Header, names map[string]bool) {
	for name := range trailer {
		if isIdentityHeader(names, name) || isReserved(HeaderAlias(name)) {
			delete(trailer, name)
		}
	}
}

func removeHeaders(h http.Header, names map[string]bool) {
	for name := range h {
		if isIdentityHeader(names, name) {
			delete(h, name)
		}
	}
}

// trailerFilter removes trailers when the body ends, which is when the server adds
// them.
type trailerFilter struct {
	io.ReadCloser
	trailer http.Header
	names   map[string]bool
}

func (f *trailerFilter) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if err != nil {
		removeTrailers(f.trailer, f.names)
	}
	return n, err
}

// SetIdentityHeader sets the header of a claim in place of all headers that an app may
// take for the same, if the claim can be the value of a header.
func SetIdentityHeader(h http.Header, header string, claim any) {
	value, ok := headerValue(claim)
	if !ok {
		return
	}
	alias := HeaderAlias(header)
	for name := range h {
		if HeaderAlias(name) == alias {
			delete(h, name)
		}
	}
	h.Set(header, value)
}
