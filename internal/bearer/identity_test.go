package bearer

import "testing"

func TestANameBeginsLikeAPrefixWhateverTheCase(t *testing.T) {
	for _, test := range []struct {
		name, prefix string
		want         bool
	}{
		{"staff:alice", "staff:", true},
		{"STAFF:alice", "staff:", true},
		{"ſTAFF:alice", "staff:", true}, // U+017F, which folds to s
		{"staff:", "staff:", true},
		{"staff", "staff:", false},
		{"", "staff:", false},
		{"alice", "staff:", false},
		{"staffalice", "staff:", false},
		{"\xffstaff:", "staff:", false},
		{"k:x", "\u212a:", true}, // the Kelvin sign has three bytes
	} {
		if got := BeginsLike(test.name, test.prefix); got != test.want {
			t.Errorf("%q, %q: %v", test.name, test.prefix, got)
		}
	}
}
