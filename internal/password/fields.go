package password

import (
	"encoding/base64"
	"strings"
)

// The fields of an encoded hash, whatever its scheme.

// only reports whether s has only characters of the alphabet.
func only(s, alphabet string) bool {
	return strings.Trim(s, alphabet) == ""
}

// number reads a decimal number without sign and leading zeros that is from low to
// high, 9 digits at most.
func number(s string, low, high uint32) (uint32, bool) {
	if s == "" || len(s) > 9 || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	var n uint32
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + uint32(s[i]-'0')
	}
	return n, low <= n && n <= high
}

// decode reads base64 of low to high bytes and refuses a second spelling of the same
// bytes: spare bits that are set, and line breaks, which encoding/base64 skips even
// when it is strict.
func decode(encoding *base64.Encoding, s string, low, high int) ([]byte, bool) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	b, err := encoding.Strict().DecodeString(s)
	return b, err == nil && low <= len(b) && len(b) <= high
}
