package issuer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caddygrant/caddy-grant/internal/compact"
)

// algorithm is a way to sign with a key pair (RFC 7518 §3.1, RFC 8037 §3.1). Those with
// a shared secret are missing: an issuer's published keys must not be taken for secrets
// (RFC 8725 §2.1).
type algorithm struct {
	name   string
	method jwt.SigningMethod
	curve  string // of an ECDSA key
}

var algorithms = []algorithm{
	{"ES256", jwt.SigningMethodES256, "P-256"},
	{"ES384", jwt.SigningMethodES384, "P-384"},
	{"ES512", jwt.SigningMethodES512, "P-521"},
	{"RS256", jwt.SigningMethodRS256, ""},
	{"RS384", jwt.SigningMethodRS384, ""},
	{"RS512", jwt.SigningMethodRS512, ""},
	{"PS256", jwt.SigningMethodPS256, ""},
	{"PS384", jwt.SigningMethodPS384, ""},
	{"PS512", jwt.SigningMethodPS512, ""},
	{"EdDSA", jwt.SigningMethodEdDSA, ""},
}

var defaultAlgorithms = []string{"ES256", "RS256", "PS256", "EdDSA"}

// ed25519Name is RFC 9864's name of EdDSA with Ed25519, its only curve here.
const ed25519Name = "Ed25519"

// findAlgorithm finds an algorithm by its exact name, nil if there is none.
func findAlgorithm(name string) *algorithm {
	if name == ed25519Name {
		name = "EdDSA"
	}
	for i := range algorithms {
		if algorithms[i].name == name {
			return &algorithms[i]
		}
	}
	return nil
}

// validateAlgorithm checks a name from the config. The error repeats an unknown
// name only if that has the form of one: it may be a secret written in the wrong place.
func validateAlgorithm(name string) error {
	if findAlgorithm(name) != nil {
		return nil
	}
	var names []string
	for _, a := range algorithms {
		names = append(names, a.name)
	}
	names = append(names, ed25519Name)
	for _, known := range names {
		if strings.EqualFold(known, name) {
			return fmt.Errorf("unrecognized algorithm %s: it is written %s", name, known)
		}
	}
	choice := "use some of " + strings.Join(names, ", ")
	switch strings.ToUpper(name) {
	case "HS256", "HS384", "HS512":
		return fmt.Errorf("refusing %s: an outside issuer has no shared secret with this server: %s", strings.ToUpper(name), choice)
	case "NONE":
		return errors.New("refusing unsigned tokens (none): " + choice)
	}
	if compact.LooksLikeAlgorithm(name) {
		return fmt.Errorf("%s is not a supported algorithm: %s", name, choice)
	}
	return errors.New("unrecognized algorithm: " + choice)
}

// fits tells whether an algorithm is for a key of that kind.
func (a *algorithm) fits(public crypto.PublicKey) bool {
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		return a.curve == public.Curve.Params().Name
	case *rsa.PublicKey:
		return a.name[0] == 'R' || a.name[0] == 'P'
	case ed25519.PublicKey:
		return a.name == "EdDSA"
	}
	return false
}
