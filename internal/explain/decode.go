package explain

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/caddygrant/caddy-grant/internal/apikey"
)

// Decoded is what a token says of itself, without a look at its signature: anyone can
// write that. Both are nil if it is not a JWT, and the claims if it is encrypted.
type Decoded struct {
	Header map[string]any
	Claims map[string]any

	payload     []byte // nil if it is not base64url
	dots        int
	isCut       bool // before its signature
	looksSealed bool // as a session cookie does
}

// Decode reads the header and the claims of a token. Numbers stay as they are written.
func Decode(raw string) Decoded {
	d := Decoded{dots: strings.Count(raw, "."), looksSealed: looksSealed(raw)}
	if d.dots != 2 && d.dots != 4 || len(raw) > mostDecoded {
		return d
	}
	parts := strings.Split(raw, ".")
	header, _ := object(parts[0])
	if header == nil || header["alg"] == nil || d.dots == 4 && header["enc"] == nil {
		return d
	}
	if d.Header = header; d.isEncrypted() {
		return d
	}
	d.isCut = parts[2] == ""
	d.Claims, d.payload = object(parts[1])
	return d
}

// object reads a part. The members are nil if it is not a JSON object.
func object(encoded string) (members map[string]any, decoded []byte) {
	decoded, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(decoded))
	decoder.UseNumber()
	if decoder.Decode(&members) != nil {
		return nil, decoded
	}
	return members, decoded
}

func (d Decoded) alg() string { return member(d.Header, "alg") }
func (d Decoded) kid() string { return member(d.Header, "kid") }
func (d Decoded) typ() string { return member(d.Header, "typ") }

// isUnsigned tells whether the token says that there is nothing to verify.
func (d Decoded) isUnsigned() bool { return strings.EqualFold(d.alg(), "none") }

// isEncrypted tells whether it is a JWE (RFC 7516 §7.1), which has five parts.
func (d Decoded) isEncrypted() bool { return d.dots == 4 && d.Header != nil }

// saysRefresh tells whether the token says that it is a refresh token of this module.
func (d Decoded) saysRefresh() bool { return strings.EqualFold(d.typ(), "refresh+jwt") }

// text is a claim that is a string, else empty.
func (d Decoded) text(claim string) string { return member(d.Claims, claim) }

func member(of map[string]any, name string) string {
	text, _ := of[name].(string)
	return text
}

// Clean takes a token out of what people paste: a whole header, quotes, or the answer of
// a token endpoint.
func Clean(input string) string {
	text := strings.TrimSpace(input)
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if strings.HasPrefix(text, "{") && json.Unmarshal([]byte(text), &answer) == nil && answer.AccessToken != "" {
		return answer.AccessToken
	}
	text = strings.Trim(text, `"'`)
	text = authorization.ReplaceAllString(text, "")
	// A header of the operator's choice may have an API key, and nothing else.
	if _, value, ok := strings.Cut(text, ":"); ok && apikey.LooksLike(strings.TrimSpace(value)) {
		text = value
	}
	return strings.TrimSpace(text)
}

var (
	authorization = regexp.MustCompile(`^(?i:authorization:\s*)?(?i:bearer\s+)?`)
	sealed        = regexp.MustCompile(`^(?:[!#$%&'*+.^_|~0-9A-Za-z-]+=)?([A-Za-z0-9_-]+)$`)
)

// looksSealed tells whether a text looks like a session cookie, with its name or without
// it. A count of 150 in the expression would compile to as many states at every start.
func looksSealed(raw string) bool {
	parts := sealed.FindStringSubmatch(raw)
	return parts != nil && len(parts[1]) >= leastSealed
}

const leastSealed = 150

// mostDecoded is more than any server reads.
const mostDecoded = 64 << 10
