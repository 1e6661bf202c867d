package keyring

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

const pemBegin = "-----BEGIN "

// NewPEMKey makes a key from a PEM file (RFC 7468) with exactly one unencrypted private
// key: PKCS#8 ("PRIVATE KEY"), PKCS#1 ("RSA PRIVATE KEY") or SEC 1 ("EC PRIVATE KEY").
// The key must fit the algorithm: RSA of 2048 to 8192 bits, EC on the algorithm's
// curve, Ed25519. Text and an "EC PARAMETERS" block, as openssl writes them before a
// key, are skipped. Anything else is an error that says what the file contains and what
// to do.
func NewPEMKey(a Algorithm, pemData []byte) (*Key, error) {
	p, err := a.profile()
	if err != nil {
		return nil, err
	}
	if p.family == familyHMAC {
		return nil, fmt.Errorf("%s signs with a shared secret, not with a key from a PEM file: give the secret itself, or choose one of %s",
			a, listAlgorithms(", ", func(p profile) bool { return p.family != familyHMAC }))
	}
	block, err := privateKeyBlock(pemData)
	if err != nil {
		return nil, err
	}
	private, err := parsePrivateKey(block)
	if err != nil {
		return nil, err
	}
	return newKey(p, private)
}

// privateKeyBlock returns the one block of the file that is not EC PARAMETERS.
func privateKeyBlock(data []byte) (*pem.Block, error) {
	var found *pem.Block
	begins, blocks := bytes.Count(data, []byte(pemBegin)), 0
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		blocks++
		data = rest
		if block.Type == "EC PARAMETERS" {
			continue
		}
		if err := checkBlock(block); err != nil {
			return nil, err
		}
		if found != nil {
			return nil, errors.New("several private keys in one PEM file: give each its own file")
		}
		found = block
	}
	switch {
	case begins == 0 && bytes.HasPrefix(data, []byte{0x30}):
		return nil, errors.New("no PEM block in the key file, it looks like DER: convert it with: openssl pkey -inform DER -in <file>")
	case begins == 0:
		return nil, errors.New("no PEM block in the key file: a private key starts with -----BEGIN PRIVATE KEY-----")
	case begins != blocks: // the decoder skips what it cannot read
		return nil, errors.New("malformed PEM block in the key file: it may be cut short or edited")
	case found == nil:
		return nil, errors.New("no private key in the PEM file, only EC PARAMETERS")
	case len(bytes.TrimSpace(data)) > 0:
		return nil, errors.New("unexpected text after the private key in the PEM file: remove it")
	}
	return found, nil
}

// checkBlock refuses every block that is not an unencrypted private key, with the
// remedy.
func checkBlock(block *pem.Block) error {
	kind := block.Type
	switch {
	case kind == "ENCRYPTED PRIVATE KEY", strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		return errors.New("the private key is encrypted, and Caddy cannot ask for its passphrase: decrypt it with: openssl pkey -in <file> -out <new file>, and protect that by its permissions")
	case kind == "PRIVATE KEY", kind == "RSA PRIVATE KEY", kind == "EC PRIVATE KEY":
		return nil
	case strings.HasSuffix(kind, "PUBLIC KEY"):
		return errors.New("this is a public key: signing needs the private one")
	case strings.HasSuffix(kind, "CERTIFICATE"):
		return errors.New("a certificate in the key file: signing needs a file with the private key alone")
	case kind == "OPENSSH PRIVATE KEY":
		return errors.New("this is a key in OpenSSH's own format: make one with: openssl genpkey -algorithm ed25519, or: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256")
	}
	return fmt.Errorf("PEM block %q is not a private key for signing: PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY is needed", kind)
}

// parsePrivateKey derives the public half from the private half where the encoding
// contains both.
func parsePrivateKey(block *pem.Block) (private any, err error) {
	format := "PKCS#8"
	switch block.Type {
	case "RSA PRIVATE KEY":
		format = "PKCS#1"
		private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		format = "SEC 1"
		private, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		private, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("parsing the %s private key (RSA, EC P-256, P-384, P-521 and Ed25519 can be used): %w", format, err)
	}
	return private, nil
}
