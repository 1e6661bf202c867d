package nodes

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// A second node and a restart sign with the key that the first one generated.
func TestProcessesShareGeneratedKeys(t *testing.T) {
	t.Parallel()
	s := harness.NewSite(t)
	config := s.Write("Caddyfile", s.Expand(`{
	admin off
	persist_config off
	storage file_system "%DIR%/storage"
}
`+harness.BasicSite))
	p := harness.StartProcess(t, s.Dir, config)
	first := s.Do(s.Request("GET", "/token/jwks", "")).Body
	p.Stop()
	harness.StartProcess(t, s.Dir, config)
	second := s.Do(s.Request("GET", "/token/jwks", "")).Body
	if string(first) != string(second) {
		t.Fatalf("keys changed from %s to %s", first, second)
	}
}

// keyFiles writes a private key of every kind in every encoding to the test's
// directory.
func keyFiles(t *testing.T, s *harness.Site) {
	t.Helper()
	block := func(name, kind string, der []byte, err error) {
		if err != nil {
			t.Fatal(err)
		}
		s.Write(name, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
	}
	pkcs8 := func(name string, key any) {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		block(name, "PRIVATE KEY", der, err)
	}
	for name, bits := range map[string]int{"rsa": 2048, "rsa-1024": 1024} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		pkcs8(name+".pkcs8", key)
		block(name+".pkcs1", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), nil)
		public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		block(name+".public", "PUBLIC KEY", public, err)
	}
	for name, curve := range map[string]elliptic.Curve{"p224": elliptic.P224(), "p256": elliptic.P256(), "p384": elliptic.P384(), "p521": elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		pkcs8(name+".pkcs8", key)
		der, err := x509.MarshalECPrivateKey(key)
		block(name+".sec1", "EC PRIVATE KEY", der, err)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8("ed25519.pkcs8", key)
}

// secret64 is long enough for every HMAC algorithm.
var secret64 = strings.Repeat("0123456789abcdef", 4)

// Every algorithm signs, with a key that is generated and with keys in files.
func TestSigningAlgorithms(t *testing.T) {
	s := harness.NewSite(t)
	keyFiles(t, s)
	t.Setenv("GRANT_KEY", secret64)
	keys := map[string][]string{
		"HS256": {"", " " + secret64, " {env.GRANT_KEY}"},
		"HS384": {"", " " + secret64},
		"HS512": {"", " " + secret64},
		"ES256": {"", " file %DIR%/p256.pkcs8", " file %DIR%/p256.sec1"},
		"ES384": {"", " file %DIR%/p384.pkcs8", " file %DIR%/p384.sec1"},
		"ES512": {"", " file %DIR%/p521.pkcs8", " file %DIR%/p521.sec1"},
		"EdDSA": {"", " file %DIR%/ed25519.pkcs8"},
		"RS384": {" file %DIR%/rsa.pkcs1"}, "RS512": {" file %DIR%/rsa.pkcs8"},
		"PS256": {" file %DIR%/rsa.pkcs1"}, "PS384": {""}, "PS512": {" file %DIR%/rsa.pkcs8"},
		"RS256": {"", " file %DIR%/rsa.pkcs1", " file %DIR%/rsa.pkcs8"},
	}
	endpoints := ""
	path := func(algorithm string, i int) string { return fmt.Sprintf("/%s-%d", strings.ToLower(algorithm), i) }
	for algorithm, variants := range keys {
		for i, key := range variants {
			endpoints += fmt.Sprintf("token_endpoint %s {\nname %s\nsigning_key %s%s\nclient web {\nsecret web-secret\n}\nuser alice %s\n}\n",
				path(algorithm, i), path(algorithm, i)[1:], algorithm, key, harness.CheapHash(t, "password"))
		}
	}
	s.Reload("", "http://127.0.0.1:%PORT% {\n"+endpoints+"\n}\n")

	for algorithm, variants := range keys {
		for i, key := range variants {
			if key == "" {
				key = " generated"
			}
			t.Run("H1: "+algorithm+strings.ReplaceAll(key, "/", " "), func(t *testing.T) {
				endpoint := path(algorithm, i)
				// at once for a given key; a generated one may take its time
				var token string
				harness.Eventually(t, "the key is there", func() bool {
					a := s.Post(endpoint, "grant_type=password&username=alice&password=password&client_id=web&client_secret=web-secret")
					token, _ = a.JSON["access_token"].(string)
					return a.Status == 200
				})
				header, _ := harness.Decoded(t, token)
				if header["alg"] != algorithm {
					t.Fatalf("alg %v", header["alg"])
				}
				if !strings.HasPrefix(algorithm, "HS") {
					s.Verified(token, endpoint)
					return
				}
				if body := string(s.JWKS(endpoint).Body); strings.TrimSpace(body) != `{"keys":[]}` {
					t.Errorf("L8: published for an HMAC key: %s", body)
				}
				signed, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := signed.Verify([]byte(secret64)); (err != nil) != (key == " generated") {
					t.Errorf("verifying with the literal bytes of the secret: %v", err)
				}
			})
		}
	}
	t.Run("L9: the kid of an HMAC key is no plain digest of the secret, and every kid is another", func(t *testing.T) {
		seen := make(map[string]string)
		for algorithm, variants := range keys {
			for i, key := range variants {
				token := s.Post(path(algorithm, i), "grant_type=password&username=alice&password=password&client_id=web&client_secret=web-secret").Text(t, "access_token")
				header, _ := harness.Decoded(t, token)
				kid := header["kid"].(string)
				if strings.HasPrefix(algorithm, "HS") {
					sum := sha256.Sum256([]byte(secret64))
					jwk := sha256.Sum256([]byte(`{"k":"` + base64.RawURLEncoding.EncodeToString([]byte(secret64)) + `","kty":"oct"}`))
					for _, guessable := range [][32]byte{sum, jwk} {
						if kid == base64.RawURLEncoding.EncodeToString(guessable[:]) {
							t.Errorf("kid %s of %s", kid, algorithm)
						}
					}
				}
				if key != "" {
					continue // one file has one kid, whatever its encoding
				}
				if other := seen[kid]; other != "" {
					t.Errorf("%s and %s have the kid %s", algorithm, other, kid)
				}
				seen[kid] = algorithm
			}
		}
	})
}

