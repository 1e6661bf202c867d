package userfile

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

type entry struct{ name, hash string }

var errUnusable = errors.New("unusable hash")

// readHtpasswd returns the entries that a file gives a caller that keeps an index.
func readHtpasswd(data string) ([]entry, error) {
	var list []entry
	index := make(map[string]bool)
	err := Htpasswd([]byte(data), func(_ int, name, hash string) error {
		if index[name] {
			return ErrDuplicate
		}
		if hash == "unusable" {
			return errUnusable
		}
		index[name] = true
		list = append(list, entry{name, hash})
		return nil
	})
	return list, err
}

func TestHtpasswdReads(t *testing.T) {
	for _, test := range []struct{ name, data, want string }{
		{"one line", "bob:$2y$05$x\n", "[{bob $2y$05$x}]"},
		{"no line end at the end", "bob:h", "[{bob h}]"},
		{"Windows line ends", "bob:h\r\nal:i\r\n", "[{bob h} {al i}]"},
		{"blank lines and comments", "\n# bob:x\n  \t\nbob:h\n #al:i\n\r\n", "[{bob h}]"},
		{"white space around a line, as Apache", " bob:h \t\n", "[{bob h}]"},
		{"a byte order mark", "\xEF\xBB\xBFbob:h\n", "[{bob h}]"},
		{"a comment after a second colon, as nginx", "bob:h:Bob's note: x\n", "[{bob h}]"},
		{"a long comment line", "#" + strings.Repeat("x", 5000) + "\nbob:h\n", "[{bob h}]"},
		{"a name with spaces and letters of all kinds", "Bob B. ü:h\n", "[{Bob B. ü h}]"},
		{"names that differ by case", "bob:h\nBob:h\n", "[{bob h} {Bob h}]"},
		{"the longest name", strings.Repeat("b", 255) + ":h\n", "[{" + strings.Repeat("b", 255) + " h}]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			list, err := readHtpasswd(test.data)
			if got := fmt.Sprint(list); err != nil || got != test.want {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
}

func TestHtpasswdNamesTheLineThatIsWrong(t *testing.T) {
	for _, test := range []struct{ name, data, want string }{
		{"no colon", "bob:h\n\nsecret-hash\n", "line 3: no colon in it; a line is name:hash"},
		{"no name", ":secret-hash\n", "line 1: no name before the colon"},
		{"no hash", "bob:\n", `line 1: "bob": no hash after the colon; set one with: htpasswd -B -C 12 <file> <name>`},
		{"no hash but a comment", "bob::note\n", `line 1: "bob": no hash after the colon; set one with: htpasswd -B -C 12 <file> <name>`},
		{"a name too long", strings.Repeat("b", 256) + ":h\n", "line 1: the name is longer than 255 bytes"},
		{"a name that is not UTF-8", "b\xfcb:h\n", "line 1: the name is not valid UTF-8; save the file as UTF-8"},
		{"a control character", "b\x1bob:h\n", "line 1: the name has a control character in it; remove it"},
		{"a C1 control character", "b\u0085ob:h\n", "line 1: the name has a control character in it; remove it"},
		{"a tab in the name", "b\tob:h\n", "line 1: the name has a control character in it; remove it"},
		{"a NUL", "b\x00:h\n", "line 1: the name has a control character in it; remove it"},
		{"a line too long", "bob:h\nal:" + strings.Repeat("h", 4096) + "\n", "line 2: longer than 4096 bytes; a line is name:hash"},
		{"a name twice", "#\nal:h\nbob:h\n\nal:i\n", `line 5: "al" is already on line 2; delete one of the two`},
		{"a name three times", "al:h\nal:i\nal:j\n", `2 problems: line 2: "al" is already on line 1; delete one of the two; line 3: "al" is already on line 1`},
		{"an error of the caller", "al:h\nbob:unusable\n", `line 2: "bob": unusable hash`},
		{"name and hash swapped", "$2y$10$3euPcmQFCi:unusable\n", "line 1: a name that may be a hash and is not shown: unusable hash"},
		{"a digest as name", "{SHA}3euPcmQFCi=:unusable\n", "line 1: a name that may be a hash and is not shown: unusable hash"},
		{"htdigest without a realm", "al::" + strings.Repeat("0a", 16), `line 1: "al": ` + errHtdigest.Error()},
		{"UTF-16", "\xff\xfeb\x00:\x00h\x00", "it is UTF-16; save it as UTF-8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := readHtpasswd(test.data)
			if err == nil {
				t.Fatal("accepted")
			}
			if got := err.Error(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestHtpasswdWithoutAnEntryHasItsOwnError(t *testing.T) {
	for _, data := range []string{"", "\n\n", " \t\r\n", "# users\n", "\xEF\xBB\xBF"} {
		if _, err := readHtpasswd(data); !errors.Is(err, ErrEmpty) {
			t.Errorf("%q: %v", data, err)
		}
	}
	if _, err := readHtpasswd("x\n"); err == nil || errors.Is(err, ErrEmpty) {
		t.Errorf("a file with a bad line only: %v", err)
	}
}

func TestADuplicateThatIsNotInTheFileNamesNoOtherLine(t *testing.T) {
	err := Htpasswd([]byte("bob:h\n"), func(int, string, string) error { return ErrDuplicate })
	if err == nil || err.Error() != `line 1: "bob": the name is already taken` {
		t.Error(err)
	}
}

func TestProblemsPrintsTwentyAndCountsTheRest(t *testing.T) {
	_, err := readHtpasswd("bob:h\n" + strings.Repeat("bob:unusable\nx\n", 500))
	var problems *Problems
	if !errors.As(err, &problems) {
		t.Fatal(err)
	}
	text := err.Error()
	if !strings.HasPrefix(text, "1000 problems: line 2: ") || !strings.HasSuffix(text, "; and 980 more") {
		t.Error(text)
	}
	if got := strings.Count(text, "line "); got != 20+10+1 { // each duplicate names two, "a line is name:hash" is said once
		t.Errorf("%d lines are named in %s", got, text)
	}
}

func TestProblemsGivesAccessToTheErrorsOfTheCaller(t *testing.T) {
	_, err := readHtpasswd("x\nbob:unusable\nbob:h\nbob:h\n")
	if !errors.Is(err, errUnusable) || !errors.Is(err, ErrDuplicate) {
		t.Error(err)
	}
}
