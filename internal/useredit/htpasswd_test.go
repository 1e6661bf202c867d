package useredit

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestEditsOfLinesLeaveTheRestAsItIs(t *testing.T) {
	const file = "# people\n\nalice:H1\n\tbob:H2:of ops \n# carol:H1\n# disabled: dave:HW\n"
	for _, e := range []edited{
		{"a new file", "", "", "alice:H1\n", add("alice", hash1)},
		{"added at the end", "", file, file + "erin:H1\n", add("erin", hash1)},
		{"after a last line without an end", "", "alice:H1", "alice:H1\nbob:H2\n", add("bob", hash2)},
		{"line ends of Windows", "", "alice:H1\r\nbob:H1\r\n", "alice:H1\r\nbob:H1\r\ncarol:H2\r\n", add("carol", hash2)},
		{"a byte order mark", "", "\xEF\xBB\xBFalice:H1\nbob:H1\n", "\xEF\xBB\xBF# disabled: alice:H1\nbob:H1\n", disable("alice")},
		{"and enabled", "", "\xEF\xBB\xBF# disabled: alice:H1\nbob:H1\n", "\xEF\xBB\xBFalice:H1\nbob:H1\n", enable("alice")},
		{"a password", "", file, strings.Replace(file, "bob:H2:", "bob:H1:", 1), setHash("bob", hash1)},
		{"the password of a disabled user", "", file, strings.Replace(file, "dave:HW", "dave:H2", 1), setHash("dave", hash2)},
		{"disabled", "", file, strings.Replace(file, "bob:", "# disabled: bob:", 1), disable("bob")},
		{"disabled again", "", file, file, disable("dave")},
		{"enabled", "", file, strings.Replace(file, "# disabled: ", "", 1), enable("dave")},
		{"enabled with a mark by hand", "", "alice:H1\n #disabled:\tbob:H2\r\n", "alice:H1\n bob:H2\r\n", enable("bob")},
		{"renamed", "", file, strings.Replace(file, "bob", "robert", 1), rename("bob", "robert", false)},
		{"renamed while disabled", "", file, strings.Replace(file, "dave", "david", 1), rename("dave", "david", false)},
		{"removed", "", file, strings.Replace(file, "\tbob:H2:of ops \n", "", 1), remove("bob")},
		{"removed while disabled", "", file, strings.Replace(file, "# disabled: dave:HW\n", "", 1), remove("dave")},
		{"removed with what is left of it", "", "# disabled: bob:H1\nalice:H1\nbob:H2\n", "alice:H1\n", remove("bob")},
		{"the line that counts", "", "# disabled: bob:H1\nalice:H1\nbob:H2\n", "# disabled: bob:H1\nalice:H1\nbob:HW\n", setHash("bob", weak)},
		{"clients", Clients, "web:H1\n", "web:H2\n", setHash("web", hash2)},
	} {
		t.Run(e.name, func(t *testing.T) { e.run(t, Htpasswd) })
	}
}

func TestEntriesOfLinesHaveTheDisabledOnes(t *testing.T) {
	file := fill("bob:H1\n# disabled: alice:H2\n# disabled: see ticket 4: he left\n# disabled: bob:H2\n#disabled:erin:HW\nerin:H1\n")
	entries, err := Read([]byte(file), Htpasswd, Users)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		text := e.Name + " " + e.Kind()
		if e.Disabled {
			text += " disabled"
		}
		got = append(got, text)
	}
	if want := []string{"bob bcrypt cost 4", "alice argon2id m=47104,t=1,p=1 disabled", "erin bcrypt cost 4"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if entries, err = Read([]byte(fill("# disabled: alice:H1\n")), Htpasswd, Users); err != nil || len(entries) != 1 {
		t.Errorf("a file with only a disabled user has %v (%v)", entries, err)
	}
}

func TestEditsThatLinesCannotHoldAreRefused(t *testing.T) {
	for _, test := range []struct {
		old    string
		change func(*File) error
		want   string
	}{
		{"alice:H1\n", add("alice", hash2), `it has a user "alice" already`},
		{"alice:H1\n# disabled: bob:H1\n", add("bob", hash2), `it has a user "bob" already, and is disabled`},
		{"alice:H1\n", add("a:b", hash2), "a name with a colon"},
		{"alice:H1\n", add("#bob", hash2), "begins with #"},
		{"alice:H1\n", add(" bob", hash2), "blank before or after"},
		{"alice:H1\n", add("b\nob", hash2), "control characters"},
		{"alice:H1\n", add(`"bob"`, hash2), "quotes around the name"},
		{"alice:H1\n", add("$2y$10$x", hash2), "the username comes first"},
		{"alice:H1\n", add("", hash2), "1 to 255 bytes"},
		{"alice:H1\n", add("bob", ""), "no entries without a hash"},
		{"alice:H1\n", add("bob", hash1, raw("scopes", "[]")), "names and hashes and no scopes; use a JSON file"},
		{"alice:H1\n", setHash("bob", hash1), `it has no user "bob"`},
		{"alice:H1\n", remove("bob"), `it has no user "bob"`},
		{"alice:H1\n", disable("bob"), `it has no user "bob"`},
		{"alice:H1\nbob:H1\n", rename("alice", "bob", false), `it has a user "bob" already`},
		{"alice:H1\nbob:H1\n", rename("alice", "a:b", false), "a name with a colon"},
		{"alice:H1\nbob:H1\n", rename("alice", "carol", true), "the htpasswd format has no ids"},
		{"alice:H1\n", remove("alice"), "no users would be left"},
		{"alice:H1\n", disable("alice"), "no users would be left"},
		{"alice:H1\nbob:secret\n", add("carol", hash1), "correct the file first, which Caddy refuses as it is: line 2"},
		{"alice:H1\nalice:H2\n", setHash("alice", hash1), `correct the file first, which Caddy refuses as it is: line 2: "alice" is already on line 1`},
		{`{"users":[]}`, add("carol", hash1), "it is JSON, not the htpasswd format"},
	} {
		got, err := Edit([]byte(fill(test.old)), Htpasswd, Users, test.change)
		if got != nil || err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %q and %v, want %q", test.old, got, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "$") {
			t.Errorf("a hash is in %q", err)
		}
	}
	_, err := Edit([]byte(fill("alice:H1\n")), Htpasswd, Users, remove("bob"))
	if !errors.Is(err, ErrNone) {
		t.Errorf("%v is not ErrNone", err)
	}
}

func TestDuplicatesAreMendedByRemoving(t *testing.T) {
	edited{old: "alice:H1\nbob:H1\nalice:H2\n", wants: "bob:H1\n", change: remove("alice")}.run(t, Htpasswd)
}

func TestTheFormatIsThatOfTheContent(t *testing.T) {
	for _, test := range []struct {
		path, content string
		want          Format
	}{
		{"users", "alice:H1\n", Htpasswd},
		{"users.json", "alice:H1\n", Htpasswd},
		{"users", `{"users": []}`, JSON},
		{"users.htpasswd", "\xEF\xBB\xBF{\n}", JSON},
		{"users.htpasswd", "", Htpasswd},
		{"users", "# no one yet\n", Htpasswd},
		{"users.JSON", "", JSON},
		{"users.json", " \n", JSON},
	} {
		if got := FormatOf(test.path, []byte(fill(test.content))); got != test.want {
			t.Errorf("%s with %q is %s, want %s", test.path, test.content, got, test.want)
		}
	}
}
