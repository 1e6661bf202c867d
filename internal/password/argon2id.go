package password

import (
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"golang.org/x/crypto/argon2"
)

const (
	argon2idMaxMemory                = 262144 // KiB
	argon2idMaxTime                  = 16
	argon2idMaxThreads               = 16
	argon2idMinSalt, argon2idMaxSalt = 8, 64
	argon2idMinKey, argon2idMaxKey   = 16, 64
)

// caddyDefault is what "caddy hash-password --algorithm argon2id" uses.
var caddyDefault = Params{Scheme: Argon2id, memory: 47104, cost: 1, threads: 1}

// parseArgon2id reads a hash in the PHC string format
// (github.com/P-H-C/phc-string-format). It checks everything at which argon2.IDKey
// panics or that it would attempt without a limit: t, p and the key's length, m.
func parseArgon2id(encoded string) (Hash, error) {
	parts := strings.Split(encoded, "$") // "", argon2id, v=19, m=…,t=…,p=…, salt, key; the prefix makes three of them
	if parts[2] != "v=19" {
		return Hash{}, errArgon2idVersion
	}
	if len(parts) != 6 {
		return Hash{}, errArgon2id
	}
	values := strings.Split(parts[3], ",")
	if len(values) != 3 {
		return Hash{}, errArgon2id
	}
	m, isMemory := strings.CutPrefix(values[0], "m=")
	t, isTime := strings.CutPrefix(values[1], "t=")
	p, isThreads := strings.CutPrefix(values[2], "p=")
	if !isMemory || !isTime || !isThreads {
		return Hash{}, errArgon2id
	}
	time, ok := number(t, 1, argon2idMaxTime)
	if !ok {
		return Hash{}, errArgon2idTime
	}
	threads, ok := number(p, 1, argon2idMaxThreads)
	if !ok {
		return Hash{}, errArgon2idThreads
	}
	memory, ok := number(m, 8*threads, argon2idMaxMemory) // RFC 9106 §3.1: at least 8·p
	if !ok {
		return Hash{}, errArgon2idMemory
	}
	salt, ok := decode(base64.RawStdEncoding, parts[4], argon2idMinSalt, argon2idMaxSalt)
	if !ok {
		return Hash{}, errArgon2idSalt
	}
	key, ok := decode(base64.RawStdEncoding, parts[5], argon2idMinKey, argon2idMaxKey)
	if !ok {
		return Hash{}, errArgon2idKey
	}
	params := Params{Scheme: Argon2id, memory: memory, cost: time, threads: uint8(threads)}
	return Hash{params: params, salt: salt, sum: key}, nil
}

func matchesArgon2id(h Hash, password []byte) bool {
	p := h.params
	key := argon2.IDKey(password, h.salt, p.cost, p.memory, p.threads, uint32(len(h.sum)))
	return subtle.ConstantTimeCompare(key, h.sum) == 1
}

// decoyArgon2id returns a hash with a salt from seed, which has at least 16 bytes. The
// lengths are Caddy's; they do not affect the cost, which is that of filling the
// memory.
func decoyArgon2id(p Params, seed []byte) Hash {
	return Hash{params: p, salt: seed[:16], sum: make([]byte, 32), decoy: true}
}
