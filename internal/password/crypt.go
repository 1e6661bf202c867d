package password

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"strings"

	"github.com/go-crypt/x/crypt"
)

const (
	prefixSHA256 = "$5$"
	prefixSHA512 = "$6$"

	// cryptAlphabet is the base64 of crypt(3), in the order of its values. Apache,
	// glibc, libxcrypt and openssl also make salts of it. glibc would accept more
	// characters if an administrator chose the salt by hand.
	cryptAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

	shaMaxSalt = 16

	// shaMaxLength is the longest password in bytes that matches a sha-crypt hash: the
	// work is the rounds times the length, and with a million rounds a KiB would take a
	// core for seconds.
	shaMaxLength = 256

	// shaMaxRounds covers what passlib and Ansible write, 656000 and 535000.
	shaMinRounds, shaMaxRounds = 1000, 1000000
	shaRoundsPrefix            = "rounds="
	shaDefaultRounds           = 5000

	sha256Sum, sha512Sum = 43, 86
)

// parseSHACrypt reads "$5$[rounds=N$]salt$sum" or the same with "$6$", as in
// https://www.akkadia.org/drepper/SHA-crypt.txt. Rounds are spelled as they are
// printed, without a sign or leading zeros.
func parseSHACrypt(encoded, prefix string, scheme Scheme, damaged refusal) (Hash, error) {
	rest := encoded[len(prefix):]
	rounds := uint32(shaDefaultRounds)
	if after, found := strings.CutPrefix(rest, shaRoundsPrefix); found {
		n, tail, ok := strings.Cut(after, "$")
		if !ok {
			return Hash{}, damaged
		}
		if rounds, ok = number(n, shaMinRounds, shaMaxRounds); !ok {
			return Hash{}, errRounds
		}
		rest = tail
	}
	length := sha256Sum
	if scheme == SHA512Crypt {
		length = sha512Sum
	}
	salt, sum, ok := strings.Cut(rest, "$")
	if !ok || !saltAndSum(salt, sum, shaMaxSalt, length) {
		return Hash{}, damaged
	}
	return Hash{params: Params{Scheme: scheme, cost: rounds, salt: uint8(len(salt))}, salt: []byte(salt), sum: []byte(sum)}, nil
}

// saltAndSum reports whether both parts have the right length and alphabet, and the
// sum's last character has no spare bit set: 43 characters have two spare bits, 22 and
// 86 have four.
func saltAndSum(salt, sum string, maxSalt, sumLength int) bool {
	if len(salt) < 1 || len(salt) > maxSalt || !only(salt, cryptAlphabet) {
		return false
	}
	if len(sum) != sumLength || !only(sum, cryptAlphabet) {
		return false
	}
	last := strings.IndexByte(cryptAlphabet, sum[len(sum)-1])
	if sumLength == sha256Sum {
		return last < 16
	}
	return last < 4
}

// matchesSHACrypt compares the sums as they are written. If the library panics on
// something that Parse accepted, that counts as a wrong password rather than an outage.
func matchesSHACrypt(h Hash, password []byte) (same bool) {
	defer func() {
		if recover() != nil {
			same = false
		}
	}()
	digest := sha256.New
	if h.params.Scheme == SHA512Crypt {
		digest = sha512.New
	}
	sum := crypt.KeySHACrypt(digest, password, h.salt, int(h.params.cost))
	return subtle.ConstantTimeCompare(sum, h.sum) == 1
}

// decoyCrypt returns a hash of a crypt(3) scheme with the rounds and the salt length of
// p and a salt from seed, which has at least 16 bytes.
func decoyCrypt(p Params, seed []byte) Hash {
	length := map[Scheme]int{APR1: md5Sum, MD5Crypt: md5Sum, SHA256Crypt: sha256Sum, SHA512Crypt: sha512Sum}[p.Scheme]
	return Hash{params: p, salt: []byte(letters(seed[:p.salt])), sum: []byte(strings.Repeat(".", length)), decoy: true}
}
