package password

import (
	"bytes"
	"encoding/base64"
	"regexp"
	"strings"
	"unicode"
)

// lookalikes are formats that an operator may bring along, by their beginning.
var lookalikes = []struct {
	prefix string
	err    refusal
}{
	{"$2$", errBcryptOld},
	{"$2x$", errBcryptOld},
	{"$bcrypt-sha256$", errBcryptOfDigest}, // passlib
	{"$wp$2", errBcryptOfDigest},           // WordPress
	{"bcrypt_sha256$", errBcryptOfDigest},  // Django, as are the next
	{"bcrypt$", errDjangoPrefix},
	{"argon2$argon2", errDjangoPrefix},
	{"$argon2", errArgon2},
	{"$gy$", errGostYescrypt},
	{"$7$", errScrypt},
	{"$9$", errScrypt}, // Cisco
	{"$scrypt$", errScrypt},
	{"scrypt$", errScrypt},
	{"scrypt:", errScrypt}, // Werkzeug
	{"$pbkdf2", errPBKDF2},
	{"$p5k2$", errPBKDF2},
	{"$8$", errPBKDF2},     // Cisco
	{"pbkdf2_", errPBKDF2}, // Django
	{"pbkdf2:", errPBKDF2}, // Werkzeug
	{"grub.pbkdf2", errPBKDF2},
	{"AQAAAA", errPBKDF2}, // ASP.NET
	{"SCRAM-SHA-", errSCRAM},
	{"$scram$", errSCRAM},
	{"$sha1$", errSHA1Crypt},
	{"$md5$", errSunMD5},
	{"$md5,", errSunMD5},
	{"$P$", errPHPass},
	{"$H$", errPHPass},
	{"$S$", errDrupal},
	{"$3$", errNT},
	{"$NT$", errNT},
	{"$A$", errMySQL},
	{"sha1$", errSaltedDigest}, // old versions of Django and Werkzeug
	{"sha224$", errSaltedDigest},
	{"sha256$", errSaltedDigest},
	{"sha384$", errSaltedDigest},
	{"sha512$", errSaltedDigest},
	{"md5$", errSaltedDigest},
	{"unsalted_", errSaltedDigest},
}

// lookalike returns what a text that has no accepted prefix looks like.
func lookalike(encoded string) refusal {
	if encoded == "" {
		return errEmpty
	}
	if err := disguised(encoded); err != "" {
		return err
	}
	if mosquitto.MatchString(encoded) {
		return errMosquitto
	}
	if err := foreignPrefix(encoded); err != "" {
		return err
	}
	switch encoded[0] {
	case '$':
		return errDollar
	case '{':
		return braced(encoded)
	}
	return shaped(encoded)
}

// foreignPrefix goes by how a text begins, so that a text too long for a hash can be
// named as well.
func foreignPrefix(encoded string) refusal {
	for _, l := range lookalikes {
		if strings.HasPrefix(encoded, l.prefix) {
			return l.err
		}
	}
	return ""
}

// shaped goes by length and alphabet, where there is no prefix.
func shaped(encoded string) refusal {
	switch {
	case encoded == "scrypt": // what a htpasswd file leaves of "scrypt:…"
		return errScrypt
	case encoded == "pbkdf2":
		return errPBKDF2
	case mysql.MatchString(encoded):
		return errMySQL
	case locked(encoded):
		return errLocked
	case parses("$" + encoded):
		return errNoDollar
	case inBase64(encoded):
		return errBase64
	case len(encoded) == 13 && only(encoded, cryptAlphabet):
		return errDES
	case bsdi.MatchString(encoded):
		return errBSDi
	case hexDigest.MatchString(encoded):
		return errHex
	case base64Digest.MatchString(encoded):
		return errBase64Digest
	}
	return errPlaintext
}

