package outside

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"time"
)

// Token is a token before it is signed.
type Token struct {
	Key     *Key
	Header  map[string]any // alg and kid are the key's, unless they are here
	Claims  map[string]any
	More    string // text after the last claim, such as a duplicate: `,"sub":"bob"`
	Payload string // in place of all claims
	Sign    func(input []byte) []byte
}

// Change is what a test has different in a token.
type Change func(*Token)

// Token is an access token of the user alice as RFC 9068 has it, by the key that signs
// now, with changes.
func (i *Issuer) Token(changes ...Change) string {
	i.t.Helper()
	now := time.Now()
	token := &Token{
		Key:    i.Key(),
		Header: map[string]any{"typ": "at+jwt"},
		Claims: map[string]any{
			"iss": i.URL, "sub": "alice", "aud": Audience, "client_id": "phone", "scope": "contacts.read",
			"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "jti": rand.Text(),
		},
	}
	for _, change := range changes {
		change(token)
	}
	signed, err := token.compact()
	if err != nil {
		i.t.Fatalf("signing a token: %v", err)
	}
	return signed
}

func (t *Token) compact() (string, error) {
	header := map[string]any{"alg": t.Key.Algorithm, "kid": t.Key.ID}
	maps.Copy(header, t.Header)
	maps.DeleteFunc(header, func(_ string, value any) bool { return value == nil })
	encodedHeader, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	payload := []byte(t.Payload)
	if t.Payload == "" {
		if payload, err = json.Marshal(t.Claims); err != nil {
			return "", err
		}
		payload = append(append(payload[:len(payload)-1], t.More...), '}')
	}
	input := base64.RawURLEncoding.EncodeToString(encodedHeader) + "." + base64.RawURLEncoding.EncodeToString(payload)
	if t.Sign != nil {
		return input + "." + base64.RawURLEncoding.EncodeToString(t.Sign([]byte(input))), nil
	}
	algorithm, _ := header["alg"].(string)
	signature, err := t.Key.sign(algorithm, []byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), err
}

// Claim sets a claim, to json.RawMessage as it is written.
func Claim(name string, value any) Change { return func(t *Token) { t.Claims[name] = value } }

// Without takes claims out.
func Without(names ...string) Change {
	return func(t *Token) {
		for _, name := range names {
			delete(t.Claims, name)
		}
	}
}

// Header sets a header parameter, or takes it out if the value is nil.
func Header(name string, value any) Change { return func(t *Token) { t.Header[name] = value } }

// By signs with another key, under its id and algorithm.
func By(key *Key) Change { return func(t *Token) { t.Key = key } }

// ByInNameOf signs with another key, and says that it is this one.
func ByInNameOf(key, named *Key) Change {
	return func(t *Token) { t.Key = key.As(named.ID, "") }
}

// ByHMAC signs with a secret (HS256 and others).
func ByHMAC(algorithm string, secret []byte) Change {
	return func(t *Token) {
		t.Header["alg"] = algorithm
		t.Sign = func(input []byte) []byte { return authenticated(algorithm, secret, input) }
	}
}

// Unsigned has that algorithm and no signature.
func Unsigned(algorithm string) Change {
	return func(t *Token) {
		t.Header["alg"] = algorithm
		t.Sign = func([]byte) []byte { return nil }
	}
}

// IDToken is a token of OpenID Connect Core §2 for a client, in place of the access
// token.
func IDToken(audience string) Change {
	return func(t *Token) {
		t.Header["typ"] = "JWT"
		t.Claims["aud"] = audience
		t.Claims["nonce"], t.Claims["at_hash"] = "n-0S6_WzA2Mj", "77QmUPtjPfzWtF2AnpK9RQ"
		for _, name := range []string{"client_id", "scope", "jti"} {
			delete(t.Claims, name)
		}
	}
}

// OfClient is a token of a client that acts for itself (RFC 9068 §2.2).
func OfClient(id string) Change {
	return func(t *Token) { t.Claims["sub"], t.Claims["client_id"] = id, id }
}

// FromNow is a NumericDate.
func FromNow(d time.Duration) int64 { return time.Now().Add(d).Unix() }
