package password

import (
	"crypto/sha256"
	"testing"

	"github.com/caddygrant/caddy-grant/internal/mac"
)

// The salt does not make another kind, whatever its length; the cost does.
func TestKinds(t *testing.T) {
	for encoded, want := range map[string]string{
		"$2y$07$abcdefghijklmnopqrstuuVvvIm8hKYQhqJCDiVSfyVAzIbHqqEUi":             "bcrypt cost 7",
		"$2b$11$abcdefghijklmnopqrstuuVvvIm8hKYQhqJCDiVSfyVAzIbHqqEUi":             "bcrypt cost 11",
		"$argon2id$v=19$m=47104,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA":        "argon2id m=47104,t=1,p=1",
		"$argon2id$v=19$m=47104,t=1,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAA": "argon2id m=47104,t=1,p=1",
	} {
		h, err := Parse(encoded, true)
		if err != nil {
			t.Fatalf("%s: %v", encoded, err)
		}
		if got := h.Params().Kind(); got != want {
			t.Errorf("%s: %q", encoded, got)
		}
	}
	key := mac.NewKey(sha256.New, make([]byte, 32))
	for _, test := range []struct {
		params Params
		want   string
	}{
		{Params{Scheme: APR1, salt: 8}, "apr1"},
		{Params{Scheme: APR1, salt: 1}, "apr1"},
		{Params{Scheme: SHA512Crypt, cost: 5000, salt: 16}, "sha512-crypt rounds=5000"},
		{Params{Scheme: SHA512Crypt, cost: 656000, salt: 8}, "sha512-crypt rounds=656000"},
		{Params{Scheme: SHA256Crypt, cost: 5000}, "sha256-crypt rounds=5000"},
		{Params{Scheme: SHA1}, "{SHA}"},
		{Params{Scheme: SaltedSHA1}, "{SSHA}"},
		{Digest(key, "secret").Params(), "plaintext"},
	} {
		if got := test.params.Kind(); got != test.want {
			t.Errorf("%s: %q, want %q", test.params, got, test.want)
		}
	}
}
