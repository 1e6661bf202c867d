package issuer

import (
	"crypto/rsa"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func TestKeysThatCannotVerifyTokensAreLeftOut(t *testing.T) {
	good := es256("good")
	ec, rs := signer{"k", "ES256", ecKey()}.jwk(), signer{"k", "RS256", rsaKey()}.jwk()
	private := jose.JSONWebKey{Key: rsaKey(), KeyID: "k"}
	for _, test := range []struct {
		name string
		key  any
		want string // part of why
	}{
		{"for encryption", with(ec, m{"use": "enc"}), "use enc"},
		{"for signing alone", with(ec, m{"key_ops": []string{"sign"}}), "key_ops"},
		{"for nothing", with(ec, m{"key_ops": []string{}}), "key_ops"},
		{"with the algorithm of another kind", with(ec, m{"alg": "RS256"}), "alg RS256"},
		{"with the algorithm of another curve", with(ec, m{"alg": "ES384"}), "alg ES384"},
		{"with an algorithm to encrypt", with(rs, m{"alg": "RSA-OAEP"}), "alg RSA-OAEP"},
		{"with an algorithm of a shared secret", with(rs, m{"alg": "HS256"}), "alg HS256"},
		{"a shared secret", m{"kty": "oct", "k": "aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMg", "alg": "HS256"}, "kty oct"},
		{"a private key", must(private.MarshalJSON()), "private key"},
		{"a private key without its exponent", with(rs, m{"p": "AQAB"}), "private key"},
		{"a key with its second prime", with(rs, m{"q": "AQAB"}), "private key"},
		{"a key with its dp", with(rs, m{"dp": "AQAB"}), "private key"},
		{"a key with its dq", with(rs, m{"dq": "AQAB"}), "private key"},
		{"a key with its qi", with(rs, m{"qi": "AQAB"}), "private key"},
		{"a key with other primes", with(rs, m{"oth": []any{}}), "private key"},
		{"a key with a member of a shared secret", with(ec, m{"k": "AQAB"}), "private key"},
		{"an RSA key of 1024 bits", signer{"k", "RS256", weakRSAKey()}.jwk(), "1024 bits"},
		{"an RSA key with an exponent of 1", with(rs, m{"e": "AQ"}), "exponent"},
		{"an RSA key with an even exponent", with(rs, m{"e": "BA"}), "exponent"},
		{"an RSA key with a large exponent", with(rs, m{"e": "AQAAAAAAAQAB"}), "exponent"},
		{"an RSA key without a modulus", with(rs, m{"n": nil}), "supported kind"},
		{"a point that is not on the curve", with(ec, m{"x": ec["y"]}), "supported kind"},
		{"an unknown curve", with(ec, m{"crv": "secp256k1"}), "secp256k1"},
		{"X25519", with(signer{"k", "EdDSA", edKey()}.jwk(), m{"crv": "X25519"}), "X25519"},
		{"an unknown kind", m{"kty": "AKP", "alg": "ML-DSA-44"}, "kty AKP"},
		{"no kind", with(ec, m{"kty": nil}), "no kty"},
		{"a kind in another case", with(ec, m{"kty": "ec"}), "supported kind"},
		{"a kid that is a number", with(ec, m{"kid": 1}), "not a JSON Web Key"},
		{"a kid of a megabyte", with(ec, m{"kid": strings.Repeat("k", 1<<20)}), "kid"},
		{"a duplicate member", rawKey(`{"kty":"oct","kty":"EC"}`), "duplicate"},
		{"a text", "key", "not a JSON Web Key"},
		{"null", nil, "not a JSON Web Key"},
		{"a list", []any{}, "not a JSON Web Key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if raw, ok := test.key.([]byte); ok {
				test.key = rawKey(raw)
			}
			set, err := parseKeySet(jwks(test.key))
			if err != nil || !set.isEmpty() {
				t.Fatalf("alone: %+v, %v", set, err)
			}
			why := set.whyEmpty().Error()
			if !strings.Contains(why, test.want) || !strings.Contains(why, "key 1") {
				t.Errorf("alone: %v, want one with %q", why, test.want)
			}
			if len(why) > 300 {
				t.Errorf("an error of %d bytes", len(why))
			}
			set, err = parseKeySet(jwks(test.key, good))
			if err != nil || len(set.keys) != 1 || set.keys[0].id != "good" || len(set.unusable) != 1 {
				t.Fatalf("beside a good one: %+v, %v", set, err)
			}
		})
	}
}

// rawKey is a key that is encoded already.
type rawKey string

func (k rawKey) MarshalJSON() ([]byte, error) { return []byte(k), nil }

func TestKeysOfAllKindsAreRead(t *testing.T) {
	for _, s := range []signer{
		{"a", "ES256", ecKey()}, {"b", "ES384", ec384Key()}, {"c", "ES512", ec521Key()},
		{"d", "RS256", rsaKey()}, {"e", "EdDSA", edKey()},
	} {
		for _, change := range []m{
			nil, {"alg": s.algorithm}, {"use": "sig"}, {"key_ops": []string{"verify"}}, {"kid": nil},
			// Certificates are ignored, and so is what is not known.
			{"x5c": []string{"not a certificate"}, "x5u": "https://evil.example", "x5t": "AA", "nbf": 1},
		} {
			set, err := parseKeySet(jwks(with(s.jwk(), change)))
			if err != nil || len(set.keys) != 1 {
				t.Errorf("%s with %v: %v", s.algorithm, change, err)
			}
		}
	}
	set, err := parseKeySet(jwks(with(signer{"e", "EdDSA", edKey()}.jwk(), m{"alg": "Ed25519"})))
	if err != nil {
		t.Fatal(err)
	}
	if keys, _, _ := set.candidates("e", findAlgorithm("EdDSA")); len(keys) != 1 {
		t.Error("RFC 9864's name of EdDSA is not known")
	}
}

