package useredit

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// FuzzEdits holds every edit to what the package promises: a valid file stays valid, an
// entry that was not named stays as it is, and an edit that is undone leaves no trace.
func FuzzEdits(f *testing.F) {
	for _, text := range []string{
		"alice:H1\n", "# people\nalice:H1\n\n bob:H2:ops\r\n# disabled: carol:HW", "\xEF\xBB\xBFalice:H1\r\nbob:H2\r\n#disabled:alice:H2\n",
		"alice:H1\nalice:H2\n", "", "# disabled: alice:H1\n",
	} {
		for op := range operations {
			f.Add([]byte(fill(text)), false, false, byte(op), "alice", "bob")
		}
	}
	for _, text := range []string{
		"{\n  \"users\": [\n    {\n      \"username\": \"alice\",\n      \"password_hash\": \"H1\"\n    }\n  ]\n}\n",
		`{"users":[{"username":"alice","password_hash":"H1"},{"id":"b","username":"b\u006fb","password_hash":"H2","disabled":true}],"clients":[{"id":"x"}]}`,
		`{"users": [ ], "clients": [{"id": "alice", "secret_hash": "H1"} , {"id": "bob", "public": true}]}`,
		`{"users": [{"disabled" : false , "username":"alice","password_hash":"H1" }, {"username":"bob","password_hash":"H1", "claims": {"a": [1.50, null]}}]}`,
	} {
		for op := range operations {
			f.Add([]byte(fill(text)), true, op%2 == 0, byte(op), "alice", "bob")
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, isJSON, areClients bool, op byte, name, other string) {
		format, list := Htpasswd, Users
		if isJSON {
			format = JSON
		}
		if areClients {
			list = Clients
		}
		operation := operations[int(op)%len(operations)]
		edited, err := Edit(data, format, list, func(f *File) error { return operation.do(f, name, other) })
		if err != nil {
			if edited != nil {
				t.Errorf("an error and a file: %v", err)
			}
			if strings.Contains(err.Error(), hash2[20:]) {
				t.Errorf("a hash is in %q", err)
			}
			return
		}
		if err := Check(edited, format, list); err != nil {
			t.Fatalf("%s makes a file that the server refuses: %v\n%q\n%q", operation.name, err, data, edited)
		}
		if Check(data, format, list) != nil {
			return // a new file, or one that was mended
		}
		before, after := others(t, data, format, list, name, other), others(t, edited, format, list, name, other)
		if !slices.EqualFunc(before, after, func(a, b Entry) bool { return reflect.DeepEqual(a, b) }) {
			t.Errorf("%s changes other entries:\n%q\n%q", operation.name, data, edited)
		}
		if kept := around(data, edited); !operation.anyLength && len(edited)-kept > len(name)+len(other)+200 {
			t.Errorf("%s changes too much:\n%q\n%q", operation.name, data, edited)
		}
		if operation.undo == nil || !plain(data, list, format, name) {
			return
		}
		undone, err := Edit(edited, format, list, func(f *File) error { return operation.undo(f, name, other) })
		if err != nil || !bytes.Equal(undone, data) {
			t.Errorf("%s cannot be undone: %v\n%q\n%q\n%q", operation.name, err, data, edited, undone)
		}
	})
}

var operations = []struct {
	name      string
	do, undo  func(f *File, name, other string) error
	anyLength bool
}{
	{"add", func(f *File, name, _ string) error { return f.Add(name, hash2) },
		func(f *File, name, _ string) error { return f.Remove(name) }, false},
	{"remove", func(f *File, name, _ string) error { return f.Remove(name) }, nil, true},
	{"setHash", func(f *File, name, _ string) error { return f.SetHash(name, hash2) }, nil, false},
	{"disable", func(f *File, name, _ string) error { _, err := f.SetDisabled(name, true); return err },
		func(f *File, name, _ string) error { _, err := f.SetDisabled(name, false); return err }, false},
	{"enable", func(f *File, name, _ string) error { _, err := f.SetDisabled(name, false); return err }, nil, true},
	{"rename", func(f *File, name, other string) error {
		if f.list == Clients {
			return ErrNone
		}
		return f.Rename(name, other, false)
	}, func(f *File, name, other string) error { return f.Rename(other, name, false) }, false},
	{"rename with id", func(f *File, name, other string) error {
		if f.list == Clients {
			return ErrNone
		}
		return f.Rename(name, other, true)
	}, nil, false},
}

// others are the entries of other names.
func others(t *testing.T, data []byte, format Format, list List, names ...string) []Entry {
	t.Helper()
	entries, err := Read(data, format, list)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(entries, func(e Entry) bool { return slices.Contains(names, e.Name) })
}

// around is how many bytes before and after a change stay.
func around(old, edited []byte) int {
	before := 0
	for before < min(len(old), len(edited)) && old[before] == edited[before] {
		before++
	}
	after := 0
	for after < min(len(old), len(edited))-before && old[len(old)-1-after] == edited[len(edited)-1-after] {
		after++
	}
	return before + after
}

// plain tells whether a file is written so that an edit can be undone to the byte: it
// ends with a line end and has no state written out that is the default, or a name with
// escapes, or empty lists with blanks.
func plain(data []byte, list List, format Format, name string) bool {
	text := string(data)
	if format == Htpasswd {
		return strings.HasSuffix(text, "\n") && !strings.Contains(text, "disabled")
	}
	return !strings.Contains(text, `\`) && !strings.Contains(text, "disabled") && strings.Contains(text, `"`+string(list)+`"`) &&
		!strings.ContainsAny(name, "\"\\") && !spaced(text)
}

// spaced tells whether there are blanks where an edit leaves none, as before a comma.
func spaced(text string) bool {
	for i := 1; i < len(text); i++ {
		if strings.ContainsRune(" \t\r\n", rune(text[i-1])) && (text[i] == ',' || text[i] == ']') {
			return true
		}
	}
	return false
}
