package issuer

import (
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
)

// The attacks of RFC 8725 and others on the header, the key and the signature.
func TestAttacksOnTheSignatureFail(t *testing.T) {
	atClock(t, now)
	ec, rs := es256("ec"), signer{"rsa", "RS256", rsaKey()}
	good := ec.token(claims(nil), nil)
	parts := strings.Split(good, ".")
	public := must(x509.MarshalPKIXPublicKey(rsaKey().Public()))
	asPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	hs256 := func(kid string, secret []byte) string {
		signed := encodeSegment(m{"alg": "HS256", "typ": "JWT", "kid": kid}) + "." + encodeSegment(claims(nil))
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(signed))
		return signed + "." + base64url.EncodeToString(mac.Sum(nil))
	}
	unsigned := func(alg string) string { return encodeSegment(m{"alg": alg, "kid": "ec"}) + "." + parts[1] + "." }
	attacker := signer{"ec", "ES256", otherECKey()}
	signature := must(base64url.DecodeString(parts[2]))
	flipped := append([]byte{signature[0] ^ 1}, signature[1:]...)

	for _, test := range []struct{ name, token, want string }{
		{"alg none without a signature", unsigned("none"), "compact form"},
		{"alg none with a signature", unsigned("none") + parts[2], "not one that is accepted"},
		{"alg None", unsigned("None") + parts[2], "not one that is accepted"},
		{"alg missing", encodeSegment(m{"kid": "ec"}) + "." + parts[1] + "." + parts[2], "not one that is accepted"},
		{"alg empty", unsigned("") + parts[2], "not one that is accepted"},
		{"alg in another case", unsigned("es256") + parts[2], "not one that is accepted"},
		{"HS256 with the public key in PEM as the secret", hs256("rsa", asPEM), "not one that is accepted"},
		{"HS256 with the public key in DER as the secret", hs256("rsa", public), "not one that is accepted"},
		{"HS256 with the modulus as the secret", hs256("rsa", rsaKey().Public().(*rsa.PublicKey).N.Bytes()), "not one that is accepted"},
		{"HS256 with an empty secret", hs256("rsa", nil), "not one that is accepted"},
		{"an algorithm that is not in the list", signer{"rsa", "RS512", rsaKey()}.token(claims(nil), nil), "not one that is accepted"},
		{"an algorithm of another key", rs.token(claims(nil), m{"kid": "ec"}), "no such key"},
		{"the algorithm of another curve", signer{"ec", "ES384", ec384Key()}.token(claims(nil), nil), "not one that is accepted"},
		{"a kid of another issuer", signer{"theirs", "ES256", otherECKey()}.token(claims(nil), nil), "no key with the token's kid"},
		{"a kid in another case", ec.token(claims(nil), m{"kid": "EC"}), "no key with the token's kid"},
		{"a kid that is a path", ec.token(claims(nil), m{"kid": "../../dev/null"}), "no key with the token's kid"},
		{"a kid that is a number", ec.token(claims(nil), m{"kid": 1}), "of its header is duplicated or has the wrong type"},
		{"a kid that is a list", ec.token(claims(nil), m{"kid": []string{"ec"}}), "of its header is duplicated or has the wrong type"},
		{"the kid of ours and the key of another issuer", attacker.token(claims(nil), nil), "does not verify"},
		{"no kid and the key of another issuer", attacker.token(claims(nil), m{"kid": nil}), "does not verify"},
		{"the attacker's key in jwk", attacker.token(claims(nil), m{"jwk": attacker.jwk()}), "does not verify"},
		{"the attacker's key at jku", attacker.token(claims(nil), m{"jku": "https://evil.example/jwks"}), "does not verify"},
		{"the attacker's key at x5u", attacker.token(claims(nil), m{"x5u": "https://evil.example/cert", "x5c": []string{"AA"}}), "does not verify"},
		{"crit", ec.token(claims(nil), m{"crit": []string{"exp"}}), "critical"},
		{"crit empty", ec.token(claims(nil), m{"crit": []string{}}), "critical"},
		{"crit null", ec.tokenOf([]byte(`{"alg":"ES256","kid":"ec","crit":null}`), encodeJSON(claims(nil))), "critical"},
		{"b64 with crit", ec.token(claims(nil), m{"crit": []string{"b64"}, "b64": false}), "critical"},
		{"a duplicate alg", ec.tokenOf([]byte(`{"alg":"none","alg":"ES256","kid":"ec"}`), encodeJSON(claims(nil))), "of its header is duplicated or has the wrong type"},
		{"a duplicate kid", ec.tokenOf([]byte(`{"alg":"ES256","kid":"x","kid":"ec"}`), encodeJSON(claims(nil))), "of its header is duplicated or has the wrong type"},
		{"a header with more than one value", ec.tokenOf([]byte(`{"alg":"ES256","kid":"ec"}{}`), encodeJSON(claims(nil))), "compact form"},
		{"a header that is null", ec.tokenOf([]byte(`null`), encodeJSON(claims(nil))), "compact form"},
		{"a header that is a list", ec.tokenOf([]byte(`[]`), encodeJSON(claims(nil))), "compact form"},
		{"a header that is not UTF-8", ec.tokenOf([]byte("{\"alg\":\"ES256\",\"kid\":\"ec\",\"x\":\"\xff\"}"), encodeJSON(claims(nil))), "compact form"},
		{"typ of an ID token of CAEP", ec.token(claims(nil), m{"typ": "secevent+jwt"}), "typ is not"},
		{"typ of a logout token", ec.token(claims(nil), m{"typ": "logout+jwt"}), "typ is not"},
		{"typ of a DPoP proof", ec.token(claims(nil), m{"typ": "dpop+jwt"}), "typ is not"},
		{"typ of a client assertion", ec.token(claims(nil), m{"typ": "client-authentication+jwt"}), "typ is not"},
		{"typ of an authorization request", ec.token(claims(nil), m{"typ": "oauth-authz-req+jwt"}), "typ is not"},
		{"typ of an introspection response", ec.token(claims(nil), m{"typ": "token-introspection+jwt"}), "typ is not"},
		{"typ of our refresh tokens", ec.token(claims(nil), m{"typ": "rt+jwt"}), "typ is not"},
		{"typ that is a number", ec.token(claims(nil), m{"typ": 1}), "of its header is duplicated or has the wrong type"},
		{"a changed signature", parts[0] + "." + parts[1] + "." + base64url.EncodeToString(flipped), "does not verify"},
		{"a signature that is cut off", good[:len(good)-2], "does not verify"},
		{"a signature with more after it", good + "AAAA", "does not verify"},
		{"a signature in DER", derOf(good), "does not verify"},
		{"other claims under the signature", parts[0] + "." + encodeSegment(claims(m{"sub": "admin"})) + "." + parts[2], "does not verify"},
		{"another header under the signature", encodeSegment(m{"alg": "ES256", "kid": "ec", "a": 1}) + "." + parts[1] + "." + parts[2], "does not verify"},
		{"padding", good + "==", "compact form"},
		{"stray bits at the end", strayBits(good), "compact form"},
		{"a line break", good[:20] + "\n" + good[20:], "compact form"},
		{"a carriage return", good + "\r", "compact form"},
		{"a space", good + " ", "compact form"},
		{"standard base64", ec.token(claims(nil), nil) + "+/", "compact form"},
		{"two parts", parts[0] + "." + parts[1], "compact form"},
		{"four parts", good + ".AA", "compact form"},
		{"an encrypted token", good + ".AA.AA", "compact form"},
		{"JSON serialization", `{"payload":"` + parts[1] + `"}`, "compact form"},
		{"empty", "", "compact form"},
		{"dots", "..", "compact form"},
		{"a token of a megabyte", strings.Repeat("A", 1<<20), "longer than 16 KiB"},
		{"a token just too long", ec.token(claims(m{"groups": strings.Repeat("g", 3*MaxTokenLength/4)}), nil), "longer than 16 KiB"},
	} {
		t.Run(test.name, func(t *testing.T) {
			i := newIssuer(t, keysOf(t, ec, rs), nil)
			for range 2 { // what is refused is not remembered
				got, err := i.Check(t.Context(), test.token)
				wantRefused(t, got, err, test.want)
			}
		})
	}
	i := newIssuer(t, keysOf(t, ec, rs), nil)
	for _, raw := range []string{good, rs.token(claims(nil), nil), ec.token(claims(m{"groups": strings.Repeat("g", 11<<10)}), nil)} {
		if _, err := i.Check(t.Context(), raw); err != nil {
			t.Errorf("without an attack: %v", err)
		}
	}
}

// derOf is a token of ES256 with its signature in ASN.1.
func derOf(raw string) string {
	end := strings.LastIndexByte(raw, '.') + 1
	signature := must(base64url.DecodeString(raw[end:]))
	integer := func(b []byte) []byte { return append([]byte{2, 33, 0}, b...) }
	der := append(integer(signature[:32]), integer(signature[32:])...)
	return raw[:end] + base64url.EncodeToString(append([]byte{0x30, byte(len(der))}, der...))
}

// strayBits is a token of ES256 with a bit set beyond the end of its signature.
func strayBits(raw string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, raw[len(raw)-1])
	return raw[:len(raw)-1] + string(alphabet[last|1])
}

func TestWeakKeysDoNotVerify(t *testing.T) {
	atClock(t, now)
	weak := signer{"weak", "RS256", weakRSAKey()}
	i := newIssuer(t, keysOf(t, weak, es256("k")), nil)
	got, err := i.Check(t.Context(), weak.token(claims(nil), nil))
	wantRefused(t, got, err, "no key with the token's kid")
}