// A key that cannot sign what is asked of it ends the start, with words that help and
// without a piece of the key.
func TestRefusedSigningKeys(t *testing.T) {
	s := harness.NewSite(t)
	keyFiles(t, s)
	s.Write("garbage", "not a key")
	s.Write("cut", "-----BEGIN PRIVATE KEY-----\nMIIB")
	t.Setenv("GRANT_SHORT", secret64[:31])
	t.Setenv("GRANT_EMPTY", "")
	for _, test := range []struct{ name, key, text string }{
		{"H10: a secret of 31 bytes for HS256", "HS256 {env.GRANT_SHORT}", "at least 32 bytes"},
		{"H10: a secret of 47 bytes for HS384", "HS384 " + secret64[:47], "at least 48 bytes"},
		{"H10: a secret of 63 bytes for HS512", "HS512 " + secret64[:63], "at least 64 bytes"},
		{"H10: RSA of 1024 bits", "RS256 file %DIR%/rsa-1024.pkcs8", "2048"},
		{"H1: no signature", "none", "none"},
		{"H1: no signature, in capitals", "NONE", "none"},
		{"an algorithm in another case", "es256", "ES256"},
		{"an unknown algorithm", "HS1", "unrecognized"},
		{"an EC key for RS256", "RS256 file %DIR%/p256.pkcs8", "an EC P-256 key, which signs ES256"},
		{"an RSA key for ES256", "ES256 file %DIR%/rsa.pkcs1", "an RSA key of 2048 bits"},
		{"a key of another curve", "ES256 file %DIR%/p384.sec1", "ES384"},
		{"a curve that signs nothing", "ES256 file %DIR%/p224.sec1", "P-224"},
		{"an Ed25519 key for ES256", "ES256 file %DIR%/ed25519.pkcs8", "an Ed25519 key, which signs EdDSA"},
		{"an RSA key for EdDSA", "EdDSA file %DIR%/rsa.pkcs8", "an RSA key"},
		{"a public key", "RS256 file %DIR%/rsa.public", "public key"},
		{"a secret for RS256", "RS256 " + secret64, "signs with a private key"},
		{"a file for HS256", "HS256 file %DIR%/rsa.pkcs8", "signs with a secret"},
		{"a PEM file as a secret, which would make a public key one", "HS256 {file.%DIR%/rsa.public}", "PEM"},
		{"no PEM", "RS256 file %DIR%/garbage", "no PEM block"},
		{"a PEM that was cut", "RS256 file %DIR%/cut", "malformed PEM"},
		{"a missing file", "RS256 file %DIR%/missing", "no such file"},
		{"an empty placeholder", "HS256 {env.GRANT_EMPTY}", "GRANT_EMPTY"},
		{"a generated key twice", "ES256\nsigning_key ES256", "ES256"},
		{"one key twice", "RS256 file %DIR%/rsa.pkcs1\nsigning_key PS256 file %DIR%/rsa.pkcs8", "twice"},
	} {
		t.Run("refused: "+test.name, func(t *testing.T) {
			err := s.TryReload("", harness.WebSite("user alice "+harness.HashBcrypt+"\nsigning_key "+test.key))
			harness.WantLoadError(t, err, "sign", test.text)
			if err != nil && strings.Contains(err.Error(), secret64[:16]) {
				t.Errorf("a secret is in the error: %v", err)
			}
		})
	}
}

