package password

import (
	"crypto/subtle"
	"fmt"
	"strings"

	"github.com/GehirnInc/crypt"
	"github.com/GehirnInc/crypt/apr1_crypt"
	"github.com/GehirnInc/crypt/sha256_crypt"
	"github.com/GehirnInc/crypt/sha512_crypt"
)

const (
	prefixAPR1   = "$apr1$"
	prefixSHA256 = "$5$"
	prefixSHA512 = "$6$"

	// cryptAlphabet is the base64 of crypt(3), in the order of its values. It is also what Apache, glibc, libxcrypt and
	// openssl make salts of. glibc would take more characters there if an administrator chose the salt by hand.
	cryptAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

	apr1MaxSalt = 8
	shaMaxSalt  = 16

	shaRoundsPrefix               = "rounds="
	shaMinRounds, shaMaxRounds    = 1000, 500000
	shaDefaultRounds              = 5000
	apr1Sum, sha256Sum, sha512Sum = 22, 43, 86
)

// parseAPR1 reads "$apr1$salt$sum", Apache's variant of md5-crypt with 1000 rounds.
func parseAPR1(encoded string) (Hash, error) {
	salt, sum, ok := strings.Cut(encoded[len(prefixAPR1):], "$")
	if !ok || !saltAndSum(salt, sum, apr1MaxSalt, apr1Sum) {
		return Hash{}, errAPR1
	}
	return Hash{params: Params{Scheme: APR1, salt: uint8(len(salt))}, text: encoded}, nil
}

// parseSHACrypt reads "$5$[rounds=N$]salt$sum" or the same with "$6$", as in https://www.akkadia.org/drepper/SHA-crypt.txt.
// Rounds are spelled as they are printed, without sign and zeros before them, or the texts compared would differ.
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
	return Hash{params: Params{Scheme: scheme, cost: rounds, salt: uint8(len(salt))}, text: encoded}, nil
}

// saltAndSum reports whether both parts have their length and alphabet, and the sum's last character no bit set that the
// digest does not fill: of 43 characters two are to spare, of 22 and of 86 four.
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

// matchesCrypt computes the hash anew and compares the texts. The library's Verify would do so too, but with "rounds=" it
// reads a salt of fewer than 16 characters together with the sum after it, and then nothing matches: it gets the hash
// without its sum. If it panics on something that Parse let through, that is a wrong password rather than an outage.
func matchesCrypt(h Hash, password []byte) (same bool) {
	defer func() {
		if recover() != nil {
			same = false
		}
	}()
	var crypter crypt.Crypter
	switch h.params.Scheme {
	case APR1:
		crypter = apr1_crypt.New()
	case SHA256Crypt:
		crypter = sha256_crypt.New()
	default:
		crypter = sha512_crypt.New()
	}
	text, err := crypter.Generate(password, []byte(h.text[:strings.LastIndexByte(h.text, '$')]))
	return err == nil && subtle.ConstantTimeCompare([]byte(text), []byte(h.text)) == 1
}

// decoyCrypt returns a hash with the rounds and the salt's length of p and a salt out of seed, which has at least 16
// bytes.
func decoyCrypt(p Params, seed []byte) Hash {
	salt := letters(seed[:p.salt])
	var text string
	switch p.Scheme {
	case APR1:
		text = prefixAPR1 + salt + "$" + strings.Repeat(".", apr1Sum)
	case SHA256Crypt:
		text = fmt.Sprintf("%s%s%d$%s$%s", prefixSHA256, shaRoundsPrefix, p.cost, salt, strings.Repeat(".", sha256Sum))
	default:
		text = fmt.Sprintf("%s%s%d$%s$%s", prefixSHA512, shaRoundsPrefix, p.cost, salt, strings.Repeat(".", sha512Sum))
	}
	return Hash{params: p, text: text, decoy: true}
}
