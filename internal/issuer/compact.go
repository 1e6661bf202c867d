package issuer

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/caddygrant/caddy-grant/internal/token"
)

// MaxTokenLength is the length in bytes of the longest token that is looked at. Some
// issuers put the names of all groups of a user into it.
const MaxTokenLength = 16 << 10

// base64url accepts one spelling of every value: no padding, and no bits set beyond its
// end.
var base64url = base64.RawURLEncoding.Strict()

// compact is a token in compact form (RFC 7515 §7.1), in its three encoded parts.
type compact struct {
	header, payload, signature string
}

// split cuts a token at its two dots. Its length is checked before anything looks into
// it, and that it has no line breaks, which the decoder skips; the decoder refuses all
// other bytes that are not base64url.
func split(raw string) (parts compact, ok bool) {
	if len(raw) > MaxTokenLength || strings.ContainsAny(raw, "\r\n") {
		return parts, false
	}
	parts.header, raw, _ = strings.Cut(raw, ".")
	parts.payload, parts.signature, _ = strings.Cut(raw, ".")
	return parts, parts.header != "" && parts.payload != "" && parts.signature != "" && !strings.Contains(parts.signature, ".")
}

// header is what is read of a token's header. Other members, such as jku, jwk and x5u,
// are ignored: keys come only from the issuer (RFC 8725 §3.10).
type header struct {
	Algorithm string          `json:"alg"`
	KeyID     string          `json:"kid"`
	Type      string          `json:"typ"`
	Critical  json.RawMessage `json:"crit"` // not nil for null either
}

// readHeader reads an encoded header and what it says of the key and the type.
func readHeader(encoded string) (*header, error) {
	decoded, err := base64url.DecodeString(encoded)
	if err != nil {
		return nil, errMalformed
	}
	// The decoder reads invalid UTF-8 as U+FFFD, and null as an object without members.
	var h *header
	if !utf8.Valid(decoded) || token.DecodeStrictly(decoded, &h) != nil || h == nil {
		return nil, errMalformed
	}
	if h.Critical != nil {
		return nil, token.Error("the token has a critical header")
	}
	switch h.Type = strings.ToLower(h.Type); h.Type {
	case "", "jwt", "at+jwt":
	case "application/at+jwt":
		h.Type = "at+jwt"
	default:
		return nil, token.Error("typ is not that of an access token")
	}
	return h, nil
}

// isAccessToken tells whether a token is one of RFC 9068 by its type.
func (h *header) isAccessToken() bool { return h.Type == "at+jwt" }

// ClaimedIssuer is the `iss` of a token, which is not verified: it is only to choose by
// which issuer to judge the token. It returns false if there is none.
func ClaimedIssuer(raw string) (string, bool) {
	parts, ok := split(raw)
	if !ok {
		return "", false
	}
	payload, err := base64url.DecodeString(parts.payload)
	if err != nil || !utf8.Valid(payload) {
		return "", false
	}
	// Into a struct, in which other claims are skipped and take no memory.
	var claims struct {
		Issuer string `json:"iss"`
	}
	if token.DecodeStrictly(payload, &claims) != nil {
		return "", false
	}
	return claims.Issuer, claims.Issuer != ""
}

const errMalformed = token.Error("not a signed token in compact form")
