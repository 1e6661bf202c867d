package caddygrant

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// Whatever a client sends, nothing of it that an app may take for an identity header is
// left, everything else is, and the Connection header takes none of ours away.
func FuzzIdentityHeaders(f *testing.F) {
	f.Add("X-User", "X-User", "admin", "X-User")
	f.Add("X-User", "x_user", "admin", "close, x-user")
	f.Add("X_User", "X-USER", "admin", "keep-alive,,x_user ,\tX-User")
	f.Add("X-User", "X-Users", "1", "X-Users")
	f.Add("x-user", "X_-User", "1", " ")
	f.Fuzz(func(t *testing.T, configured, name, value, connection string) {
		claim := CopyClaim{Claim: "sub", Header: configured}
		if claim.validate() != nil {
			return
		}
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		canonicalName := http.CanonicalHeaderKey(name)
		r.Header = http.Header{"X-Kept": {"1"}, name: {value, value}, canonicalName: {value}, "Connection": {connection, "X-Kept"}}
		r.Trailer = http.Header{name: nil, canonicalName: {value}}
		state, names := new(bearerState), map[string]bool{headerAlias(configured): true}
		state.removeIdentityHeaders(r, names)

		ours := func(header string) bool { return headerAlias(header) == headerAlias(configured) }
		for header := range r.Header {
			if ours(header) {
				t.Fatalf("%q is left of the headers, for %q", header, configured)
			}
		}
		for header := range r.Trailer {
			if ours(header) {
				t.Fatalf("%q is left of the trailers, for %q", header, configured)
			}
		}
		for _, line := range r.Header["Connection"] {
			for token := range strings.SplitSeq(line, ",") {
				if ours(strings.TrimSpace(token)) {
					t.Fatalf("Connection still has %q, for %q", line, configured)
				}
			}
		}
		if !ours("X-Kept") && !ours(name) && (r.Header["X-Kept"] == nil || r.Header[name] == nil || !isReserved(headerAlias(name)) && !slices.Contains(keysOf(r.Trailer), name)) {
			t.Fatalf("too much is removed for %q: %v %v are left", configured, r.Header, r.Trailer)
		}

		// a second check on the same request leaves what the first one has set
		r.Header.Set(configured, "alice")
		state.removeIdentityHeaders(r, names)
		if got := r.Header.Get(configured); got != "alice" {
			t.Fatalf("a second check leaves %q of %q", got, configured)
		}
	})
}

func keysOf(header http.Header) []string {
	keys := make([]string, 0, len(header))
	for key := range header {
		keys = append(keys, key)
	}
	return keys
}

// Whatever a claim is, what an app gets of it is printable.
func FuzzClaimAsHeader(f *testing.F) {
	for _, value := range []string{`"a"`, `"ä"`, `" a"`, `["a","b"]`, `["a,b"]`, `17.5`, `true`, `{"a":1}`, `"\u0000"`} {
		f.Add([]byte(value))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		token, err := token.ParseAccessToken([]byte(`{"sub":"a","exp":1700000000,"jti":"j","cid":"c","username":"a","sid":"` +
			session.NewID(time.Now()).String() + `","cver":"c","own":` + string(value) + `}`))
		if err != nil {
			return
		}
		for _, name := range []string{"sub", "exp", "own"} {
			if value, ok := headerValue(token.Claim(name)); ok && strings.ContainsFunc(value, func(c rune) bool { return c < 0x20 || c > 0x7e }) {
				t.Fatalf("%s would be sent as the header %q", name, value)
			}
		}
	})
}
