package wire

import (
	"net/url"
	"strings"
)

// QueryHas looks for parameters by name. Unlike [url.ParseQuery] it passes over nothing
// that is malformed: a password in a bad query is in the logs all the same.
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

// decodesTo tells whether a name of a form is the wanted one, which has nothing that must
// be encoded, without the work of decoding a long one.
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

// TooManyParameters counts what separates parameters in a query, as queryHas reads it, so
// that nothing has to be done for each of them.
func TooManyParameters(query string) bool {
	return strings.Count(query, "&")+strings.Count(query, ";") >= maxParameters
}

// CredentialParameters are the names of what must not be in a query.
var CredentialParameters = []string{
	"client_secret", "username", "password", "refresh_token", "access_token", "token",
}
