package keyring

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func testdata(t testing.TB, names ...string) []byte {
	t.Helper()
	var all []byte
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data...)
	}
	return all
}

func TestPrivateKeysWrittenByOpenSSLSign(t *testing.T) {
	tests := []struct {
		file       string
		algorithms string
	}{
		{"rsa-pkcs1.pem", "RS256 RS384 RS512 PS256 PS384 PS512"},
		{"rsa-pkcs8.pem", "RS256 RS384 RS512 PS256 PS384 PS512"},
		{"rsa-text-before.pem", "RS256"},
		{"ec-p256-sec1.pem", "ES256"},
		{"ec-p256-sec1-parameters.pem", "ES256"},
		{"ec-p256-pkcs8.pem", "ES256"},
		{"ec-p384-sec1.pem", "ES384"},
		{"ec-p521-sec1-parameters.pem", "ES512"},
		{"ec-p521-pkcs8.pem", "ES512"},
		{"ed25519-pkcs8.pem", "EdDSA"},
	}
	for _, test := range tests {
		for p := range strings.FieldsSeq(test.algorithms) {
			t.Run(test.file+" with "+p, func(t *testing.T) {
				k, err := NewPEMKey(Algorithm(p), testdata(t, test.file))
				if err != nil {
					t.Fatal(err)
				}
				sign(t, k, "JWT")
				verificationKey(t, k)
			})
		}
	}
}

func TestOneKeyHasOneIDInWhateverFormat(t *testing.T) {
	for _, pair := range []struct {
		a             Algorithm
		first, second string
	}{
		{"RS256", "rsa-pkcs1.pem", "rsa-pkcs8.pem"},
		{"ES256", "ec-p256-sec1.pem", "ec-p256-pkcs8.pem"},
		{"ES512", "ec-p521-sec1-parameters.pem", "ec-p521-pkcs8.pem"},
	} {
		first, err := NewPEMKey(pair.a, testdata(t, pair.first))
		if err != nil {
			t.Fatal(err)
		}
		second, err := NewPEMKey(pair.a, testdata(t, pair.second))
		if err != nil {
			t.Fatal(err)
		}
		if first.ID() != second.ID() {
			t.Errorf("%s has kid %s, %s has %s", pair.first, first.ID(), pair.second, second.ID())
		}
	}
}

func TestWhatIsNotAFittingPrivateKeyIsRefusedWithTheRemedy(t *testing.T) {
	read := func(names ...string) string { return string(testdata(t, names...)) }
	const all = "which signs none of HS256, "
	tests := []struct {
		name string
		a    Algorithm
		data string
		err  string
	}{
		{"EC P-256 for RS256", "RS256", read("ec-p256-sec1.pem"), "this is an EC P-256 key, which signs ES256, not RS256"},
		{"EC P-384 for ES256", "ES256", read("ec-p384-sec1.pem"), "this is an EC P-384 key, which signs ES384, not ES256"},
		{"EC P-256 for ES512", "ES512", read("ec-p256-pkcs8.pem"), "this is an EC P-256 key, which signs ES256, not ES512"},
		{"RSA for ES256", "ES256", read("rsa-pkcs1.pem"), "this is an RSA key of 2048 bits, which signs RS256, RS384, RS512, PS256, PS384, PS512, not ES256"},
		{"RSA for EdDSA", "EdDSA", read("rsa-pkcs8.pem"), "not EdDSA"},
		{"Ed25519 for ES256", "ES256", read("ed25519-pkcs8.pem"), "this is an Ed25519 key, which signs EdDSA, not ES256"},
		{"RSA of 1024 bits", "RS256", read("rsa-1024.pem"), "this is an RSA key of 1024 bits: it must have 2048 to 8192 bits"},
		{"EC P-224", "ES256", read("ec-p224-sec1.pem"), "this is an EC P-224 key, " + all},
		{"EC secp256k1", "ES256", read("ec-secp256k1-sec1.pem"), "parsing the SEC 1 private key (RSA, EC P-256, P-384, P-521 and Ed25519 can be used)"},
		{"X25519", "EdDSA", read("x25519-pkcs8.pem"), "this is an X25519 key, " + all},
		{"Ed448", "EdDSA", read("ed448-pkcs8.pem"), "parsing the PKCS#8 private key (RSA, EC P-256, P-384, P-521 and Ed25519 can be used)"},
		{"a key for HS256", "HS256", read("rsa-pkcs8.pem"), "HS256 signs with a shared secret"},
		{"an unknown algorithm", "none", read("rsa-pkcs8.pem"), "refusing unsigned tokens"},
		{"encrypted PKCS#8", "EdDSA", read("ed25519-encrypted.pem"), "the private key is encrypted"},
		{"encrypted PKCS#1", "RS256", read("rsa-pkcs1-encrypted.pem"), "openssl pkey -in <file> -out <new file>"},
		{"a public key", "EdDSA", read("ed25519-public.pem"), "this is a public key: signing needs the private one"},
		{"an RSA public key", "RS256", read("rsa-public.pem"), "this is a public key"},
		{"an RSA public key in PKCS#1", "RS256", read("rsa-public-pkcs1.pem"), "this is a public key"},
		{"a certificate", "RS256", read("certificate.pem"), "a certificate in the key file"},
		{"a key with its certificate", "RS256", read("rsa-pkcs8.pem", "certificate.pem"), "a certificate in the key file"},
		{"two keys", "RS256", read("rsa-pkcs1.pem", "rsa-pkcs8.pem"), "several private keys in one PEM file"},
		{"EC parameters without key", "ES256", read("ec-parameters-only.pem"), "only EC PARAMETERS"},
		{"OpenSSH", "EdDSA", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjE=\n-----END OPENSSH PRIVATE KEY-----\n", "OpenSSH's own format"},
		{"another block", "RS256", "-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----\n", `PEM block "DSA PRIVATE KEY" is not a private key for signing`},
		{"DER", "EdDSA", read("ed25519-pkcs8.der"), "openssl pkey -inform DER"},
		{"empty", "ES256", "", "no PEM block in the key file: a private key starts with"},
		{"a secret", "ES256", "s3cret-s3cret", "no PEM block in the key file"},
		{"text after the key", "ES256", read("ec-p256-pkcs8.pem") + "rubbish", "unexpected text after the private key"},
		{"cut in the middle", "ES256", read("ec-p256-pkcs8.pem")[:120], "malformed PEM block"},
		{"a second key that is cut", "ES256", read("ec-p256-pkcs8.pem") + read("ec-p256-sec1.pem")[:90], "malformed PEM block"},
		{"wrong label", "ES256", strings.ReplaceAll(read("ec-p256-pkcs8.pem"), " PRIVATE", " RSA PRIVATE"), "parsing the PKCS#1 private key"},
		{"damaged DER", "ES256", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "parsing the PKCS#8 private key"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := NewPEMKey(test.a, []byte(test.data))
			checkError(t, err, test.err)
			if strings.Contains(err.Error(), "s3cret") {
				t.Error("the error shows the content:", err)
			}
		})
	}
}

func TestBlankLinesAroundAKeyAndWindowsLineEndsAreFine(t *testing.T) {
	for _, data := range []string{
		"\n\n" + string(testdata(t, "ec-p256-sec1.pem")) + "\n \n",
		strings.ReplaceAll(string(testdata(t, "ec-p256-sec1-parameters.pem")), "\n", "\r\n"),
		strings.TrimSpace(string(testdata(t, "ec-p256-pkcs8.pem"))), // {file.…} trims the last newline
	} {
		if _, err := NewPEMKey("ES256", []byte(data)); err != nil {
			t.Error(err)
		}
	}
}
