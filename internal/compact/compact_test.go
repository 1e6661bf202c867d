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
	for text, isObject := range map[string]bool{
		"": false, "null": false, "[]": false, `"x"`: false, "{": false, "{\"kid\":\"\xff\"}": false, `{"alg":"ES256"}{}`: false,
		`{"alg":"none","alg":"ES256"}`: true, `{"kid":1}`: true, `{"typ":[]}`: true,
	} {
		if h, ok := header(text); ok {
			t.Errorf("%q is %+v", text, h)
		}
		if IsObject(base64.RawURLEncoding.EncodeToString([]byte(text))) != isObject {
			t.Errorf("%q: want an object to be %v", text, isObject)
		}
	}
	if IsObject("e30=") || !IsObject("e30") {
		t.Error("a part in another spelling is an object, or one is not")
	}
	for _, text := range []string{`{"crit":null}`, `{"crit":[]}`, `{"crit":["exp"]}`} {
		if h, ok := header(text); !ok || h.Critical == nil {
			t.Errorf("%q is read without crit", text)
		}
	}
}
