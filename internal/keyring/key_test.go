package keyring

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// generate fails the test rather than return an error.
func generate(t testing.TB, a Algorithm) *Key {
	t.Helper()
	k, err := GenerateKey(a)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(t testing.TB, k *Key, typ string) string {
	t.Helper()
	return signPayload(t, k, typ, `{"exp":4102444800,"sub":"alice"}`)
}

func signPayload(t testing.TB, k *Key, typ, payload string) string {
	t.Helper()
	ring, err := NewRing(typ, k)
	if err != nil {
		t.Fatal(err)
	}
	return signWith(t, ring, []byte(payload))
}

func signWith(t testing.TB, ring *Ring, payload []byte) string {
	t.Helper()
	var token bytes.Buffer
	if err := ring.Sign(&token, payload); err != nil {
		t.Fatal(err)
	}
	return token.String()
}

// verificationKey is what an app would verify with: the published key, found by kid, or
// the shared secret.
func verificationKey(t *testing.T, k *Key) any {
	t.Helper()
	if k.Algorithm().Symmetric() {
		return k.private().([]byte)
	}
	ring, err := NewRing("JWT", k)
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(ring.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	keys := set.Key(k.ID())
	if len(keys) != 1 || keys[0].Algorithm != string(k.Algorithm()) {
		t.Fatalf("kid %s is not resolved in %s", k.ID(), ring.JWKS())
	}
	return keys[0].Key
}

// H1, H2, H11: alg, typ and kid of the header, and a kid that the JWKS resolves.
func TestTokensOfEveryAlgorithmVerifyWithGoJoseAndGolangJWT(t *testing.T) {
	for _, p := range profiles {
		t.Run(string(p.algorithm), func(t *testing.T) {
			k := generate(t, p.algorithm)
			if k.Algorithm() != p.algorithm {
				t.Fatalf("algorithm %s", k.Algorithm())
			}
			verify := verificationKey(t, k)
			for _, typ := range []string{"JWT", "at+jwt", "refresh+jwt"} {
				token := sign(t, k, typ)

				parsed, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return verify, nil },
					jwt.WithValidMethods([]string{string(p.algorithm)}))
				if err != nil {
					t.Fatal("golang-jwt:", err)
				}
				want := map[string]any{"alg": string(p.algorithm), "typ": typ, "kid": k.ID()}
				if len(parsed.Header) != len(want) {
					t.Errorf("header %v, want %v", parsed.Header, want)
				}
				for name, value := range want {
					if parsed.Header[name] != value {
						t.Errorf("header %s is %v, want %v", name, parsed.Header[name], value)
					}
				}

				signature, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(p.algorithm)})
				if err != nil {
					t.Fatal("go-jose:", err)
				}
				payload, err := signature.Verify(verify)
				if err != nil {
					t.Fatal("go-jose:", err)
				}
				if string(payload) != `{"exp":4102444800,"sub":"alice"}` {
					t.Errorf("payload %s", payload)
				}
			}
		})
	}
}

func TestSignatureOfAnotherKeyDoesNotVerify(t *testing.T) {
	token := sign(t, generate(t, "ES256"), "JWT")
	other := verificationKey(t, generate(t, "ES256"))
	if _, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return other, nil }); err == nil {
		t.Error("accepted")
	}
}

