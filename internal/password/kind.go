package password

import "strings"

// Kind names hashes that take the same time to compare: String without the length of
// the salt, which matters for few passwords.
func (p Params) Kind() string {
	if p.Scheme == KeyedDigest {
		return "plaintext"
	}
	kind, _, _ := strings.Cut(p.String(), "salt=")
	return strings.TrimRight(kind, " ,")
}
