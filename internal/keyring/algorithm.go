// Package keyring holds the keys that sign and verify access tokens: the algorithms of
// RFC 7518 §3 and RFC 8037, keys from a configured secret, from a PEM file or
// generated, what is published of them (RFC 7517), how generated keys and the server
// secret are kept in storage so that a restarted node and other nodes use the same, and
// how keys are rotated.
//
// It does not know HTTP or Caddy's config. No error, log or print of anything here
// contains key material.
package keyring

import (
	"crypto/elliptic"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caddygrant/caddy-grant/internal/compact"
)

// Algorithm is the `alg` of a JWS: HS256, HS384, HS512, RS256, RS384, RS512, PS256,
// PS384, PS512, ES256, ES384, ES512 (RFC 7518 §3.1), or EdDSA, which is Ed25519 here
// (RFC 8037 §3.1). Get one from [ParseAlgorithm].
type Algorithm string

type family int

const (
	familyHMAC family = iota
	familyRSA
	familyECDSA
	familyEd25519
)

// profile is what one algorithm requires of its key.
type profile struct {
	algorithm  Algorithm
	family     family
	method     jwt.SigningMethod
	secretSize int            // HMAC: least length in bytes, the size of the hash (RFC 7518 §3.2)
	curve      elliptic.Curve // ECDSA: the one curve of the algorithm (RFC 7518 §3.4)
}

var profiles = []profile{
	{algorithm: "HS256", family: familyHMAC, method: jwt.SigningMethodHS256, secretSize: 32},
	{algorithm: "HS384", family: familyHMAC, method: jwt.SigningMethodHS384, secretSize: 48},
	{algorithm: "HS512", family: familyHMAC, method: jwt.SigningMethodHS512, secretSize: 64},
	{algorithm: "RS256", family: familyRSA, method: jwt.SigningMethodRS256},
	{algorithm: "RS384", family: familyRSA, method: jwt.SigningMethodRS384},
	{algorithm: "RS512", family: familyRSA, method: jwt.SigningMethodRS512},
	{algorithm: "PS256", family: familyRSA, method: jwt.SigningMethodPS256},
	{algorithm: "PS384", family: familyRSA, method: jwt.SigningMethodPS384},
	{algorithm: "PS512", family: familyRSA, method: jwt.SigningMethodPS512},
	{algorithm: "ES256", family: familyECDSA, method: lowS{jwt.SigningMethodES256}, curve: elliptic.P256()},
	{algorithm: "ES384", family: familyECDSA, method: lowS{jwt.SigningMethodES384}, curve: elliptic.P384()},
	{algorithm: "ES512", family: familyECDSA, method: lowS{jwt.SigningMethodES512}, curve: elliptic.P521()},
	{algorithm: "EdDSA", family: familyEd25519, method: plainEd25519{jwt.SigningMethodEdDSA}},
}

// ParseAlgorithm returns the algorithm of that exact name. `none` is refused in any
// spelling, and so is a name in another case (RFC 7515 §4.1.1: names are
// case-sensitive). The error lists the accepted names; it repeats an unknown name
// only if that has the form of one, since it may be a secret written in the wrong place.
func ParseAlgorithm(name string) (Algorithm, error) {
	p, err := Algorithm(name).profile()
	return p.algorithm, err
}

// Symmetric reports whether the algorithm signs and verifies with one shared secret
// (HS256, HS384, HS512).
func (a Algorithm) Symmetric() bool {
	p, err := a.profile()
	return err == nil && p.family == familyHMAC
}

func (a Algorithm) profile() (profile, error) {
	for _, p := range profiles {
		if p.algorithm == a {
			return p, nil
		}
		if strings.EqualFold(string(p.algorithm), string(a)) {
			return profile{}, fmt.Errorf("unrecognized signing algorithm %s: it is written %s", string(a), p.algorithm)
		}
	}
	if strings.EqualFold(strings.TrimSpace(string(a)), "none") {
		return profile{}, errors.New("refusing unsigned tokens (none): use one of " + listAlgorithms(", ", nil))
	}
	if compact.LooksLikeAlgorithm(string(a)) {
		return profile{}, fmt.Errorf("%s is not a signing algorithm: use one of %s", string(a), listAlgorithms(", ", nil))
	}
	return profile{}, errors.New("unrecognized signing algorithm: use one of " + listAlgorithms(", ", nil))
}

// listAlgorithms joins the names of the algorithms that keep accepts; nil accepts all.
func listAlgorithms(separator string, keep func(profile) bool) string {
	var names []string
	for p := range slices.Values(profiles) {
		if keep == nil || keep(p) {
			names = append(names, string(p.algorithm))
		}
	}
	return strings.Join(names, separator)
}
