package password

import (
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

const (
	// bcryptMaxLength is how many bytes of a password bcrypt's key schedule uses
	// (Provos and Mazières, 1999).
	bcryptMaxLength = 72

	bcryptMinCost, bcryptMaxCost = 4, 16

	bcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

	// bcryptHead, bcryptSalt and bcryptSum are the lengths of the parts of "$2a$10$",
	// salt, sum.
	bcryptHead, bcryptSalt, bcryptSum = 7, 22, 31
)

// parseBcrypt reads "$2a$", two digits of cost, "$", 22 characters of salt and 31 of
// sum. The letter makes no difference: 2y is what Apache and PHP call OpenBSD's 2b, and
// 2a differed for passwords over 255 bytes.
func parseBcrypt(encoded string) (Hash, error) {
	if len(encoded) != bcryptHead+bcryptSalt+bcryptSum || encoded[6] != '$' {
		return Hash{}, errBcrypt
	}
	cost, ok := number(strings.TrimPrefix(encoded[4:6], "0"), bcryptMinCost, bcryptMaxCost)
	if !ok {
		return Hash{}, errBcryptCost
	}
	if !only(encoded[bcryptHead:], bcryptAlphabet) {
		return Hash{}, errBcrypt
	}
	// The last character of the sum has two bits to spare. If one of them is set, the
	// hash was cut or mistyped, and nothing matches. The salt's spare bits are left
	// alone: some programs set them, and the comparison ignores them.
	if strings.IndexByte(bcryptAlphabet, encoded[len(encoded)-1])&3 != 0 {
		return Hash{}, errBcrypt
	}
	return Hash{params: Params{Scheme: Bcrypt, cost: cost}, text: encoded}, nil
}

func matchesBcrypt(h Hash, password []byte) bool {
	return bcrypt.CompareHashAndPassword([]byte(h.text), password) == nil
}

// decoyBcrypt returns a hash of the given cost with a salt from seed, which has at
// least 22 bytes.
func decoyBcrypt(p Params, seed []byte) Hash {
	text := fmt.Sprintf("$2a$%02d$%s%s", p.cost, letters(seed[:bcryptSalt]), strings.Repeat(".", bcryptSum))
	return Hash{params: p, text: text, decoy: true}
}

// letters returns one character per byte that bcrypt and crypt(3) both take in a salt.
func letters(seed []byte) string {
	text := make([]byte, len(seed))
	for i, b := range seed {
		text[i] = bcryptAlphabet[b&63]
	}
	return string(text)
}
