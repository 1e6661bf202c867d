package compact

import "testing"

func TestAnUnknownAlgorithmIsToldFromASecret(t *testing.T) {
	for text, want := range map[string]bool{
		"ES257": true, "es256k": true, "HS-256": true, "sha512": true, "RSA4096": true, "ed25519": true, "hmac256": true,
		"": false, "ES": false, "256": false, "ES25": false, "ES256256": false, "ES256x": false, "ES256-": false, "ESk": false,
		"k": false, "XS256": false, "ES 256": false, "es256-secret": false, "hunter256": false, "es--256": false, "es256kk": false,
	} {
		if LooksLikeAlgorithm(text) != want {
			t.Errorf("%q: want %v", text, want)
		}
	}
}
