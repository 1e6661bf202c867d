package bearer

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// The algorithm is that of the key, whatever a token says of itself (RFC 8725 §3.1).
func TestATokenDoesNotChooseItsAlgorithm(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	s := harness.NewSite(t)
	s.Write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	s.Reload("", `http://127.0.0.1:%PORT% {
	token_endpoint {
		signing_key RS256 file "%DIR%/key.pem"
		client web {
			secret web-secret
		}
		user alice `+harness.HashCheap+`
	}
	bearer_auth /app
	respond /app "in"
}
`)
	token := s.Login("alice", "correct horse").Text(t, "access_token")
	parts := strings.Split(token, ".")
	header := make(map[string]string)
	if decoded, err := base64.RawURLEncoding.DecodeString(parts[0]); err != nil || json.Unmarshal(decoded, &header) != nil {
		t.Fatalf("the header of %s", token)
	}
	as := func(algorithm string, sign func(signed string) []byte) string {
		header["alg"] = algorithm
		encoded, err := json.Marshal(header)
		if err != nil {
			t.Fatal(err)
		}
		signed := base64.RawURLEncoding.EncodeToString(encoded) + "." + parts[1]
		return signed + "." + base64.RawURLEncoding.EncodeToString(sign(signed))
	}
	nothing := func(string) []byte { return nil }
	something := func(string) []byte { return []byte("x") }
	keyed := func(secret []byte) func(string) []byte {
		return func(signed string) []byte {
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(signed))
			return mac.Sum(nil)
		}
	}
	tests := map[string]string{
		"I9: HS256 with the public key in PEM as the secret": as("HS256", keyed(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))),
		"I9: HS256 with the public key in DER as the secret": as("HS256", keyed(public)),
		"I9: HS256 with the modulus as the secret":           as("HS256", keyed(key.N.Bytes())),
		"I9: HS256 with an empty secret":                     as("HS256", keyed(nil)),
		"I9: PS256 with the key of RS256": as("PS256", func(signed string) []byte {
			digest := sha256.Sum256([]byte(signed))
			signature, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], nil)
			if err != nil {
				t.Fatal(err)
			}
			return signature
		}),
		"I9: no signature at all": strings.Join(parts[:2], ".") + ".",
	}
	for _, none := range []string{"none", "None", "NONE", "nOnE", "none ", ""} {
		tests["I9: the algorithm "+none+", unsigned"] = as(none, nothing)
		tests["I9: the algorithm "+none+", with a signature"] = as(none, something)
	}
	for name, forged := range tests {
		t.Run(name, func(t *testing.T) {
			s.Do(s.Request("GET", "/app", "", "Authorization: Bearer "+forged)).Want(t, 401, "")
		})
	}
	s.Do(s.Request("GET", "/app", "", "Authorization: Bearer "+token)).Want(t, 200, "")
}
