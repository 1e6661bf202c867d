// Package compact takes signed tokens in compact form apart (RFC 7515 §7.1), so that
// each token has one spelling only. It verifies nothing.
package compact

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"

	// Unlike encoding/json it refuses a duplicate member and tells "alg" from "ALG".
	strictjson "github.com/go-jose/go-jose/v4/json"
)

// Parts are the three encoded parts of a token, none of them empty.
type Parts struct{ Header, Payload, Signature string }

// Split cuts a token of at most limit bytes at its two dots; false if it is not one.
// Before anything looks into it, its length is checked, and that it has no line breaks,
// which the decoder skips; the decoder refuses all other bytes that are not base64url.
func Split(token string, limit int) (parts Parts, ok bool) {
	if len(token) > limit || strings.IndexByte(token, '\n') >= 0 || strings.IndexByte(token, '\r') >= 0 {
		return parts, false
	}
	parts.Header, token, _ = strings.Cut(token, ".")
	parts.Payload, parts.Signature, _ = strings.Cut(token, ".")
	return parts, parts.Header != "" && parts.Payload != "" && parts.Signature != "" && !strings.Contains(parts.Signature, ".")
}

// base64url accepts one spelling of every value: no padding, and no bits set beyond its
// end.
var base64url = base64.RawURLEncoding.Strict()

// Decode decodes a part.
func Decode(part string) ([]byte, error) { return base64url.DecodeString(part) }

// Header is what is read of a token's header. Other members, such as jku, jwk and x5u,
// are ignored: keys come only from the verifier (RFC 8725 §3.10).
type Header struct {
	Algorithm string          `json:"alg"`
	KeyID     string          `json:"kid"`
	Type      string          `json:"typ"`
	Critical  json.RawMessage `json:"crit"` // not nil for null either
}

// ReadHeader reads an encoded header; false if it is not a JSON object, or has a
// duplicate or malformed member: [IsObject] tells which.
func ReadHeader(part string) (*Header, bool) {
	decoded, err := Decode(part)
	if err != nil {
		return nil, false
	}
	// The decoder reads invalid UTF-8 as U+FFFD, and null as an object without members.
	var h *Header
	if !utf8.Valid(decoded) || strictjson.Unmarshal(decoded, &h) != nil || h == nil {
		return nil, false
	}
	return h, true
}

// IsObject tells whether a part is a JSON object in UTF-8, with whatever members.
func IsObject(part string) bool {
	decoded, err := Decode(part)
	var members map[string]json.RawMessage
	return err == nil && utf8.Valid(decoded) && json.Unmarshal(decoded, &members) == nil && members != nil
}
