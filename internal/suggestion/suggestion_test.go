package suggestion

import "testing"

func TestSuggestions(t *testing.T) {
	known := []string{"user", "users", "scopes", "secret", "id"}
	for _, test := range []struct{ name, word, want string }{
		{"one letter too many", "scopess", "scopes"},
		{"one too few", "scpes", "scopes"},
		{"another one", "scopet", "scopes"},
		{"two that changed places", "secert", "secret"},
		{"two that changed places are one typo", "usres", "users"},
		{"the nearest of several", "userss", "users"},
		{"three typos", "sxxxet", ""},
		{"a word as near to the first as to the second gets the first", "userx", "user"},
		{"nothing", "", ""},
		{"a short word is not taken for another", "it", ""},
		{"capitals", "Secret", "secret"},
	} {
		if got := Nearest(test.word, known); got != test.want {
			t.Errorf("%s: %s gives %q, want %q", test.name, test.word, got, test.want)
		}
	}
}
