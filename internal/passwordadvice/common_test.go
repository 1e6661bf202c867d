package passwordadvice

import (
	"strings"
	"testing"
)

// A password is in lower case when it is looked up, and only bytes are counted.
func TestTheListHasCommonPasswordsInLowerCase(t *testing.T) {
	if n := len(common()); n != 47023 {
		t.Errorf("it has %d passwords", n)
	}
	for password := range common() {
		if password != strings.ToLower(password) || strings.ContainsFunc(password, isNotASCII) || password == "" {
			t.Errorf("it has %q", password)
		}
	}
	for _, password := range []string{"123456", "zxcvbnm", "!!!!!!"} {
		if _, found := common()[password]; found != (password != "!!!!!!") {
			t.Errorf("%s: %v", password, found)
		}
	}
}

func isNotASCII(r rune) bool { return r <= ' ' || r > '~' }

func TestOnlyTwoCommonPasswordsAreTakenOut(t *testing.T) {
	for text, want := range map[string]string{
		"correct horse battery staple": gap + " horse " + gap + " staple",
		"dragondragondragon":           gap + gap + "dragon",
		"xyl":                          "xyl",
		"":                             "",
	} {
		if got := withoutCommon(text); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
