package password

import "strings"

// refusal is an error of Parse. All are constants: a text that is put together from the hash cannot be one.
type refusal string

func (r refusal) Error() string { return "reading password hash: " + string(r) }

// remedy names a cost, because htpasswd -B alone uses 5 and the new hash would be worth the next warning.
const remedy = `; make a new one with "caddy hash-password --algorithm argon2id" or "htpasswd -B -C 12"`

const (
	errTooLong refusal = "it is longer than 256 bytes, which no accepted hash is; the line may be damaged"

	errBcrypt     refusal = "it begins like bcrypt but is damaged: bcrypt has 60 characters out of [./A-Za-z0-9] and $" + remedy
	errBcryptCost refusal = "the bcrypt cost is not from 04 to 16" + remedy

	errArgon2id        refusal = "it begins like argon2id but is damaged: it should be $argon2id$v=19$m=M,t=T,p=P$salt$key" + remedy
	errArgon2idVersion refusal = "the argon2id version is not v=19" + remedy
	errArgon2idMemory  refusal = "the argon2id memory m is not from 8·p to 262144 KiB (256 MiB)" + remedy
	errArgon2idTime    refusal = "the argon2id passes t are not from 1 to 16" + remedy
	errArgon2idThreads refusal = "the argon2id parallelism p is not from 1 to 16" + remedy
	errArgon2idSalt    refusal = "the argon2id salt is not 8 to 64 bytes in base64 without padding" + remedy
	errArgon2idKey     refusal = "the argon2id key is not 16 to 64 bytes in base64 without padding" + remedy

	errAPR1        refusal = "it begins like Apache's apr1 but is damaged: it should be $apr1$salt$hash, with 1 to 8 and 22 characters out of [./0-9A-Za-z]" + remedy
	errSHA256Crypt refusal = "it begins like sha256-crypt but is damaged: it should be $5$[rounds=N$]salt$hash, with 1 to 16 and 43 characters out of [./0-9A-Za-z]" + remedy
	errSHA512Crypt refusal = "it begins like sha512-crypt but is damaged: it should be $6$[rounds=N$]salt$hash, with 1 to 16 and 86 characters out of [./0-9A-Za-z]" + remedy
	errRounds      refusal = "the sha-crypt rounds are not from 1000 to 500000" + remedy

	errWeakSHA  refusal = "{SHA} is one round of SHA-1 without a salt, guessed almost at once, and allow_weak_hashes is not set" + remedy
	errWeakSSHA refusal = "{SSHA} is one round of SHA-1, guessed almost at once, and allow_weak_hashes is not set" + remedy
	errSHA      refusal = "it begins like {SHA} but is damaged: 28 characters of base64 should follow" + remedy
	errSSHA     refusal = "it begins like {SSHA} but is damaged: base64 of 20 bytes and a salt of 1 to 64 bytes should follow" + remedy

	errEmpty     refusal = "it is empty" + remedy
	errMD5Crypt  refusal = "it looks like md5-crypt ($1$), which is not supported" + remedy
	errBcryptOld refusal = "it looks like bcrypt in a version with a known defect ($2$, $2x$); only $2a$, $2b$ and $2y$ are supported" + remedy
	errArgon2    refusal = "it looks like argon2i or argon2d; only argon2id is supported" + remedy
	errYescrypt  refusal = "it looks like yescrypt, which is not supported" + remedy
	errScrypt    refusal = "it looks like scrypt, which is not supported" + remedy
	errPBKDF2    refusal = "it looks like PBKDF2, which is not supported" + remedy
	errLDAP      refusal = "it begins with an LDAP scheme in braces that is not supported: only {SHA} and {SSHA} can be allowed, with allow_weak_hashes" + remedy
	errBase64    refusal = `it looks like a hash in base64, as old versions of "caddy hash-password" printed it; write it decoded, beginning with $`
	errHex       refusal = "it looks like a plain MD5 or SHA digest in hex, which is guessed almost at once" + remedy
	errDES       refusal = "it looks like DES crypt (13 characters), which ignores all but the first 8 of a password, or like a plaintext password" + remedy
	errDollar    refusal = "it begins with $ but with no supported prefix: $2a$, $2b$, $2y$, $argon2id$, $apr1$, $5$ or $6$" + remedy
	errPlaintext refusal = "it looks like a plaintext password: passwords are only kept as hashes" + remedy
)

// lookalikes are formats that an operator may bring along, by their prefix.
var lookalikes = []struct {
	prefix string
	err    refusal
}{
	{"$1$", errMD5Crypt},
	{"$2$", errBcryptOld},
	{"$2x$", errBcryptOld},
	{"$argon2i$", errArgon2},
	{"$argon2d$", errArgon2},
	{"$y$", errYescrypt},
	{"$gy$", errYescrypt},
	{"$7$", errScrypt},
	{"$scrypt$", errScrypt},
	{"$pbkdf2", errPBKDF2},
	{"pbkdf2_", errPBKDF2}, // Django
	{"$", errDollar},
	{"{", errLDAP},
	{"JDJ", errBase64},        // "$2"
	{"JGFyZ29uMm", errBase64}, // "$argon2"
}

// lookalike returns what a text that has no accepted prefix looks like.
func lookalike(encoded string) error {
	if encoded == "" {
		return errEmpty
	}
	for _, l := range lookalikes {
		if strings.HasPrefix(encoded, l.prefix) {
			return l.err
		}
	}
	switch len(encoded) {
	case 13:
		if only(encoded, cryptAlphabet) {
			return errDES
		}
	case 32, 40, 64, 128:
		if only(encoded, "0123456789abcdefABCDEF") {
			return errHex
		}
	}
	return errPlaintext
}

// only reports whether s has no characters but those of the alphabet.
func only(s, alphabet string) bool {
	return strings.Trim(s, alphabet) == ""
}

// number reads a decimal number without sign and leading zeros that is from low to high, 9 digits at most.
func number(s string, low, high uint32) (uint32, bool) {
	if s == "" || len(s) > 9 || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	var n uint32
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + uint32(s[i]-'0')
	}
	return n, low <= n && n <= high
}
