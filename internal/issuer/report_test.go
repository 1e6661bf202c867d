package issuer

import (
	"fmt"
	"strings"
	"testing"
)

// A key that is not usable is why tokens of it are refused, so the log says when there is
// another one, although tokens are verified with the same keys as before.
func TestOtherKeysThatAreNotUsableAreLoggedOnce(t *testing.T) {
	good, other := es256("k"), signer{"other", "RS256", rsaKey()}
	forEncryption, private := with(other.jwk(), m{"use": "enc"}), with(other.jwk(), m{"d": "aHVudGVyMg"})
	s := startServer(t, good)
	f := s.follow(t, slow, nil)
	f.next(t)
	current := f.current.Load()
	f.lines.TakeAll()
	for _, test := range []struct {
		name  string
		keys  []any
		lines []string // what is in each of the lines, with | between its parts
	}{
		{"one for encryption", []any{forEncryption, good}, []string{"info the keys of an outside issuer changed|key 1 (kid other): it is not for signatures (use enc)"}},
		{"the same again", []any{forEncryption, good}, nil},
		{"the same at another place", []any{good, forEncryption}, nil},
		{"another one for encryption", []any{good, with(forEncryption, m{"kid": "x"})}, []string{"info the keys of an outside issuer changed|key 2 (kid x)"}},
		{"one with its private part", []any{good, private}, []string{
			"info the keys of an outside issuer changed|key 2 (kid other): it is a private key",
			"warn an outside issuer publishes private keys|kids:[other]",
		}},
		{"the same private one again", []any{private, good}, nil},
		{"a private one and one for encryption", []any{private, forEncryption, good}, []string{"info the keys of an outside issuer changed|(use enc)"}},
		{"none", []any{good}, []string{"info the keys of an outside issuer changed|keys:1"}},
		{"a private one that was replaced, again", []any{good, private}, []string{"info the keys of an outside issuer changed", "warn an outside issuer publishes private keys"}},
	} {
		s.set(jwksPath, answerBody("application/json", jwks(test.keys...)))
		f.ask()
		f.next(t)
		var got []string
		for _, line := range f.lines.TakeAll() {
			got = append(got, fmt.Sprint(line.Level, " ", line.Message, " ", line.ContextMap()))
		}
		if len(got) != len(test.lines) {
			t.Errorf("%s: %d lines, want %d: %q", test.name, len(got), len(test.lines), got)
			continue
		}
		for i, want := range test.lines {
			for part := range strings.SplitSeq(want, "|") {
				if !strings.Contains(got[i], part) || strings.Contains(got[i], "aHVu") {
					t.Errorf("%s: %s, want %q in it", test.name, got[i], part)
				}
			}
		}
		if f.current.Load().origin != current {
			t.Errorf("%s: the keys that verify were replaced", test.name)
		}
	}
}

// A private key of the first set is not passed over either.
func TestAPrivateKeyIsWarnedOfAtTheStart(t *testing.T) {
	s := startServer(t, es256("k"), with(signer{"p", "RS256", rsaKey()}.jwk(), m{"d": "aHVudGVyMg"}))
	f := s.follow(t, slow, nil)
	f.next(t)
	if lines := f.lines.FilterMessageSnippet("publishes private keys").All(); len(lines) != 1 || lines[0].Level.String() != "warn" {
		t.Errorf("%+v", f.lines.All())
	}
}
