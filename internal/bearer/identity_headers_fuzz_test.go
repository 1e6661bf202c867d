package bearer

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// Whatever a client sends, nothing that an app may take for an identity header is left,
// everything else is, and the Connection header removes none of ours.
func FuzzIdentityHeaders(f *testing.F) {
	f.Add("X-User", "X-User", "admin", "X-User")
	f.Add("X-User", "x_user", "admin", "close, x-user")
	f.Add("X_User", "X-USER", "admin", "keep-alive,,x_user ,\tX-User")
	f.Add("X-User", "X-Users", "1", "X-Users")
	f.Add("x-user", "X_-User", "1", " ")
	f.Fuzz(func(t *testing.T, configured, name, value, connection string) {
		if ValidateCopyClaim("sub", configured) != nil {
			return
		}
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		canonicalName := http.CanonicalHeaderKey(name)
		r.Header = http.Header{"X-Kept": {"1"}, name: {value, value}, canonicalName: {value}, "Connection": {connection, "X-Kept"}}
		r.Trailer = http.Header{name: nil, canonicalName: {value}}
		RemoveIdentityHeaders(r, map[string]bool{HeaderAlias(configured): true})

		ours := func(header string) bool { return HeaderAlias(header) == HeaderAlias(configured) }
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
		if !ours("X-Kept") && !ours(name) && (r.Header["X-Kept"] == nil || r.Header[name] == nil || !isReserved(HeaderAlias(name)) && !slices.Contains(keysOf(r.Trailer), name)) {
			t.Fatalf("too much is removed for %q: %v %v are left", configured, r.Header, r.Trailer)
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