// disguised returns what is around or within a text that would be a hash without it, or
// "".
func disguised(encoded string) refusal {
	inner := strings.TrimFunc(encoded, blank)
	switch {
	case placeholder.MatchString(encoded):
		return errPlaceholder
	case inner == "":
		return errEmpty
	case inner != encoded && hashBegins(inner):
		return errBlanks
	case inner != encoded:
		return lookalike(inner)
	}
	inner = strings.TrimFunc(encoded, quote)
	switch {
	case inner != encoded && hashBegins(inner):
		return errQuotes
	case inner != encoded && inner != "":
		return lookalike(inner)
	case !hashBegins(strings.TrimLeft(encoded, `\%`)) && !strings.HasPrefix(encoded, "%24"):
		return ""
	case strings.HasPrefix(encoded, `\$`), strings.Contains(encoded, `\$`) && parses(strings.ReplaceAll(encoded, `\$`, "$")):
		return errBackslash
	case strings.HasPrefix(encoded, "%24"), strings.Contains(encoded, "%24") && parses(strings.ReplaceAll(encoded, "%24", "$")):
		return errPercent
	case strings.HasPrefix(encoded, "$$"), strings.Contains(encoded, "$$") && parses(strings.ReplaceAll(encoded, "$$", "$")):
		return errDoubledDollars
	case strings.ContainsFunc(encoded, blank):
		return errBlankWithin
	case strings.ContainsFunc(encoded, func(r rune) bool { return r > unicode.MaxASCII }):
		return errNotASCII
	}
	return ""
}

// hashBegins tells whether a text begins as a hash does, or its prefix.
func hashBegins(s string) bool { return strings.HasPrefix(s, "$") || strings.HasPrefix(s, "{") }

// parses tells whether the text is a hash that would be accepted.
func parses(encoded string) bool {
	_, err := parse(Unprefixed(encoded), true)
	return err == ""
}

// inBase64 tells whether a text is a hash in base64, maybe cut off, or a line of a
// htpasswd file.
func inBase64(encoded string) bool {
	plain, _ := base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "=")) // as far as it can be read
	hash := string(plain[bytes.IndexByte(plain, ':')+1:])
	return hashInBase64.MatchString(hash)
}

// locked tells whether a text is what files such as /etc/shadow have for an account
// without a password, or put before the hash of a locked account.
func locked(encoded string) bool {
	if shadow.MatchString(encoded) || unusable.MatchString(encoded) {
		return true
	}
	hash := strings.TrimLeft(encoded, "!*")
	return hash != encoded && (hashBegins(hash) || len(hash) == 13 && only(hash, cryptAlphabet) || bsdi.MatchString(hash))
}

// blank tells whether a character shows nothing: white space, or an invisible one.
func blank(r rune) bool {
	return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || unicode.IsControl(r)
}

// quote tells whether a character is a quote, or what follows one in a list.
func quote(r rune) bool { return strings.ContainsRune("\"'`,;“”„‘’‚«»", r) }

var (
	// shadow is also what crypt(3) returns for an error, *0 and *1.
	shadow = regexp.MustCompile(`^([!*]+|x|LK|NP|[!*]+(LK|NP|LOCKED|RESET)[!*]*(\$.*)?|\*[01])$`)

	// unusable is what Django writes for an account without a password.
	unusable = regexp.MustCompile(`^![A-Za-z0-9]{40}$`)

	// hashInBase64 matches only what no password has by chance.
	hashInBase64 = regexp.MustCompile(`^\$(2[abxy]?|argon2(id|i|d)|y|apr1|1|5|6)\$[ -~]*\n?$`)

	// mosquitto writes its iterations where scrypt has its parameters, and padded
	// base64 where sha512-crypt has none.
	mosquitto = regexp.MustCompile(`^\$7\$[0-9]+\$|^\$6\$[^$]+\$[A-Za-z0-9+/]{86}==$`)

	// placeholder is one of Caddy, of a Caddyfile, of a shell, of Docker Compose or of
	// a template.
	placeholder = regexp.MustCompile(`\{\$|\$\{|\{\{|\$\(|<%|\{(env|file|vars|http|system|time)\.|^\$\$?[A-Z_][A-Z0-9_]*$|^%[A-Za-z_][A-Za-z0-9_]*%$|^<[^<>]*>$`)

	bsdi         = regexp.MustCompile(`^_[./0-9A-Za-z]{19}$`)
	mysql        = regexp.MustCompile(`^\*[0-9A-Fa-f]{40}$`)
	hexDigest    = regexp.MustCompile(`^(md5|0x|\\x)?([0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{56}|[0-9A-Fa-f]{64}|[0-9A-Fa-f]{96}|[0-9A-Fa-f]{128})$`)
	base64Digest = regexp.MustCompile(`^([A-Za-z0-9+/]{22}==|[A-Za-z0-9+/]{27}=|[A-Za-z0-9+/]{43}=|[A-Za-z0-9+/]{64}|[A-Za-z0-9+/]{86}==)$`)
)
