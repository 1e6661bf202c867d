package password

import (
	"errors"
	"strings"
)

// refusal is an error of Parse. All are constants: a text built from the hash cannot be
// one.
type refusal string

func (r refusal) Error() string {
	if r == errPlainSecret {
		return string(r)
	}
	return "reading password hash: " + string(r)
}

// remedy names a cost, because htpasswd -B alone uses 5 and the new hash would cause
// the next warning.
const remedy = `; make a new one with "caddy hash-password --algorithm argon2id" or "htpasswd -B -C 12"`

// IsRefusal tells whether a hash was refused.
func IsRefusal(err error) bool { return errors.As(err, new(refusal)) }

// WithoutRemedy takes off a reason or an advice that a new hash is the remedy, for a
// command that knows a shorter way, and tells whether it is.
func WithoutRemedy(text string) (reason string, anew bool) { return strings.CutSuffix(text, remedy) }

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

	errYescrypt       refusal = "it begins like yescrypt but is damaged: it should be $y$, three characters of parameters, $salt$ and 43 characters out of [./0-9A-Za-z]" + remedy
	errYescryptParams refusal = "the yescrypt parameters are not j, N from 2^10 to 2^18 and r from 1 to 32, which is what mkpasswd writes" + remedy
	errYescryptMemory refusal = `yescrypt would take more than 256 MiB; make a new one with "mkpasswd -m yescrypt -R 9" or a lower cost`

	errAPR1        refusal = "it begins like Apache's apr1 but is damaged: it should be $apr1$salt$hash, with 1 to 8 and 22 characters out of [./0-9A-Za-z]" + remedy
	errMD5Crypt    refusal = "it begins like md5-crypt but is damaged: it should be $1$salt$hash, with 1 to 8 and 22 characters out of [./0-9A-Za-z]" + remedy
	errSHA256Crypt refusal = "it begins like sha256-crypt but is damaged: it should be $5$[rounds=N$]salt$hash, with 1 to 16 and 43 characters out of [./0-9A-Za-z]" + remedy
	errSHA512Crypt refusal = "it begins like sha512-crypt but is damaged: it should be $6$[rounds=N$]salt$hash, with 1 to 16 and 86 characters out of [./0-9A-Za-z]" + remedy
	errRounds      refusal = "the sha-crypt rounds are not from 1000 to 1000000" + remedy

	errWeakSHA  refusal = "{SHA} is one round of SHA-1 without a salt, guessed almost at once, and allow_weak_hashes is not set" + remedy
	errWeakSSHA refusal = "{SSHA} is one round of SHA-1, guessed almost at once, and allow_weak_hashes is not set" + remedy
	errSHA      refusal = "it begins like {SHA} but is damaged: 28 characters of base64 should follow" + remedy
	errSSHA     refusal = "it begins like {SSHA} but is damaged: base64 of 20 bytes and a salt of 1 to 64 bytes should follow" + remedy
)

// ErrPlaintext is the error of [Parse] for what looks like nothing but a password.
var ErrPlaintext error = errPlaintext

// What is not a hash as it is written, though there may be one in it.
const (
	errEmpty           refusal = "it is empty" + remedy
	errBlanks          refusal = "there are blanks or invisible characters before or after it; remove them"
	errBlankWithin     refusal = "it has a blank in it; a hash has none: remove it and what does not belong to the hash"
	errNotASCII        refusal = "it has characters in it that are not ASCII, perhaps invisible ones; copy the hash again"
	errQuotes          refusal = "there are quotes or commas around it; remove them"
	errBackslash       refusal = "its dollars are written with a backslash before them, as for a shell; remove the backslashes"
	errPercent         refusal = "it is percent-encoded; write $ in place of %24"
	errDoubledDollars  refusal = "its dollars are doubled, as in a file for Docker Compose; write each one once"
	errPlaceholder     refusal = "it looks like a placeholder or a variable, which is not replaced in a hash; write the hash itself"
	errLocked          refusal = "it is what /etc/shadow or /etc/passwd has in place of a hash, or marks an account as locked; remove the entry, or the mark before the hash"
	errBase64          refusal = `it looks like a hash in base64, as a Kubernetes secret has it and old versions of "caddy hash-password" printed it; write it decoded, beginning with $`
	errNoDollar        refusal = "the $ at its beginning is missing; add it"
	errDjangoPrefix    refusal = "Django's name of the algorithm is before it; remove the name, so that the hash begins with $2 or $argon2id$"
	errPrefixScheme    refusal = "the scheme in braces is not the scheme of the hash that follows it; correct or remove the braces"
	errPrefixTwice     refusal = "there is more than one scheme in braces before it; keep one, or none"
	errDovecotEncoding refusal = "it has one of Dovecot's encodings (.b64, .base64, .hex) in its scheme; write the hash decoded, beginning with $"
)