// A token with n−s in place of s is another string that verifies equally; a checker can
// refuse it only if we never make one.
func TestECDSASignaturesAlwaysHaveTheLowerS(t *testing.T) {
	for _, a := range []Algorithm{"ES256", "ES384", "ES512"} {
		t.Run(string(a), func(t *testing.T) {
			k := generate(t, a)
			p, _ := a.profile()
			half := new(big.Int).Rsh(p.curve.Params().N, 1)
			for range 64 {
				token := sign(t, k, "JWT")
				input, encoded := token[:strings.LastIndexByte(token, '.')], token[strings.LastIndexByte(token, '.')+1:]
				signature, err := base64.RawURLEncoding.DecodeString(encoded)
				if err != nil {
					t.Fatal(err)
				}
				if want := 2 * ((p.curve.Params().BitSize + 7) / 8); len(signature) != want {
					t.Fatalf("%d bytes, want %d", len(signature), want)
				}
				if s := new(big.Int).SetBytes(signature[len(signature)/2:]); s.Cmp(half) > 0 || s.Sign() == 0 {
					t.Fatalf("s is %x", s)
				}
				if err := p.method.Verify(input, signature, k.public); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// H10.
func TestHMACSecretsAreLiteralAndAtLeastAsLongAsTheHash(t *testing.T) {
	tests := []struct {
		name   string
		a      Algorithm
		secret string
		err    string // a part of it; empty: accepted
	}{
		{"HS256 with 32 bytes", "HS256", strings.Repeat("s", 32), ""},
		{"HS256 with 31 bytes", "HS256", strings.Repeat("s", 31), "HS256 needs a secret of at least 32 bytes, this one has 31"},
		{"HS384 with 48 bytes", "HS384", strings.Repeat("s", 48), ""},
		{"HS384 with 47 bytes", "HS384", strings.Repeat("s", 47), "at least 48 bytes"},
		{"HS512 with 64 bytes", "HS512", strings.Repeat("s", 64), ""},
		{"HS512 with 63 bytes", "HS512", strings.Repeat("s", 63), "at least 64 bytes"},
		{"an empty secret", "HS256", "", "this one has 0"},
		{"spaces and NUL are kept", "HS256", " " + strings.Repeat("\x00", 30) + "\n", ""},
		{"a public key in PEM", "HS256", "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE", "is a PEM file"},
		{"an algorithm with a private key", "ES256", strings.Repeat("s", 64), "choose HS256, HS384, HS512"},
		{"an unknown algorithm", "HS1", strings.Repeat("s", 64), "use one of HS256"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k, err := NewHMACKey(test.a, []byte(test.secret))
			checkError(t, err, test.err)
			if test.secret != "" && err != nil && strings.Contains(err.Error(), test.secret) {
				t.Error("the error shows the secret")
			}
			if err == nil && string(verificationKey(t, k).([]byte)) != test.secret {
				t.Error("the secret is changed")
			}
		})
	}
}

func TestHMACKeyKeepsItsOwnCopyOfTheSecret(t *testing.T) {
	secret := bytes.Repeat([]byte("s"), 32)
	k, err := NewHMACKey("HS256", secret)
	if err != nil {
		t.Fatal(err)
	}
	before := sign(t, k, "JWT")
	clear(secret)
	if sign(t, k, "JWT") != before {
		t.Error("the token changed with the caller's slice")
	}
}

// L9.
func TestKeyIDOfAnHMACKeyIsNotAPlainDigestOfTheSecret(t *testing.T) {
	secret := []byte("0123456789abcdef0123456789abcdef")
	k, err := NewHMACKey("HS256", secret)
	if err != nil {
		t.Fatal(err)
	}
	plain := sha256.Sum256([]byte(`{"k":"` + base64.RawURLEncoding.EncodeToString(secret) + `","kty":"oct"}`))
	if k.ID() == base64.RawURLEncoding.EncodeToString(plain[:]) {
		t.Error("kid is the thumbprint of the secret")
	}
	// Fixed: another node, and the next release, must find the same.
	if want := "gvZoFf5wfzVjA8BJmZmrWY-GB10q1YzQ62FpgK7FO4c"; k.ID() != want {
		t.Errorf("kid %s, want %s", k.ID(), want)
	}
}

// L9: the examples of RFC 7638 §3.1 and RFC 8037 §A.3.
func TestKeyIDIsTheThumbprintOfTheRFCs(t *testing.T) {
	const rfc7638 = `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`
	var jwk jose.JSONWebKey
	if err := json.Unmarshal([]byte(rfc7638), &jwk); err != nil {
		t.Fatal(err)
	}
	digest, err := thumbprint(jwk.Key)
	if err != nil {
		t.Fatal(err)
	}
	if got := base64.RawURLEncoding.EncodeToString(digest); got != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Errorf("RFC 7638: %s", got)
	}

	seed, err := base64.RawURLEncoding.DecodeString("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
	if err != nil {
		t.Fatal(err)
	}
	p, _ := Algorithm("EdDSA").profile()
	k, err := newKey(p, ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	if k.ID() != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" {
		t.Errorf("RFC 8037: %s", k.ID())
	}
}

func TestRSAKeysOutOfBoundsAreRefused(t *testing.T) {
	p, _ := Algorithm("RS256").profile()
	for _, bits := range []uint{2047, 8193} {
		public := rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), bits-1), E: 65537}
		_, err := newKey(p, &rsa.PrivateKey{PublicKey: public})
		checkError(t, err, "it must have 2048 to 8192 bits")
	}
}

func checkError(t *testing.T, err error, part string) {
	t.Helper()
	switch {
	case part == "" && err != nil:
		t.Fatal(err)
	case part != "" && err == nil:
		t.Fatal("accepted, want an error with:", part)
	case part != "" && !strings.Contains(err.Error(), part):
		t.Fatalf("error %q, want in it %q", err, part)
	}
}

// usualPayload is about what an access token has.
var usualPayload = []byte(`{
	"iss": "https://api.example.com", "aud": "https://api.example.com", "sub": "512a7a3c", "username": "alice",
	"exp": 1790003600, "iat": 1790000000, "nbf": 1790000000, "jti": "3f786850e387550fdab836ed7e6dc881de23001b",
	"cid": "web", "client_id": "web", "scope": "contacts.read contacts.write",
	"sid": "20261222-89e6c98d92887913cadf06b2adb97f26cde4849b", "cver": "1f40fc92da241694750979ee6cf582f2"
}`)

func BenchmarkSign(b *testing.B) {
	for _, a := range []Algorithm{"HS256", "ES256", "EdDSA", "RS256"} {
		b.Run(string(a), func(b *testing.B) {
			ring, err := NewRing("JWT", generate(b, a))
			if err != nil {
				b.Fatal(err)
			}
			var token bytes.Buffer
			b.ReportAllocs()
			for b.Loop() {
				token.Reset()
				if err := ring.Sign(&token, usualPayload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, a := range []Algorithm{"HS256", "ES256", "EdDSA", "RS256"} {
		b.Run(string(a), func(b *testing.B) {
			ring, err := NewRing("JWT", generate(b, a))
			if err != nil {
				b.Fatal(err)
			}
			token := signWith(b, ring, usualPayload)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := ring.Verify(token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