// What <path>/jwks publishes.
func TestPublishedKeys(t *testing.T) {
	s := harness.NewSite(t)
	keyFiles(t, s)
	endpoint := func(path string, keys ...string) string {
		return "token_endpoint " + path + " {\nname " + path[1:] + "\nsigning_key " + strings.Join(keys, "\nsigning_key ") +
			"\nclient web {\nsecret web-secret\n}\nuser alice " + harness.CheapHash(t, "password") + "\n}\n"
	}
	hs, es, rs := "HS256 "+secret64, "ES384 file %DIR%/p384.sec1", "RS256 file %DIR%/rsa.pkcs8"
	s.Reload("", "http://127.0.0.1:%PORT% {\n"+endpoint("/hs-first", hs, es, rs, "EdDSA", "ES256", "ES512")+
		endpoint("/es-first", es, hs, rs)+endpoint("/rs-first", rs, es, hs)+"\n}\n")

	for path, algorithm := range map[string]string{"/hs-first": "HS256", "/es-first": "ES384", "/rs-first": "RS256"} {
		t.Run("several keys: the first one signs: "+algorithm, func(t *testing.T) {
			token := s.Post(path, "grant_type=password&username=alice&password=password&client_id=web&client_secret=web-secret").Text(t, "access_token")
			if header, _ := harness.Decoded(t, token); header["alg"] != algorithm {
				t.Fatalf("alg %v", header["alg"])
			}
			if algorithm != "HS256" {
				s.Verified(token, path)
			}
		})
	}

	a := s.Do(s.Request("GET", "/hs-first/jwks", ""))
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(a.Body, &set); err != nil {
		t.Fatal(err)
	}
	t.Run("several keys: all asymmetric ones are published, in their order", func(t *testing.T) {
		var algorithms []any
		for _, key := range set.Keys {
			algorithms = append(algorithms, key["alg"])
		}
		if got := fmt.Sprint(algorithms); got != "[ES384 RS256 EdDSA ES256 ES512]" {
			t.Fatalf("published: %s", got)
		}
	})
	t.Run("L7, L8: each has kty, use, alg, kid, its public members, and nothing else", func(t *testing.T) {
		members := map[any][]string{"EC": {"crv", "x", "y"}, "RSA": {"e", "n"}, "OKP": {"crv", "x"}}
		for _, key := range set.Keys {
			want := append([]string{"alg", "kid", "kty", "use"}, members[key["kty"]]...)
			slices.Sort(want)
			if got := slices.Sorted(maps.Keys(key)); !slices.Equal(got, want) || key["use"] != "sig" {
				t.Errorf("members %v, want %v: %v", got, want, key)
			}
		}
	})
	t.Run("L8: no piece of the HMAC secret", func(t *testing.T) {
		for _, piece := range []string{`"oct"`, secret64, base64.RawURLEncoding.EncodeToString([]byte(secret64))} {
			if strings.Contains(string(a.Body), piece) {
				t.Errorf("%q is in %s", piece, a.Body)
			}
		}
	})
	t.Run("L9: kid is the thumbprint of RFC 7638, and unique", func(t *testing.T) {
		var keys jose.JSONWebKeySet
		if err := json.Unmarshal(a.Body, &keys); err != nil {
			t.Fatal(err)
		}
		seen := make(map[string]bool)
		for _, key := range keys.Keys {
			sum, err := key.Thumbprint(crypto.SHA256)
			if err != nil {
				t.Fatal(err)
			}
			if kid := base64.RawURLEncoding.EncodeToString(sum); key.KeyID != kid || seen[kid] {
				t.Errorf("kid %s, want %s, there already: %t", key.KeyID, kid, seen[kid])
			}
			seen[key.KeyID] = true
		}
	})
	t.Run("L7: cacheable, and typed as RFC 7517 has it", func(t *testing.T) {
		if a.Status != 200 || a.Header.Get("Content-Type") != "application/jwk-set+json" || a.Header.Get("Cache-Control") != "public, max-age=600" || a.Header.Get("Pragma") != "" {
			t.Fatalf("%d %v", a.Status, a.Header)
		}
	})
	t.Run("L7: HEAD has the headers, POST is refused", func(t *testing.T) {
		if head := s.Do(s.Request("HEAD", "/hs-first/jwks", "")); head.Status != 200 || head.Header.Get("Cache-Control") == "" {
			t.Errorf("HEAD: %d %v", head.Status, head.Header)
		}
		post := s.Post("/hs-first/jwks", "a=b")
		post.Want(t, http.StatusMethodNotAllowed, "invalid_request")
		if post.Header.Get("Allow") != "GET, HEAD" || post.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("POST: %v", post.Header)
		}
	})
}
