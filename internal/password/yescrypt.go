package password

import (
	"crypto/subtle"
	"strings"

	"github.com/go-crypt/x/yescrypt"
)

const (
	prefixYescrypt = "$y$"

	// yescryptFlavor is the only flavor that libxcrypt writes: yescrypt's defaults, one
	// lane, no extra time.
	yescryptFlavor = "j"

	yescryptMinLogN, yescryptMaxLogN = 10, 18
	yescryptMaxBlock                 = 32     // r
	yescryptMaxMemory                = 262144 // KiB
	yescryptMaxSalt                  = 64     // bytes
	yescryptSum                      = 32     // bytes
)

// parseYescrypt reads "$y$jNr$salt$sum", as Linux's mkpasswd and passwd write it: the
// logarithm of N, and r, are a character each. Within their bounds the memory also
// bounds the time.
func parseYescrypt(encoded string) (Hash, error) {
	parts := strings.Split(encoded, "$") // "", y, jNr, salt, sum
	if len(parts) != 5 {
		return Hash{}, errYescrypt
	}
	if len(parts[2]) != 3 || !strings.HasPrefix(parts[2], yescryptFlavor) {
		return Hash{}, errYescryptParams
	}
	logN := strings.IndexByte(cryptAlphabet, parts[2][1]) + 1
	r := strings.IndexByte(cryptAlphabet, parts[2][2]) + 1
	if logN < yescryptMinLogN || logN > yescryptMaxLogN || r < 1 || r > yescryptMaxBlock {
		return Hash{}, errYescryptParams
	}
	memory := uint32(r) << logN / 8 // KiB, of 128·N·r bytes
	if memory > yescryptMaxMemory {
		return Hash{}, errYescryptMemory
	}
	salt, sum := yescrypt.Decode64([]byte(parts[3])), yescrypt.Decode64([]byte(parts[4]))
	if len(salt) == 0 || len(salt) > yescryptMaxSalt || len(sum) != yescryptSum {
		return Hash{}, errYescrypt
	}
	return Hash{params: Params{Scheme: Yescrypt, cost: uint32(logN), memory: memory}, salt: salt, sum: sum}, nil
}

// yescryptBlock is r.
func yescryptBlock(p Params) int { return int(p.memory * 8 >> p.cost) }

// matchesYescrypt treats a panic of the library on something that Parse accepted as a
// wrong password.
func matchesYescrypt(h Hash, password []byte) (same bool) {
	defer func() {
		if recover() != nil {
			same = false
		}
	}()
	sum, err := yescrypt.Key(password, h.salt, 1<<h.params.cost, yescryptBlock(h.params), 1, yescryptSum)
	return err == nil && subtle.ConstantTimeCompare(sum, h.sum) == 1
}

// decoyYescrypt returns a hash with a salt from seed, which has at least 16 bytes; its
// length does not affect the cost.
func decoyYescrypt(p Params, seed []byte) Hash {
	return Hash{params: p, salt: seed[:16], sum: make([]byte, yescryptSum), decoy: true}
}
