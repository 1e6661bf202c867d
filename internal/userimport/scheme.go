package userimport

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"regexp"
	"strings"
)

// schemed takes off what says in braces that a secret is a plaintext password (nginx,
// Dovecot, LDAP, Spring), and decodes Dovecot's encodings.
func schemed(secret string) (text string, plaintext bool, err error) {
	parts := inBraces.FindStringSubmatch(secret)
	if parts == nil {
		return secret, false, nil
	}
	scheme, encoding, text := strings.ToLower(parts[1]), strings.ToLower(parts[2]), parts[3]
	plaintext = plaintextSchemes[scheme]
	if encoding == "" && !plaintext {
		return secret, false, nil
	}
	switch encoding {
	case ".b64", ".base64":
		decoded, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return "", false, errors.New("its scheme says base64, which it is not")
		}
		text = string(decoded)
	case ".hex":
		decoded, err := hex.DecodeString(text)
		if err != nil {
			return "", false, errors.New("its scheme says hex, which it is not")
		}
		text = string(decoded)
	}
	if !plaintext && !strings.HasPrefix(text, "$") {
		text = "{" + parts[1] + "}" + text // a digest, whose scheme says what it is
	}
	return text, plaintext, nil
}

var (
	inBraces = regexp.MustCompile(`^\{([A-Za-z0-9_-]+)(\.(?i:b64|base64|hex))?\}(?s:(.*))$`)

	plaintextSchemes = map[string]bool{
		"plain": true, "plaintext": true, "plain-trunc": true, "clear": true, "cleartext": true, "noop": true,
	}
)
