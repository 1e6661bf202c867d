package apikey

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"math/big"
	"regexp"
	"strings"
)

// Prefix is what every key begins with: people and secret scanners know a key by it.
const Prefix = "cgk_"

// Pattern is a regular expression that finds keys in a text.
const Pattern = "cgk_[0-9A-Za-z]{49}"

const (
	randomBytes  = 32
	bodyLength   = 43 // base62 digits of 256 bits
	checkLength  = 6  // of a CRC-32
	secretLength = len(Prefix) + bodyLength + checkLength
)

// digits are those of base62, in the order of ASCII, as math/big does not have them.
const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Make makes a new key: the prefix, 256 random bits in base62, and a checksum of both.
func Make() string {
	var random [randomBytes]byte
	_, _ = rand.Read(random[:]) // it never fails: it ends the process instead
	body := Prefix + base62(new(big.Int).SetBytes(random[:]), bodyLength)
	check := checksum(body)
	return body + string(check[:])
}

// LooksLike tells whether a credential is meant to be a key: no other one that this
// module knows begins as keys do.
func LooksLike(credential string) bool { return strings.HasPrefix(credential, Prefix) }

// WellFormed tells whether a text is a key whose checksum is right, though it may be
// one that no file has. What was mistyped or cut off is told from that at once.
func WellFormed(text string) bool {
	if len(text) != secretLength || !LooksLike(text) || strings.Trim(text[len(Prefix):], digits) != "" {
		return false
	}
	body := text[:secretLength-checkLength]
	check := checksum(body)
	return string(check[:]) == text[len(body):]
}

// checksum is the CRC-32 (IEEE) of a text, in base62.
func checksum(text string) (check [checkLength]byte) {
	sum := crc32.ChecksumIEEE([]byte(text))
	for i := checkLength - 1; i >= 0; i-- {
		check[i] = digits[sum%uint32(len(digits))]
		sum /= uint32(len(digits))
	}
	return check
}

// base62 writes a number with so many digits, the most significant one first.
func base62(n *big.Int, length int) string {
	text := make([]byte, length)
	base, digit := big.NewInt(int64(len(digits))), new(big.Int)
	for i := length - 1; i >= 0; i-- {
		n.DivMod(n, base, digit)
		text[i] = digits[digit.Int64()]
	}
	return string(text)
}

// Digest is the SHA-256 of a whole key.
type Digest [sha256.Size]byte

// DigestOf is the digest of a key.
func DigestOf(key string) Digest {
	var room [secretLength]byte // without an allocation
	return sha256.Sum256(append(room[:0], key...))
}

// Hash is the digest as a file has it: "sha256:" and 64 hex digits.
func (d Digest) Hash() string { return hashPrefix + hex.EncodeToString(d[:]) }

// String keeps a digest out of logs: a file has it, and nothing else should.
func (Digest) String() string { return "(hash of an API key)" }

// GoString is String for %#v.
func (d Digest) GoString() string { return d.String() }

const hashPrefix = "sha256:"

// parseHash reads the hash of a key. Get-FileHash of PowerShell writes capitals.
func parseHash(hash string) (d Digest, err error) {
	text, prefixed := strings.CutPrefix(hash, hashPrefix)
	switch {
	case hash == "":
		return d, errNoHash
	case strings.Contains(hash, Prefix):
		return d, errPlaintext
	case !prefixed && hex.DecodedLen(len(hash)) == len(d):
		return d, errNoPrefix
	case !prefixed || len(text) != hex.EncodedLen(len(d)):
		return d, errHash
	}
	if _, err := hex.Decode(d[:], []byte(text)); err != nil {
		return Digest{}, errHash
	}
	return d, nil
}

var (
	errNoHash    = errors.New(`it has no hash: make a key with its hash with "caddy grant key add"`)
	errPlaintext = errors.New(`hash: this is a key, and a file has only its hash: write "sha256:" and what "printf %s <key> | sha256sum" prints`)
	errNoPrefix  = errors.New(`hash: write "sha256:" before the hex digits`)
	errHash      = errors.New(`hash: it must be "sha256:" and the 64 hex digits of the SHA-256 of a key, as "caddy grant key add" writes it`)
)

// isSecret tells whether a text may hold a key, a hash, or most of one. An operator may
// have swapped two fields, and what an error quotes ends up in a log.
func isSecret(text string) bool { return secretWithin.MatchString(text) }

var secretWithin = regexp.MustCompile(`cgk_|[0-9A-Fa-f]{32}|[0-9A-Za-z]{40}`)
