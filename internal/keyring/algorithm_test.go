package keyring

import (
	"strings"
	"testing"
)

func TestEveryListedAlgorithmParsesAndNothingElse(t *testing.T) {
	for _, name := range strings.Fields("HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA") {
		a, err := ParseAlgorithm(name)
		if err != nil || string(a) != name {
			t.Errorf("%s: %q, %v", name, a, err)
		}
		if a.Symmetric() != strings.HasPrefix(name, "HS") {
			t.Errorf("%s: Symmetric is %v", name, a.Symmetric())
		}
	}

	const list = "use one of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA"
	tests := []struct{ name, algorithm, err string }{
		{"empty", "", list},
		{"unknown", "ES257", list},
		{"a curve without JWS name here", "ES256K", list},
		{"lower case", "hs256", "unrecognized signing algorithm hs256: it is written HS256"},
		{"upper case", "EDDSA", "it is written EdDSA"},
		{"with a space", "ES256 ", list},
		{"none", "none", "refusing unsigned tokens (none): " + list},
		{"None", "None", "refusing unsigned tokens"},
		{"nOnE with spaces", " nOnE\t", "refusing unsigned tokens"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, err := ParseAlgorithm(test.algorithm)
			checkError(t, err, test.err)
			if a != "" {
				t.Errorf("algorithm %q beside the error", a)
			}
			if Algorithm(test.algorithm).Symmetric() {
				t.Error("symmetric")
			}
			_, err = GenerateKey(Algorithm(test.algorithm))
			checkError(t, err, test.err)
		})
	}
}

func TestErrorDoesNotRepeatASecretInPlaceOfTheAlgorithm(t *testing.T) {
	const secret = "correct-horse-battery-staple-0123456789"
	_, err := ParseAlgorithm(secret)
	if err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("error %v", err)
	}
}
