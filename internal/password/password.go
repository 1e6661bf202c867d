// Package password compares passwords with the hashes that operators keep in their files: which formats are taken and
// within which bounds (Parse), what one comparison costs (Params), what an unknown name is compared with instead
// (Decoy), and how many comparisons run at the same time (Gate).
package password

import (
	"fmt"
	"strings"

	"github.com/caddygrant/caddy-grant/internal/mac"
)

// MaxLength is the longest password in bytes that can match, whatever the scheme. sha-crypt's work grows with the
// square of the password's length, and no person types more. bcrypt takes 72 bytes at most, see Hash.Matches.
const MaxLength = 1024

// maxEncoded bounds a hash before anything looks into it. The longest that can be accepted, argon2id with a salt and
// a key of 64 bytes, has 208 bytes.
const maxEncoded = 256

// Hash is one parsed password hash, a keyed digest of a secret, or a decoy. It is made anew for every comparison: a
// source of a million users keeps strings. The zero Hash matches nothing. It formats as its Params, never as itself.
type Hash struct {
	params    Params
	text      string  // bcrypt and crypt(3): the whole hash, for the comparers that read it themselves
	salt, sum []byte  // the other schemes: decoded
	key       mac.Key // Digest only
	decoy     bool
}

// Parse reads a password hash in the format that its prefix names and checks its bounds:
//
//	$2a$ $2b$ $2y$      bcrypt, cost 4 to 16
//	$argon2id$v=19$     argon2id (RFC 9106): m at most 262144 (256 MiB) and at least 8·p, t and p from 1 to 16,
//	                    salt 8 to 64 bytes, key 16 to 64 bytes
//	$apr1$              Apache's MD5
//	$5$ $6$             sha256-crypt, sha512-crypt: rounds 1000 to 500000
//	{SHA} {SSHA}        SHA-1, only with allowWeak
//
// The error says what the text looks like and how to make a better one. It is one of a fixed set of texts, so that it
// cannot contain the hash or a piece of it; whoever calls adds the file and the line.
func Parse(encoded string, allowWeak bool) (Hash, error) {
	if len(encoded) > maxEncoded {
		return Hash{}, errTooLong
	}
	switch {
	case strings.HasPrefix(encoded, "$2a$"), strings.HasPrefix(encoded, "$2b$"), strings.HasPrefix(encoded, "$2y$"):
		return parseBcrypt(encoded)
	case strings.HasPrefix(encoded, "$argon2id$"):
		return parseArgon2id(encoded)
	case strings.HasPrefix(encoded, prefixAPR1):
		return parseAPR1(encoded)
	case strings.HasPrefix(encoded, prefixSHA256):
		return parseSHACrypt(encoded, prefixSHA256, SHA256Crypt, errSHA256Crypt)
	case strings.HasPrefix(encoded, prefixSHA512):
		return parseSHACrypt(encoded, prefixSHA512, SHA512Crypt, errSHA512Crypt)
	case strings.HasPrefix(encoded, prefixSHA), strings.HasPrefix(encoded, prefixSSHA):
		return parseSHA1(encoded, allowWeak)
	}
	return Hash{}, lookalike(encoded)
}

// Params returns what one comparison with this hash costs.
func (h Hash) Params() Params { return h.params }

// Matches reports whether this is the hash of the password. Three kinds of passwords match nothing: the empty one; one
// that is longer than MaxLength, or than 72 bytes with bcrypt, which would compare the first 72 and ignore the rest; and
// one with a NUL byte, because bcrypt repeats password and NUL to fill its key, which makes "a" and "a\x00a" the same,
// and because C programs hashed only what is before the NUL. A decoy matches nothing either.
//
// All of these cost what a wrong password costs: the time must not tell what there is to compare with, so the work is
// always done, on the password's first bytes if it is too long, and the answer is overruled afterwards.
func (h Hash) Matches(password string) bool {
	limit := MaxLength
	if h.params.Scheme == Bcrypt {
		limit = bcryptMaxLength
	}
	refused := h.decoy || password == "" || len(password) > limit || strings.IndexByte(password, 0) >= 0
	work := []byte(password[:min(len(password), limit)])

	var same bool
	switch h.params.Scheme {
	case Bcrypt:
		same = matchesBcrypt(h, work)
	case Argon2id:
		same = matchesArgon2id(h, work)
	case APR1, SHA256Crypt, SHA512Crypt:
		same = matchesCrypt(h, work)
	case SHA1, SaltedSHA1:
		same = matchesSHA1(h, work)
	case KeyedDigest:
		same = matchesDigest(h, work)
	}
	return same && !refused
}

// Format writes the Params for every verb, so that no log line and no error holds a hash by accident.
func (h Hash) Format(s fmt.State, _ rune) { fmt.Fprint(s, h.params.String()) }
