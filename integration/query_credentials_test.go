package integration

import (
	"strings"
	"testing"
)

// A credential in the query is noticed however badly the query is encoded: that it is in
// the access log is the same mistake.
func TestCredentialsInAMalformedQuery(t *testing.T) {
	s := start(t, basicSite)
	for name, query := range map[string]string{
		"A8: a password with a percent sign":  "password=100%",
		"A8: a password behind a semicolon":   "x=1;password=secret",
		"A8: a password with a semicolon":     "password=a;b",
		"A8: a password behind a bad escape":  "x=%zz&password=100%zz",
		"A8: a password behind 20,000 others": strings.Repeat("&", 12000) + "password=secret",
	} {
		t.Run(name, func(t *testing.T) {
			s.exchange(s.rawPost("/token?"+query, loginForm())).want(t, 400, "invalid_request")
		})
	}
}
