package userfile

import (
	"errors"
	"strings"
	"testing"
)

func TestAFileOfAnotherFormatIsOneError(t *testing.T) {
	const hash = "$2y$04$St0dYEQn2fj3ezD2o0mR0./TsMjC2s2s0nIbhQRKnIKWBOleQZoZW"
	for _, test := range []struct {
		name, text     string
		htpasswd, list error // of either parser, nil: none or another
	}{
		{"JSON on many lines", "{\n  \"users\": [\n    {\"username\": \"alice\"}\n  ]\n}\n", ErrJSON, nil},
		{"JSON on one line", `{"users":[{"username":"alice"}]}`, ErrJSON, nil},
		{"JSON after blank lines and a mark", "\ufeff\r\n\r\n {\r\n\"users\":[]}", ErrJSON, nil},
		{"a JSON list", "[\n{\"username\":\"alice\"}]", ErrJSON, nil},
		{"JSON without quotes", "{users: [{username: 'alice'}]}", ErrJSON, nil},
		{"an empty object", "{}", ErrJSON, nil},
		{"htpasswd", "alice:" + hash + "\nbob:" + hash + "\n", nil, ErrHtpasswd},
		{"htpasswd after comments", "# users\n\n  alice:" + hash + "\n", nil, ErrHtpasswd},
		{"htpasswd with a mark and CRLF", "\ufeffalice:" + hash + "\r\n", nil, ErrHtpasswd},
		{"htpasswd with a number for a name", "1:" + hash, nil, ErrHtpasswd},
		{"htpasswd of a user named users", "users:" + hash, nil, ErrHtpasswd},
		{"htdigest", "alice:realm:" + strings.Repeat("ab", 16), nil, ErrHtpasswd},
		{"htdigest without a realm", "alice::" + strings.Repeat("ab", 16), nil, ErrHtpasswd},
		{"YAML of a list", "users:\n  - username: alice\n", ErrYAML, ErrYAML},
		{"YAML of entries", "- username: alice\n  password_hash: x\n", ErrYAML, ErrYAML},
		{"YAML with a marker", "---\nalice: x\n", ErrYAML, ErrYAML},
		{"a name that begins with a brace", "{alice:" + hash, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := Htpasswd([]byte(test.text), func(int, string, string) error { return nil })
			if test.htpasswd != nil && !errors.Is(err, test.htpasswd) || test.htpasswd == nil && (errors.Is(err, ErrJSON) || errors.Is(err, ErrYAML)) {
				t.Errorf("as htpasswd: %v, want %v", err, test.htpasswd)
			}
			type entry struct {
				Username string `json:"username"`
			}
			err = List([]byte(test.text), "users", func(e *entry) string { return e.Username }, func(int, *entry) error { return nil })
			if test.list != nil && !errors.Is(err, test.list) || test.list == nil && (errors.Is(err, ErrHtpasswd) || errors.Is(err, ErrYAML)) {
				t.Errorf("as JSON: %v, want %v", err, test.list)
			}
		})
	}
}

func TestLinesOfOtherFilesAreNamed(t *testing.T) {
	md5, sha256 := strings.Repeat("5f4dcc3b", 4), strings.Repeat("5f4dcc3b", 8)
	for line, want := range map[string]error{
		"alice:My Realm:" + md5:                                          errHtdigest,
		"alice:example.com:" + sha256:                                    errHtdigest,
		"alice:My Realm:" + strings.ToUpper(md5):                         errHtdigest,
		"alice:1000:" + md5 + ":" + md5 + ":[U          ]:LCT-5F5F5F5F:": errSamba,
		"alice:1000:" + strings.Repeat("X", 32) + ":" + md5 + ":[U]:":    errSamba,
		"alice:$1$saltsalt$NuzA7WTAelpl95xgBGWN60:" + md5:                nil, // a comment after a hash
		"alice:{SHA}abc:" + md5:                                          nil,
		"root:$6$salt$sum:19000:0:99999:7:::":                            nil, // /etc/shadow
		"root:x:0:0:root:/root:/bin/bash":                                nil, // /etc/passwd, which the hash tells
	} {
		_, _, err := split(line)
		if !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%s: %v, want %v", line, err, want)
		}
		if err != nil && strings.Contains(err.Error(), md5[:8]) {
			t.Errorf("a piece of the hash is in the error: %v", err)
		}
	}
}

func TestUTF16IsNamedWithAndWithoutItsMark(t *testing.T) {
	for _, text := range []string{"alice:x\n", "{\"users\":[]}"} {
		for _, test := range []struct {
			name          string
			mark          string
			before, after string
		}{
			{"little endian", "\xff\xfe", "", "\x00"},
			{"big endian", "\xfe\xff", "\x00", ""},
			{"little endian without a mark", "", "", "\x00"},
			{"big endian without a mark", "", "\x00", ""},
		} {
			encoded := test.mark
			for _, c := range text {
				encoded += test.before + string(c) + test.after
			}
			if err := Htpasswd([]byte(encoded), func(int, string, string) error { return nil }); !errors.Is(err, errUTF16) {
				t.Errorf("%s, as htpasswd: %v", test.name, err)
			}
			type entry struct{}
			if err := List([]byte(encoded), "users", func(*entry) string { return "" }, func(int, *entry) error { return nil }); !errors.Is(err, errUTF16) {
				t.Errorf("%s, as JSON: %v", test.name, err)
			}
		}
	}
}
