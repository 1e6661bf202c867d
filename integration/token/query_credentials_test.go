package token

import (
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// A credential in the query is noticed however badly the query is encoded: that it is
// in the access log is the same mistake.
func TestCredentialsInAMalformedQuery(t *testing.T) {
	s := harness.Start(t, harness.BasicSite)
	for name, query := range map[string]string{
		"A8: a password with a percent sign":  "password=100%",
		"A8: a password behind a semicolon":   "x=1;password=secret",
		"A8: a password with a semicolon":     "password=a;b",
		"A8: a password behind a bad escape":  "x=%zz&password=100%zz",
		"A8: a password behind 20,000 others": strings.Repeat("&", 12000) + "password=secret",
	} {
		t.Run(name, func(t *testing.T) {
			s.Exchange(s.RawPost("/token?"+query, harness.LoginForm())).Want(t, 400, "invalid_request")
		})
	}
}
