package caddygrant

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/internal/keyring"
	"github.com/caddygrant/caddy-grant/internal/setting"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// SigningKey is a key that signs or once signed access tokens.
type SigningKey struct {
	// The algorithm (RFC 7518 §3.1, RFC 8037): `HS256`, `HS384`, `HS512`, `RS256`,
	// `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, `ES256`, `ES384`, `ES512` or `EdDSA`.
	Algorithm string `json:"algorithm"`

	// The secret of an HMAC key, at least as long as the hash: 32, 48 or 64 bytes, taken
	// literally. Placeholders are replaced at start; use `{env.*}` or `{file.*}`, which
	// keep the secret out of the config. Default: generated in Caddy's storage.
	Secret string `json:"secret,omitempty"`

	// The PEM file of a private key (PKCS#1, PKCS#8 or SEC 1). Placeholders are replaced
	// at start. Default: generated in Caddy's storage.
	File string `json:"file,omitempty"`
}

// configuredKey is one signing_key line; key is nil where it is to be generated.
type configuredKey struct {
	algorithm    keyring.Algorithm
	key          *keyring.Key
	aroundSecret []string // what is warned of
}

// loadSigningKeys loads the keys that the config gives. Without any line, one ES256 key
// is to be generated.
func loadSigningKeys(lines []SigningKey) ([]configuredKey, error) {
	if len(lines) == 0 {
		return []configuredKey{{algorithm: defaultAlgorithm}}, nil
	}
	repl := caddy.NewReplacer()
	var (
		out       []configuredKey
		static    []*keyring.Key
		generated = make(map[keyring.Algorithm]bool)
	)
	for i, line := range lines {
		key, err := line.load(repl)
		if err != nil {
			return nil, fmt.Errorf("signing_key %d: %w", i+1, err)
		}
		if key.key == nil && generated[key.algorithm] {
			return nil, fmt.Errorf("signing_key %d: a generated %s key is already listed", i+1, key.algorithm)
		}
		if key.key == nil {
			generated[key.algorithm] = true
		} else {
			static = append(static, key.key)
		}
		out = append(out, key)
	}
	if len(static) > 0 {
		if _, err := keyring.NewRing(token.TypeJWT, static...); err != nil {
			return nil, fmt.Errorf("signing_key: %w", err)
		}
	}
	return out, nil
}

// generatedAlgorithms are those of the keys that are to be generated.
func generatedAlgorithms(keys []configuredKey) []keyring.Algorithm {
	var out []keyring.Algorithm
	for _, c := range keys {
		if c.key == nil {
			out = append(out, c.algorithm)
		}
	}
	return out
}

func (line SigningKey) load(repl *caddy.Replacer) (configuredKey, error) {
	algorithm, err := keyring.ParseAlgorithm(line.Algorithm)
	if err != nil {
		return configuredKey{}, err
	}
	out := configuredKey{algorithm: algorithm}
	if err := line.fits(algorithm); err != nil {
		return out, err
	}
	switch {
	case line.Secret != "":
		secret, err := setting.ResolveSecret(repl, "secret", line.Secret)
		if err != nil {
			return out, err
		}
		out.aroundSecret = setting.AroundSecret(line.Secret, secret)
		out.key, err = keyring.NewHMACKey(algorithm, []byte(secret))
		return out, err
	case line.File != "":
		path, err := setting.Resolve(repl, "file", line.File)
		if err != nil {
			return out, err
		}
		pem, err := os.ReadFile(path)
		if err != nil {
			return out, fmt.Errorf("reading the private key: %w", err)
		}
		if out.key, err = keyring.NewPEMKey(algorithm, pem); err != nil {
			return out, fmt.Errorf("private key %s: %w", path, err)
		}
	}
	return out, nil
}

// check finds what can be found without the file and without what placeholders stand for.
func (line SigningKey) check() error {
	algorithm, err := keyring.ParseAlgorithm(line.Algorithm)
	if err != nil {
		return fmt.Errorf("the algorithm comes first: %w", err)
	}
	if err := line.fits(algorithm); err != nil {
		return err
	}
	if err := setting.CheckLiteralSecret("secret", line.Secret); err != nil {
		return err
	}
	if line.Secret != "" && !strings.Contains(line.Secret, "{") {
		_, err = keyring.NewHMACKey(algorithm, []byte(line.Secret))
	}
	return err
}

// fits tells whether the key is of the kind that the algorithm signs with.
func (line SigningKey) fits(algorithm keyring.Algorithm) error {
	switch {
	case line.Secret != "" && line.File != "":
		return errors.New("it has a secret and a file: keep one of them")
	case line.Secret != "" && !algorithm.Symmetric():
		return fmt.Errorf("%s signs with a private key: write \"signing_key %s file <path>\", or no key at all to have one generated", algorithm, algorithm)
	case line.File != "" && algorithm.Symmetric():
		return fmt.Errorf("%s signs with a secret: write \"signing_key %s {file.<path>}\" to read it from a file", algorithm, algorithm)
	}
	return nil
}

const defaultAlgorithm = keyring.Algorithm("ES256")
