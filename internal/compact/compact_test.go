package compact

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestWhatIsNotThreePartsIsRefused(t *testing.T) {
	const good = "e30.e30.AA"
	if parts, ok := Split(good, len(good)); !ok || parts != (Parts{"e30", "e30", "AA"}) {
		t.Fatalf("%q is %v, %t", good, parts, ok)
	}
	for _, token := range []string{
		"", "e30", "e30.e30", "e30.e30.", ".e30.AA", "e30..AA", "..", good + ".", good + ".AA",
		good + "\n", "e3\r0.e30.AA", good + "A", strings.Repeat("A", 1<<20),
	} {
		if parts, ok := Split(token, len(good)); ok {
			t.Errorf("%.20q is %v", token, parts)
		}
	}
}

// RFC 7515 §2: base64url without padding. Two spellings of a part would be two tokens.
func TestAPartHasOneSpelling(t *testing.T) {
	if decoded, err := Decode("AA"); err != nil || string(decoded) != "\x00" {
		t.Fatalf("%q, %v", decoded, err)
	}
	for _, part := range []string{"AA==", "AB", "A", "A+", "A/", "A A", "AA."} {
		if decoded, err := Decode(part); err == nil {
			t.Errorf("%q is %q", part, decoded)
		}
	}
}

// RFC 7515 §4: names are compared exactly, and a duplicate is refused.
func TestWhatCanBeReadInTwoWaysIsNotAHeader(t *testing.T) {
	header := func(text string) (*Header, bool) {
		return ReadHeader(base64.RawURLEncoding.EncodeToString([]byte(text)))
	}
	if h, ok := header(`{"alg":"ES256","ALG":"none","kid":"a","typ":"at+jwt","jku":"https://x"}`); !ok || h.Algorithm != "ES256" || h.KeyID != "a" || h.Type != "at+jwt" || h.Critical != nil {
		t.Errorf("%+v, %t", h, ok)
	}
	for _, text := range []string{
		"", "null", "[]", `"x"`, "{", `{"alg":"none","alg":"ES256"}`, `{"kid":1}`, `{"typ":[]}`, "{\"kid\":\"\xff\"}", `{"alg":"ES256"}{}`,
	} {
		if h, ok := header(text); ok {
			t.Errorf("%q is %+v", text, h)
		}
	}
	for _, text := range []string{`{"crit":null}`, `{"crit":[]}`, `{"crit":["exp"]}`} {
		if h, ok := header(text); !ok || h.Critical == nil {
			t.Errorf("%q is read without crit", text)
		}
	}
}
