package caddygrant

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/caddygrant/caddy-grant/internal/token"
)

// CopyClaim gives the app one claim of a token in one identity header.
type CopyClaim struct {
	// The name of the claim.
	Claim string `json:"claim"`

	// The name of the header. It may not be one that HTTP or a proxy gives a meaning.
	Header string `json:"header"`
}

func (c CopyClaim) validate() error {
	if c.Claim == "" {
		return errors.New("copy_claims: a claim has no name: write claim>Header, such as sub>X-User")
	}
	if !httpguts.ValidHeaderFieldName(c.Header) {
		return fmt.Errorf("copy_claims: %q is not the name of a header", c.Header)
	}
	if isReserved(headerAlias(c.Header)) {
		return fmt.Errorf("copy_claims: the header %s has a meaning of its own: choose another name, such as X-User", c.Header)
	}
	return nil
}

// headerAlias is what a header's name has in common with all that an app may take for the
// same: CGI, WSGI and PHP write X-User, X_User and X.User alike, and some do so with
// whatever is neither letter nor digit.
func headerAlias(name string) string { return strings.Map(aliasOf, name) }

func aliasOf(c rune) rune {
	switch {
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return c
	case 'A' <= c && c <= 'Z':
		return c - 'A' + 'a'
	}
	return '-'
}

// removeIdentityHeaders is that function for a request that comes to a check, once in the
// request, so that no check removes what another one has set.
func (s *bearerState) removeIdentityHeaders(r *http.Request, names map[string]bool) {
	if s.removed {
		return
	}
	s.removed = true
	removeIdentityHeaders(r, names)
}

// removeIdentityHeaders removes what the client sent under the names of identity headers,
// from headers, trailers and the list of the Connection header, which would make the
// proxy drop ours. It removes the names of all checks of the config, since a check may
// refuse before the next one is asked.
func removeIdentityHeaders(r *http.Request, names map[string]bool) {
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

// removeTrailers also removes what has a meaning to HTTP, which must not be a trailer (RFC
// 9110 §6.5.1): an app that takes trailers for headers would believe an Authorization
// there that nobody has checked.
func removeTrailers(trailer http.Header, names map[string]bool) {
	for name := range trailer {
		if isIdentityHeader(names, name) || isReserved(headerAlias(name)) {
			delete(trailer, name)
		}
	}
}

// isIdentityHeader tells whether an app may take a header for one of these names, which
// are as headerAlias gives them. Every request is asked for every header that it has.
func isIdentityHeader(names map[string]bool, name string) bool {
	var alias [64]byte
	if len(name) > len(alias) {
		return names[headerAlias(name)]
	}
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return names[headerAlias(name)]
		}
		alias[i] = byte(aliasOf(rune(name[i])))
	}
	return names[string(alias[:len(name)])]
}

func removeHeaders(h http.Header, names map[string]bool) {
	for name := range h {
		if isIdentityHeader(names, name) {
			delete(h, name)
		}
	}
}

// trailerFilter removes trailers when the body ends, which is when the server adds them.
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

// withoutTokens removes tokens from a list header.
func withoutTokens(values []string, remove func(string) bool) string {
	var kept []string
	for _, value := range values {
		for token := range strings.SplitSeq(value, ",") {
			if token = strings.TrimSpace(token); token != "" && !remove(token) {
				kept = append(kept, token)
			}
		}
	}
	return strings.Join(kept, ", ")
}

// setIdentityHeaders sets the headers of the claims that the token has.
func (b *BearerAuth) setIdentityHeaders(r *http.Request, token *token.AccessToken) {
	for _, c := range b.CopyClaims {
		if value, ok := headerValue(token.Claim(c.Claim)); ok {
			alias := headerAlias(c.Header)
			for name := range r.Header {
				if headerAlias(name) == alias {
					delete(r.Header, name)
				}
			}
			r.Header.Set(c.Header, value)
		}
	}
}

// headerValue is a claim as the value of a header: a string, number or boolean as it is,
// a list of strings joined by commas. Anything else, and whatever could be read in two
// ways or is not printable ASCII, is not sent at all.
func headerValue(claim any) (string, bool) {
	value, ok := token.Scalar(claim)
	if !ok {
		list, ok := claim.([]string)
		if !ok {
			list, ok = token.StringList(claim)
		}
		if !ok || len(list) == 0 {
			return "", false
		}
		if slices.ContainsFunc(list, func(s string) bool {
			return s == "" || strings.Contains(s, ",") || s != strings.TrimSpace(s)
		}) {
			return "", false
		}
		value = strings.Join(list, ",")
	}
	for _, c := range []byte(value) {
		if c < 0x20 || c > 0x7e {
			return "", false
		}
	}
	// HTTP drops spaces around a value, and " alice" is not alice
	return value, value != "" && value == strings.TrimSpace(value)
}

// isReserved tells whether HTTP or a proxy gives a meaning to a name, as headerAlias gives it.
func isReserved(alias string) bool {
	return slices.Contains(reservedHeaders, alias) || strings.HasPrefix(alias, "x-forwarded-") || strings.HasPrefix(alias, "proxy-")
}

// reservedHeaders are names, as headerAlias gives them, that an identity header must not have.
var reservedHeaders = []string{
	"host", "authorization", "connection", "content-length", "transfer-encoding", "cookie",
	"forwarded", "te", "trailer", "upgrade", "keep-alive", "expect", "via", "content-type",
	"set-cookie", "origin", "range", "x-real-ip", "true-client-ip",
	"x-http-method-override", "x-original-url", "x-rewrite-url",
}
