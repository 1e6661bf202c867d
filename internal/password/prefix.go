package password

import (
	"regexp"
	"strings"
)

// prefixes are the schemes in braces that Dovecot, OpenLDAP and Spring Security write
// before a hash that names its scheme itself, in small letters, each with the
// beginnings of such a hash. A prefix that says otherwise is a mistake.
var prefixes = map[string][]string{
	"crypt":        {"$"},
	"bcrypt":       {"$2"},
	"blf-crypt":    {"$2"},
	"argon2":       {"$argon2"},
	"argon2id":     {"$argon2id$"},
	"argon2i":      {"$argon2i$"},
	"argon2d":      {"$argon2d$"},
	"yescrypt":     {"$y$"},
	"sha256-crypt": {"$5$"},
	"sha256crypt":  {"$5$"},
	"sha512-crypt": {"$6$"},
	"sha512crypt":  {"$6$"},
	"md5-crypt":    {"$1$", "$apr1$"},
	"md5crypt":     {"$1$", "$apr1$"},
	"md5":          {"$1$", "$apr1$"}, // Dovecot's; with anything else it is a plain digest
}

// inBraces is a scheme in braces, Spring's version of it, and what follows.
var inBraces = regexp.MustCompile(`^\{([A-Za-z0-9._-]+)(?:@[A-Za-z0-9._-]+)?\}(?s:(.*))$`)

// Unprefixed returns a hash without the one scheme in braces that may stand before it,
// such as "{CRYPT}" and "{argon2@SpringSecurity_v5_8}". With or without it, it is the
// same hash, so whatever depends on the text of a hash uses this result. {SHA} and
// {SSHA} belong to their hashes.
func Unprefixed(encoded string) string {
	end := strings.IndexByte(encoded, '}') + 1
	if encoded == "" || encoded[0] != '{' || end == 0 || !strings.HasPrefix(encoded[end:], "$") {
		return encoded // without looking at the table: every check of a token calls it
	}
	parts := inBraces.FindStringSubmatch(encoded)
	if parts == nil {
		return encoded
	}
	for _, begins := range prefixes[strings.ToLower(parts[1])] {
		if strings.HasPrefix(parts[2], begins) {
			return parts[2]
		}
	}
	return encoded
}

// braced returns what is wrong with a text that begins with a brace and that Unprefixed
// leaves as it is.
func braced(encoded string) refusal {
	parts := inBraces.FindStringSubmatch(encoded)
	if parts == nil {
		return errLDAP
	}
	scheme, rest := strings.ToLower(parts[1]), parts[2]
	_, known := prefixes[scheme]
	switch {
	case encodedScheme.MatchString(scheme):
		return errDovecotEncoding
	case known && strings.HasPrefix(rest, "$"):
		return errPrefixScheme
	case known && strings.HasPrefix(rest, "{"):
		return errPrefixTwice
	case strings.HasSuffix(scheme, "crypt") && known:
		return lookalike(rest)
	case strings.Contains(scheme, "pbkdf2"), scheme == "pkcs5s2":
		return errPBKDF2
	case strings.HasPrefix(scheme, "scram"):
		return errSCRAM
	case strings.HasPrefix(scheme, "scrypt"):
		return errScrypt
	}
	switch scheme {
	case "des-crypt", "des":
		return errDES
	case "plain", "plaintext", "cleartext", "clear", "noop":
		return errBracedPlaintext
	case "nt", "ntlm", "nthash", "lanman":
		return errNT
	}
	return errLDAP
}

// encodedScheme is a scheme with an encoding of Dovecot's.
var encodedScheme = regexp.MustCompile(`\.(b64|base64|hex)$`)