// Hashes of a kind that is not accepted.
const (
	errBcryptOld       refusal = "it looks like bcrypt in a version with a known defect ($2$, $2x$); only $2a$, $2b$ and $2y$ are supported" + remedy
	errBcryptOfDigest  refusal = "it looks like bcrypt of a digest of the password (passlib's $bcrypt-sha256$, Django's bcrypt_sha256, WordPress's $wp$), which is not supported" + remedy
	errArgon2          refusal = "it looks like argon2i or argon2d; only argon2id is supported" + remedy
	errGostYescrypt    refusal = "it looks like gost-yescrypt ($gy$), which is not supported; yescrypt ($y$) is" + remedy
	errScrypt          refusal = "it looks like scrypt, which is not supported" + remedy
	errPBKDF2          refusal = "it looks like PBKDF2, which is not supported" + remedy
	errMosquitto       refusal = "it looks like a hash of mosquitto_passwd (PBKDF2 or salted SHA-512), which is not supported" + remedy
	errSCRAM           refusal = "it looks like SCRAM, which is not supported" + remedy
	errSHA1Crypt       refusal = "it looks like sha1-crypt ($sha1$), which is not supported" + remedy
	errSunMD5          refusal = "it looks like SunMD5 ($md5$), which is not supported" + remedy
	errPHPass          refusal = "it looks like phpass ($P$, $H$), as WordPress and phpBB used it, which is not supported" + remedy
	errDrupal          refusal = "it looks like a hash of Drupal ($S$), which is not supported" + remedy
	errNT              refusal = "it looks like an NT or LAN Manager hash, which is guessed almost at once" + remedy
	errMySQL           refusal = "it looks like a hash of MySQL, which is not supported" + remedy
	errSaltedDigest    refusal = "it looks like a digest with a salt, as old versions of Django and Werkzeug wrote it, which is guessed almost at once" + remedy
	errBSDi            refusal = "it looks like BSDi's extended DES crypt (_ and 19 characters), which is not supported" + remedy
	errLDAP            refusal = "it begins with an LDAP scheme in braces that is not supported: only {SHA} and {SSHA} can be allowed, with allow_weak_hashes" + remedy
	errBracedPlaintext refusal = "its scheme in braces says that it is a plaintext password: passwords are only kept as hashes" + remedy
	errHex             refusal = "it looks like a plain MD5, NT or SHA digest in hex, which is guessed almost at once" + remedy
	errBase64Digest    refusal = "it looks like a plain MD5 or SHA digest in base64, which is guessed almost at once" + remedy
	errDES             refusal = "it looks like DES crypt (13 characters), which ignores all but the first 8 of a password, or like a plaintext password" + remedy
	errDollar          refusal = "it begins with $ but with no supported prefix: $2a$, $2b$, $2y$, $argon2id$, $y$, $apr1$, $1$, $5$ or $6$" + remedy
	errPlainSecret     refusal = `secret_hash: it looks like the secret itself, not like a hash of it: a Caddyfile has a plaintext one as "secret {file./path/to/secret}"; for a file, make a hash with "caddy grant client rotate-secret"`
	errPlaintext       refusal = "it looks like a plaintext password: passwords are only kept as hashes" + remedy
)
