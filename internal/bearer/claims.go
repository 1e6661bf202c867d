package bearer

import (
	"slices"
	"strings"

	"github.com/caddygrant/caddy-grant/internal/token"
)

// headerValue is a claim as the value of a header: a string, number or boolean as it
// is, a list of strings joined by commas. Anything else, and whatever could be read in
// two ways or is not printable ASCII, is not sent at all.
func headerValue(claim any) (string, bool) {
	value, ok := token.Scalar(claim)
	if !ok {
		list, ok := claim.([]string)
		if !ok {
			list, ok = token.StringList(claim)
		}
		if !ok || len(list) == 0 {
			return "", false
		}
		if slices.ContainsFunc(list, func(s string) bool {
			return s == "" || strings.Contains(s, ",") || s != strings.TrimSpace(s)
		}) {
			return "", false
		}
		value = strings.Join(list, ",")
	}
	for _, c := range []byte(value) {
		if c < 0x20 || c > 0x7e {
			return "", false
		}
	}
	// HTTP drops spaces around a value, and " alice" is not alice
	return value, value != "" && value == strings.TrimSpace(value)
}
