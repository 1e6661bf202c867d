package password

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // read only, and only with allow_weak_hashes
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"github.com/caddygrant/caddy-grant/internal/mac"
)

const (
	prefixSHA  = "{SHA}"
	prefixSSHA = "{SSHA}"

	sshaMaxSalt = 64
)

// Digest keeps a secret that the configuration has in clear as its HMAC-SHA-256, so
// that it is compared in constant time and does not stay in memory. The key is random,
// at least 32 bytes. A secret that is empty, longer than MaxLength or has a NUL byte
// matches nothing: refuse it where it is read.
func Digest(key mac.Key, secret string) Hash {
	return Hash{params: Params{Scheme: KeyedDigest}, key: key, sum: labeled(key, secretLabel, []byte(secret))}
}

func matchesDigest(h Hash, password []byte) bool {
	return hmac.Equal(labeled(h.key, secretLabel, password), h.sum)
}

// Labels keep apart what one key is used for.
const (
	secretLabel = "secret\x00"
	decoyLabel  = "decoy\x00"
)

// labeled returns the 32 bytes of HMAC-SHA-256 (RFC 2104) of label and data.
func labeled(key mac.Key, label string, data []byte) []byte {
	return key.Append(nil, []byte(label), data)
}

// parseSHA1 reads "{SHA}" and "{SSHA}" (RFC 2307 §5.3 and its usual extension): base64,
// with padding, of the SHA-1 of the password, or of password and salt followed by the
// salt.
func parseSHA1(encoded string, allowWeak bool) (Hash, error) {
	if text, unsalted := strings.CutPrefix(encoded, prefixSHA); unsalted {
		if !allowWeak {
			return Hash{}, errWeakSHA
		}
		sum, ok := decode(base64.StdEncoding, text, sha1.Size, sha1.Size)
		if !ok {
			return Hash{}, errSHA
		}
		return Hash{params: Params{Scheme: SHA1}, sum: sum}, nil
	}
	if !allowWeak {
		return Hash{}, errWeakSSHA
	}
	both, ok := decode(base64.StdEncoding, encoded[len(prefixSSHA):], sha1.Size+1, sha1.Size+sshaMaxSalt)
	if !ok {
		return Hash{}, errSSHA
	}
	return Hash{params: Params{Scheme: SaltedSHA1}, sum: both[:sha1.Size], salt: both[sha1.Size:]}, nil
}

func matchesSHA1(h Hash, password []byte) bool {
	d := sha1.New() //nolint:gosec // see the import
	d.Write(password)
	d.Write(h.salt)
	return subtle.ConstantTimeCompare(d.Sum(nil), h.sum) == 1
}

// decoyDigest returns a hash of one of the three schemes of this file. A salt of {SSHA}
// has 8 bytes; its length makes no difference that is measurable over a network.
func decoyDigest(p Params, key mac.Key, seed []byte) Hash {
	h := Hash{params: p, decoy: true}
	switch p.Scheme {
	case SHA1:
		h.sum = make([]byte, sha1.Size)
	case SaltedSHA1:
		h.sum, h.salt = make([]byte, sha1.Size), seed[:8]
	default:
		h.sum, h.key = make([]byte, sha256.Size), key
	}
	return h
}
