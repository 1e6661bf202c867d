package userfile

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// pair is an entry of a format for tests, name=value.
type pair struct{ name, value string }

func readPairs(data string) (list []string, err error) {
	seen := make(map[string]bool)
	err = Records([]byte(data), func(text string) (*pair, error) {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, errors.New("no =")
		}
		return &pair{name, value}, nil
	}, func(p *pair) string { return p.name }, func(line int, p *pair) error {
		if seen[p.name] {
			return ErrDuplicate
		}
		seen[p.name] = true
		list = append(list, p.name+p.value)
		return nil
	})
	return list, err
}

func TestRecordsLeavesOutCommentsAndBlanks(t *testing.T) {
	for data, want := range map[string][]string{
		"": nil, "# a=1\n\n": nil,
		"\xEF\xBB\xBFa=1\r\n\t b=2 \n#c=3\nd=4": {"a1", "b2", "d4"},
	} {
		if got, err := readPairs(data); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %v, %v", data, got, err)
		}
	}
}

func TestRecordsNamesTheLineOfEveryError(t *testing.T) {
	for data, want := range map[string]string{
		"a=1\nb\n\nc":                      "2 problems: line 2: no =; line 4: no =",
		"x\na=1\n#\na=2":                   `2 problems: line 1: no =; line 4: "a" is already on line 2; delete one of the two`,
		"a=\xff":                           "line 1: not valid UTF-8; save the file as UTF-8",
		"\na=" + strings.Repeat("1", 4095): "line 2: longer than 4096 bytes",
		"a\x00=\x001\x00":                  "it is UTF-16; save it as UTF-8",
		"{\n\"a\": 1}":                     ErrJSON.Error(),
		"---\na: 1":                        ErrYAML.Error(),
	} {
		if _, err := readPairs(data); err == nil || err.Error() != want {
			t.Errorf("%.20q: got %v, want %s", data, err, want)
		}
	}
}
