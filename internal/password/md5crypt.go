package password

import (
	"crypto/md5" //nolint:gosec // read only: what htpasswd writes by default
	"crypto/subtle"
	"strings"

	"github.com/go-crypt/x/base64"
)

const (
	prefixAPR1 = "$apr1$"
	prefixMD5  = "$1$"

	md5MaxSalt = 8
	md5Rounds  = 1000
	md5Sum     = 22
)

// parseMD5Crypt reads "$1$salt$sum", FreeBSD's md5-crypt, or Apache's variant of it
// that begins with "$apr1$".
func parseMD5Crypt(encoded, prefix string, scheme Scheme, damaged refusal) (Hash, error) {
	salt, sum, ok := strings.Cut(encoded[len(prefix):], "$")
	if !ok || !saltAndSum(salt, sum, md5MaxSalt, md5Sum) {
		return Hash{}, damaged
	}
	return Hash{params: Params{Scheme: scheme, salt: uint8(len(salt))}, salt: []byte(salt), sum: []byte(sum)}, nil
}

func matchesMD5Crypt(h Hash, password []byte) bool {
	prefix := prefixMD5
	if h.params.Scheme == APR1 {
		prefix = prefixAPR1
	}
	return subtle.ConstantTimeCompare(md5Crypt(prefix, password, h.salt), h.sum) == 1
}

// md5Crypt is Poul-Henning Kamp's algorithm. The prefix goes into the digest. That is
// all that apr1 changes, and why the library does not help: it has md5-crypt with its
// own prefix only.
func md5Crypt(prefix string, password, salt []byte) []byte {
	digest := md5.New() //nolint:gosec // see the import
	write := func(parts ...[]byte) {
		for _, part := range parts {
			digest.Write(part)
		}
	}
	write(password, salt, password)
	other := digest.Sum(nil)

	digest.Reset()
	write(password, []byte(prefix), salt)
	for left := len(password); left > 0; left -= len(other) {
		write(other[:min(left, len(other))])
	}
	for bits := len(password); bits > 0; bits >>= 1 {
		if bits&1 != 0 {
			write([]byte{0})
		} else {
			write(password[:1])
		}
	}
	sum := digest.Sum(nil)

	for round := range md5Rounds {
		first, last := sum, password
		if round&1 != 0 {
			first, last = password, sum
		}
		digest.Reset()
		write(first)
		if round%3 != 0 {
			write(salt)
		}
		if round%7 != 0 {
			write(password)
		}
		write(last)
		sum = digest.Sum(sum[:0])
	}
	ordered := make([]byte, 0, md5.Size)
	for _, i := range []int{12, 6, 0, 13, 7, 1, 14, 8, 2, 15, 9, 3, 5, 10, 4, 11} {
		ordered = append(ordered, sum[i])
	}
	return base64.EncodeCrypt(ordered)
}
