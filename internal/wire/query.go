package wire

import (
	"net/url"
	"strings"
)

// QueryHas looks for parameters by name. Unlike [url.ParseQuery] it does not skip what
// is malformed: a password in a malformed query is in the logs, too.
func QueryHas(query string, names ...string) bool {
	for part := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, _, _ := strings.Cut(part, "=")
		for _, wanted := range names {
			if decodesTo(name, wanted) {
				return true
			}
		}
	}
	return false
}

// decodesTo tells whether a name of a form is the wanted name, which has no characters
// to be encoded, without the work of decoding a long name.
func decodesTo(name, wanted string) bool {
	if strings.IndexByte(name, '%') < 0 {
		return name == wanted
	}
	if len(name) > len(wanted)*len("%XX") {
		return false
	}
	decoded, err := url.QueryUnescape(name)
	return err == nil && decoded == wanted
}

// TooManyParameters counts the separators of parameters in a query, as [QueryHas] reads
// it, before any work is done for each parameter.
func TooManyParameters(query string) bool {
	return strings.Count(query, "&")+strings.Count(query, ";") >= maxParameters
}

// CredentialParameters are the names of parameters that must not be in a query.
var CredentialParameters = []string{
	"client_secret", "username", "password", "refresh_token", "access_token", "token",
}
