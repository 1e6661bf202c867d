package bearer

import (
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// Whatever a claim is, an app only gets printable characters.
func FuzzClaimAsHeader(f *testing.F) {
	for _, value := range []string{`"a"`, `"ä"`, `" a"`, `["a","b"]`, `["a,b"]`, `17.5`, `true`, `{"a":1}`, `"\u0000"`} {
		f.Add([]byte(value))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		token, err := token.ParseAccessToken([]byte(`{"sub":"a","exp":1700000000,"jti":"j","cid":"c","username":"a","sid":"` +
			session.NewID(time.Now()).String() + `","cver":"c","own":` + string(value) + `}`))
		if err != nil {
			return
		}
		for _, name := range []string{"sub", "exp", "own"} {
			if value, ok := headerValue(token.Claim(name)); ok && strings.ContainsFunc(value, func(c rune) bool { return c < 0x20 || c > 0x7e }) {
				t.Fatalf("%s would be sent as the header %q", name, value)
			}
		}
	})
}
