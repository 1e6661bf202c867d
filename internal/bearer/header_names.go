package bearer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/caddygrant/caddy-grant/internal/token"
)

// ValidateCopyClaim checks that a claim may be copied to an identity header.
func ValidateCopyClaim(claim, header string) error {
	if claim == "" {
		return errors.New("copy_claims: a claim has no name: write claim>Header, such as sub>X-User")
	}
	if err := token.CheckClaimName(claim); err != nil {
		return fmt.Errorf("copy_claims: %w", err)
	}
	if !httpguts.ValidHeaderFieldName(header) {
		return fmt.Errorf("copy_claims: %q is not the name of a header", header)
	}
	if isReserved(HeaderAlias(header)) {
		return fmt.Errorf("copy_claims: the header %s has a meaning of its own: choose another name, such as X-User", header)
	}
	return nil
}

// ValidateKeyHeader checks that API keys may be sent in a header.
func ValidateKeyHeader(header string) error {
	if !httpguts.ValidHeaderFieldName(header) {
		return fmt.Errorf("keys: %q is not the name of a header", header)
	}
	// Caddy drops those with _ and . before any handler, against CGI's confusions
	if i := strings.IndexFunc(header, func(c rune) bool { return c != '-' && aliasOf(c) == '-' }); i >= 0 {
		return fmt.Errorf("keys: the header %s has a %c in its name, and Caddy and other servers drop such headers, or take them for others: write %s", header, header[i], hyphenated(header))
	}
	if isReserved(HeaderAlias(header)) {
		return fmt.Errorf("keys: the header %s has a meaning of its own: choose another name, such as X-API-Key, or leave it out for Bearer credentials", header)
	}
	return nil
}

// hyphenated is a name with - in place of what is neither a letter nor a digit.
func hyphenated(name string) string {
	return strings.Map(func(c rune) rune {
		if aliasOf(c) == '-' {
			return '-'
		}
		return c
	}, name)
}

// HeaderAlias is what a header's name has in common with every name that an app may
// take for the same: CGI, WSGI and PHP write X-User, X_User and X.User alike, and some
// do so with any character that is neither a letter nor a digit.
func HeaderAlias(name string) string { return strings.Map(aliasOf, name) }

func aliasOf(c rune) rune {
	switch {
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return c
	case 'A' <= c && c <= 'Z':
		return c - 'A' + 'a'
	}
	return '-'
}

// isIdentityHeader tells whether an app may take a header for one of these names, which
// are as HeaderAlias gives them. It is called for every header of every request.
func isIdentityHeader(names map[string]bool, name string) bool {
	var alias [64]byte
	if len(name) > len(alias) {
		return names[HeaderAlias(name)]
	}
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return names[HeaderAlias(name)]
		}
		alias[i] = byte(aliasOf(rune(name[i])))
	}
	return names[string(alias[:len(name)])]
}

// isReserved tells whether a name, as HeaderAlias gives it, has a meaning to HTTP or to
// a proxy.
func isReserved(alias string) bool {
	return slices.Contains(reservedHeaders, alias) || strings.HasPrefix(alias, "x-forwarded-") || strings.HasPrefix(alias, "proxy-")
}

// reservedHeaders are names, as HeaderAlias gives them, that an identity header must
// not have.
var reservedHeaders = []string{
	"host", "authorization", "connection", "content-length", "transfer-encoding", "cookie",
	"forwarded", "te", "trailer", "upgrade", "keep-alive", "expect", "via", "content-type",
	"set-cookie", "origin", "range", "x-real-ip", "true-client-ip",
	"x-http-method-override", "x-original-url", "x-rewrite-url",
}
