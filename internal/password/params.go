package password

import (
	"cmp"
	"fmt"
	"strings"
)

// Scheme names a way to hash passwords, for messages and for metrics.
type Scheme string

// The schemes. KeyedDigest is made by Digest and is never read from a file.
const (
	Bcrypt      Scheme = "bcrypt"
	Argon2id    Scheme = "argon2id"
	Yescrypt    Scheme = "yescrypt"
	APR1        Scheme = "apr1"
	MD5Crypt    Scheme = "md5-crypt"
	SHA256Crypt Scheme = "sha256-crypt"
	SHA512Crypt Scheme = "sha512-crypt"
	SHA1        Scheme = "{SHA}"
	SaltedSHA1  Scheme = "{SSHA}"
	KeyedDigest Scheme = "digest"
)

// Params decide how long one comparison takes and how much memory it needs, for a given
// password. Two hashes with equal Params cannot be told apart by their timing. They can
// be map keys. The zero Params belong to no scheme.
type Params struct {
	Scheme Scheme

	cost    uint32 // bcrypt: log2 of the rounds; sha-crypt: rounds; argon2id: t, passes; yescrypt: log2 of N
	memory  uint32 // argon2id: m, KiB; yescrypt: that of N and r, KiB
	threads uint8  // argon2id: p

	// salt is the length of the salt in crypt(3) schemes, in bytes. A short salt can
	// save a whole block of the digest in each round, and the user chooses the
	// password's length and with it where the block ends.
	salt uint8
}

// String returns the scheme and its parameters in the scheme's own terms, such as
// "bcrypt cost 10" and "argon2id m=47104,t=1,p=1". Different Params have different
// strings.
func (p Params) String() string {
	switch p.Scheme {
	case Bcrypt:
		return fmt.Sprintf("bcrypt cost %d", p.cost)
	case Argon2id:
		return fmt.Sprintf("argon2id m=%d,t=%d,p=%d", p.memory, p.cost, p.threads)
	case Yescrypt:
		return fmt.Sprintf("yescrypt N=%d,r=%d", 1<<p.cost, yescryptBlock(p))
	case APR1, MD5Crypt:
		return fmt.Sprintf("%s salt=%d", p.Scheme, p.salt)
	case SHA256Crypt, SHA512Crypt:
		return fmt.Sprintf("%s rounds=%d,salt=%d", p.Scheme, p.cost, p.salt)
	}
	return string(p.Scheme)
}

// Kind names hashes that take the same time to compare: String without the length of
// the salt, which matters for few passwords.
func (p Params) Kind() string {
	if p.Scheme == KeyedDigest {
		return "plaintext"
	}
	kind, _, _ := strings.Cut(p.String(), "salt=")
	return strings.TrimRight(kind, " ,")
}

// Advice returns why hashes like this one should be replaced and with what, or "" if
// they are good enough. It is worded to follow a number of hashes, and is the same text
// for Params that share a reason: group by it, warn once per file.
func (p Params) Advice() string {
	switch p.Scheme {
	case Bcrypt:
		if p.cost < adviseBcryptCost {
			return "bcrypt with a cost below 10, quick to guess" + remedy
		}
	case APR1:
		return "apr1 (MD5), quick to guess" + remedy
	case MD5Crypt:
		return "md5-crypt ($1$), quick to guess" + remedy
	case SHA1:
		return "{SHA} (SHA-1 without a salt), guessed almost at once" + remedy
	case SaltedSHA1:
		return "{SSHA} (one round of SHA-1), guessed almost at once" + remedy
	}
	return ""
}

// adviseBcryptCost is OWASP's minimum (Password Storage Cheat Sheet); htpasswd -B
// without -C uses 5.
const adviseBcryptCost = 10

// Memory returns the bytes that one comparison allocates at once: argon2id's m, and the
// product of yescrypt's N and r. It is 0 for the other schemes, which need only a few
// KiB.
func (p Params) Memory() uint64 { return uint64(p.memory) * 1024 }

// Cheap reports whether a comparison is so quick, some microseconds, that it needs no
// slot of the Gate: keyed digests.
func (p Params) Cheap() bool { return p.Scheme == KeyedDigest }

// compare orders Params, so that results do not depend on the order of the entries in a
// file.
func (p Params) compare(q Params) int {
	return cmp.Or(
		cmp.Compare(p.Scheme, q.Scheme),
		cmp.Compare(p.cost, q.cost),
		cmp.Compare(p.memory, q.memory),
		cmp.Compare(p.threads, q.threads),
		cmp.Compare(p.salt, q.salt),
	)
}
