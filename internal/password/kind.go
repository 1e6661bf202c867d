package password

import "strings"

// Kind is what takes the same time to compare, as a text: String without the length of the salt, which makes a
// difference to few passwords.
func (p Params) Kind() string {
	if p.Scheme == KeyedDigest {
		return "plaintext"
	}
	kind, _, _ := strings.Cut(p.String(), "salt=")
	return strings.TrimRight(kind, " ,")
}
