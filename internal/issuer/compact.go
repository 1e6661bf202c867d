package issuer

import (
	"strings"
	"unicode/utf8"

	"github.com/caddygrant/caddy-grant/internal/compact"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// MaxTokenLength is the length in bytes of the longest token that is looked at. Some
// issuers put the names of all groups of a user into it.
const MaxTokenLength = 16 << 10

// readHeader reads an encoded header and what it says of the key and the type.
func readHeader(encoded string) (*compact.Header, error) {
	h, ok := compact.ReadHeader(encoded)
	switch {
	case !ok && compact.IsObject(encoded):
		return nil, token.Error("a member of its header is duplicated or has the wrong type")
	case !ok:
		return nil, errMalformed
	}
	if h.Critical != nil {
		return nil, token.Error("the token has a critical header")
	}
	switch h.Type = strings.ToLower(h.Type); h.Type {
	case "", "jwt", "at+jwt":
	case "application/jwt": // RFC 7515 §4.1.9
		h.Type = "jwt"
	case "application/at+jwt":
		h.Type = "at+jwt"
	default:
		return nil, token.Error("typ is not that of an access token")
	}
	return h, nil
}

// isAccessToken tells whether a token is one of RFC 9068 by its type.
func isAccessToken(h *compact.Header) bool { return h.Type == "at+jwt" }

// ClaimedIssuer is the `iss` of a token, which is not verified: it is only to choose by
// which issuer to judge the token. It is empty if there is none, or if it is not a token at
// all. An error is the reason why no issuer can be chosen.
func ClaimedIssuer(raw string) (string, error) {
	if len(raw) > MaxTokenLength {
		return "", errTooLong
	}
	parts, ok := compact.Split(raw, MaxTokenLength)
	if !ok {
		return "", nil
	}
	payload, err := compact.Decode(parts.Payload)
	if err != nil {
		return "", nil
	}
	// Into a struct, in which other claims are skipped and take no memory.
	var claims *struct {
		Issuer any `json:"iss"`
	}
	if !utf8.Valid(payload) || token.DecodeStrictly(payload, &claims) != nil || claims == nil {
		if !compact.IsObject(parts.Header) {
			return "", nil
		}
		return "", errClaims
	}
	url, _ := claims.Issuer.(string)
	return url, nil
}

const (
	errMalformed = token.Error("not a signed token in compact form")
	errTooLong   = token.Error("it is longer than 16 KiB, the maximum for a token of an outside issuer")
	errClaims    = token.Error("its claims are not a JSON object, or a claim is duplicated")
)