func TestASetThatIsNotOneIsRefused(t *testing.T) {
	good := string(encodeJSON(es256("k").jwk()))
	for _, body := range []string{
		``, `null`, `[]`, `{}`, `"keys"`, `{"keys":null}`, `{"keys":{}}`, `{"KEYS":[` + good + `]}`,
		`{"keys":[` + good + `]`, `{"keys":[` + good + `]}{}`, `{"keys":[` + good + `],"keys":[]}`, `<html></html>`,
		good, strings.Repeat("[", 1<<19), `{"a":` + strings.Repeat("[", 1<<18) + strings.Repeat("]", 1<<18) + `}`,
	} {
		if _, err := parseKeySet([]byte(body)); err == nil {
			t.Errorf("%.60s is taken for a JWK Set", body)
		}
	}
}

func TestASetHasAtMostAThousandKeys(t *testing.T) {
	keys := make([]any, maxKeys)
	for i := range keys {
		keys[i] = with(signer{"", "RS256", rsaKey()}.jwk(), m{"kid": fmt.Sprint(i)})
	}
	encoded := jwks(keys...)
	if len(encoded) > maxBody {
		t.Fatalf("%d bytes", len(encoded))
	}
	set, err := parseKeySet(encoded)
	if err != nil || len(set.keys) != maxKeys || len(set.ids()) != maxShownIDs+1 {
		t.Fatalf("%d keys, %v", len(set.keys), err)
	}
	if found, known, more := set.candidates("999", findAlgorithm("RS256")); !known || more || len(found) != 1 {
		t.Error("the last one is not found")
	}
	if found, _, more := set.candidates("", findAlgorithm("RS256")); len(found) != maxCandidates || !more {
		t.Errorf("%d keys are tried without a kid", len(found))
	}
	if _, err := parseKeySet(jwks(append(keys, es256("one more"))...)); err == nil || !strings.Contains(err.Error(), "maximum is 1000") {
		t.Error(err)
	}
}

func TestOnlyAFewUnusableKeysAreNamed(t *testing.T) {
	keys := make([]any, 100)
	for i := range keys {
		keys[i] = m{"kty": "oct", "k": "aHVudGVyMg"}
	}
	why := must(parseKeySet(jwks(keys...))).whyEmpty().Error()
	if strings.Count(why, "kty oct") != maxUnusable || !strings.Contains(why, "and more") || strings.Contains(why, "aHVu") {
		t.Error(why)
	}
}

func TestAKeyIsChosenByKidKindAndAlgorithm(t *testing.T) {
	set := must(parseKeySet(jwks(
		es256("k"),
		signer{"k", "RS256", rsaKey()}, // RFC 7517 §4.5: of one kid, and of another kind
		with(signer{"pinned", "PS256", rsaKey()}.jwk(), m{"alg": "PS256"}),
		signer{"", "EdDSA", edKey()},
	)))
	for _, test := range []struct {
		kid, algorithm string
		known          bool
		found          int
	}{
		{"k", "ES256", true, 1}, {"k", "RS256", true, 1}, {"k", "PS512", true, 1}, {"k", "EdDSA", true, 0}, {"k", "ES384", true, 0},
		{"pinned", "PS256", true, 1}, {"pinned", "RS256", true, 0}, {"pinned", "PS384", true, 0},
		{"K", "ES256", false, 0}, {"other", "ES256", false, 0},
		{"", "EdDSA", true, 1}, {"", "RS256", true, 1}, {"", "PS256", true, 2}, {"", "ES512", true, 0},
	} {
		found, known, _ := set.candidates(test.kid, findAlgorithm(test.algorithm))
		if known != test.known || len(found) != test.found {
			t.Errorf("%q %s: %d, %v", test.kid, test.algorithm, len(found), known)
		}
	}
}

func TestSetsAreTheSameInAnyOrder(t *testing.T) {
	a, b := es256("a"), signer{"b", "RS256", rsaKey()}
	set := must(parseKeySet(jwks(a, b)))
	for _, test := range []struct {
		name string
		keys []any
		same bool
	}{
		{"in another order", []any{b, a}, true},
		{"with another that is not usable", []any{b, a, m{"kty": "oct"}}, true},
		{"without one", []any{a}, false},
		{"with one more", []any{a, b, signer{"c", "EdDSA", edKey()}}, false},
		{"one with another kid", []any{a, signer{"c", "RS256", rsaKey()}}, false},
		{"one replaced under its kid", []any{signer{"a", "ES256", otherECKey()}, b}, false},
		{"one restricted to an algorithm", []any{a, with(b.jwk(), m{"alg": "PS256"})}, false},
	} {
		if got := set.same(must(parseKeySet(jwks(test.keys...)))); got != test.same {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	if set.same(nil) {
		t.Error("a set is the same as none")
	}
	if rsaKey().Public().(*rsa.PublicKey).E != 65537 {
		t.Error("the exponent that tests change")
	}
}
