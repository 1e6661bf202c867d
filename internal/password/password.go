// Package password compares passwords with the hashes that operators keep in their
// files: which formats are accepted and within which bounds (Parse), what one
// comparison costs (Params), what an unknown name is compared with instead (Decoy), and
// how many comparisons run at the same time (Gate).
package password

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/caddygrant/caddy-grant/internal/mac"
)

// MaxLength is the longest password in bytes that can match, whatever the scheme: no
// user types more.
const MaxLength = 1024

// maxLength is the longest password in bytes that can match a hash of the scheme.
// bcrypt would compare the first 72 bytes and ignore the rest, and the work of
// sha-crypt grows with the length.
func (s Scheme) maxLength() int {
	switch s {
	case Bcrypt:
		return bcryptMaxLength
	case SHA256Crypt, SHA512Crypt:
		return shaMaxLength
	}
	return MaxLength
}

// maxEncoded bounds a hash before anything looks into it. The longest that can be
// accepted, argon2id with a salt and a key of 64 bytes, has 208 bytes.
const maxEncoded = 256

// Hash is one parsed password hash, a keyed digest of a secret, or a decoy. It is
// parsed anew for every comparison: a source of a million users keeps strings. The zero
// Hash matches nothing. It formats as its Params, never as itself.
type Hash struct {
	params    Params
	text      string  // bcrypt: the whole hash, for the comparer that reads it itself
	salt, sum []byte  // the other schemes: decoded, except those of crypt(3), which are compared as they are written
	key       mac.Key // Digest only
	decoy     bool
}

// Parse reads a password hash in the format that its prefix names and checks its
// bounds:
//
//	$2a$ $2b$ $2y$      bcrypt, cost 4 to 16
//	$argon2id$v=19$     argon2id (RFC 9106): m at most 262144 (256 MiB) and at least 8·p, t and p from 1 to 16,
//	                    salt 8 to 64 bytes, key 16 to 64 bytes
//	$y$                 yescrypt as mkpasswd writes it: at most 256 MiB, N from 2^10 to 2^18, r from 1 to 32
//	$apr1$ $1$          Apache's MD5, md5-crypt
//	$5$ $6$             sha256-crypt, sha512-crypt: rounds 1000 to 1000000
//	{SHA} {SSHA}        SHA-1, only with allowWeak
//
// Before those with a $ there may be one scheme in braces, see Unprefixed.
//
// The error says what the text looks like and how to make a better one. It is one of a
// fixed set of texts, so that it cannot contain the hash or a piece of it; the caller
// adds the file and the line.
func Parse(encoded string, allowWeak bool) (Hash, error) {
	if len(encoded) > maxEncoded {
		return Hash{}, cmp.Or(foreignPrefix(encoded), errTooLong)
	}
	plain := Unprefixed(encoded)
	h, err := parse(plain, allowWeak)
	if err == "" {
		return h, nil
	}
	if err == errUnknown {
		return Hash{}, lookalike(plain)
	}
	if cause := disguised(plain); cause != "" && err != errWeakSHA && err != errWeakSSHA {
		err = cause
	} else if mosquitto.MatchString(plain) {
		err = errMosquitto
	}
	return Hash{}, err
}

// ParseSecret is Parse for the secret of a client, which can be kept in plaintext, too.
func ParseSecret(encoded string, allowWeak bool) (Hash, error) {
	h, err := Parse(encoded, allowWeak)
	switch err {
	case errPlaintext, errDES, errHex, errBase64Digest:
		err = errPlainSecret
	}
	return h, err
}

// errUnknown says that a text has no accepted prefix.
const errUnknown refusal = "unknown"

// parse is Parse for a hash without a scheme in braces. It returns "" in place of nil.
func parse(encoded string, allowWeak bool) (h Hash, reason refusal) {
	var err error
	switch {
	case strings.HasPrefix(encoded, "$2a$"), strings.HasPrefix(encoded, "$2b$"), strings.HasPrefix(encoded, "$2y$"):
		h, err = parseBcrypt(encoded)
	case strings.HasPrefix(encoded, "$argon2id$"):
		h, err = parseArgon2id(encoded)
	case strings.HasPrefix(encoded, prefixYescrypt):
		h, err = parseYescrypt(encoded)
	case strings.HasPrefix(encoded, prefixAPR1):
		h, err = parseMD5Crypt(encoded, prefixAPR1, APR1, errAPR1)
	case strings.HasPrefix(encoded, prefixMD5):
		h, err = parseMD5Crypt(encoded, prefixMD5, MD5Crypt, errMD5Crypt)
	case strings.HasPrefix(encoded, prefixSHA256):
		h, err = parseSHACrypt(encoded, prefixSHA256, SHA256Crypt, errSHA256Crypt)
	case strings.HasPrefix(encoded, prefixSHA512):
		h, err = parseSHACrypt(encoded, prefixSHA512, SHA512Crypt, errSHA512Crypt)
	case strings.HasPrefix(encoded, prefixSHA), strings.HasPrefix(encoded, prefixSSHA):
		h, err = parseSHA1(encoded, allowWeak)
	default:
		return Hash{}, errUnknown
	}
	if err != nil {
		reason, _ = err.(refusal) // they return nothing else
		return Hash{}, cmp.Or(reason, errUnknown)
	}
	return h, ""
}

// Params returns what one comparison with this hash costs.
func (h Hash) Params() Params { return h.params }

// Matches reports whether this is the hash of the password. Three kinds of passwords
// match nothing: the empty one; a password longer than its scheme's limit, see
// Scheme.maxLength; and a password with a NUL byte, because bcrypt repeats password and
// NUL to fill its key, which makes "a" and "a\x00a" the same, and because C programs
// hashed only what is before the NUL. A decoy matches nothing either.
//
// All of these cost what a wrong password costs: the time must not tell what there is
// to compare with, so the work is always done, on the password's first bytes if it is
// too long, and the result is overridden afterwards.
func (h Hash) Matches(password string) bool {
	limit := h.params.Scheme.maxLength()
	refused := h.decoy || password == "" || len(password) > limit || strings.IndexByte(password, 0) >= 0
	work := []byte(password[:min(len(password), limit)])

	var same bool
	switch h.params.Scheme {
	case Bcrypt:
		same = matchesBcrypt(h, work)
	case Argon2id:
		same = matchesArgon2id(h, work)
	case Yescrypt:
		same = matchesYescrypt(h, work)
	case APR1, MD5Crypt:
		same = matchesMD5Crypt(h, work)
	case SHA256Crypt, SHA512Crypt:
		same = matchesSHACrypt(h, work)
	case SHA1, SaltedSHA1:
		same = matchesSHA1(h, work)
	case KeyedDigest:
		same = matchesDigest(h, work)
	}
	return same && !refused
}

// Format writes the Params for every verb, so that no log line or error contains a hash
// by accident.
func (h Hash) Format(s fmt.State, _ rune) { fmt.Fprint(s, h.params.String()) }
