package useredit

import (
	"strings"
	"testing"
)

func TestEditsOfJSONLeaveTheRestAsItIs(t *testing.T) {
	const pretty = `{
  "clients": [ ],
  "users": [
    {
      "username": "alice",
      "password_hash": "H1",
      "claims": {"email":"a@example.com",  "big": 12345678901234567890, "x": 1.50}
    },
    { "username": "b\u006fb", "password_hash": "H2", "disabled": true }
  ]
}
`
	const small = `{"users":[{"username":"alice","password_hash":"H1"},{"username":"bob","password_hash":"H1"}]}`
	const tabs = "{\r\n\t\"users\": [\r\n\t\t{\r\n\t\t\t\"username\": \"alice\",\r\n\t\t\t\"password_hash\": \"H1\"\r\n\t\t}\r\n\t]\r\n}"
	for _, e := range []edited{
		{"a new file", "", "", `{
  "users": [
    {
      "username": "alice",
      "password_hash": "H1",
      "scopes": ["contacts.read"]
    }
  ]
}
`, add("alice", hash1, raw("scopes", `["contacts.read"]`))},
		{"an empty list", "", "{\n\t\"users\": []\n}\n", "{\n\t\"users\": [\n\t\t{\n\t\t\t\"username\": \"alice\",\n\t\t\t\"password_hash\": \"H1\"\n\t\t}\n\t]\n}\n", add("alice", hash1)},
		{"an empty list on one line", "", `{"users":[]}`, `{"users":[{"username":"alice","password_hash":"H1"}]}`, add("alice", hash1)},
		{"a list that is missing", "", `{"clients": [{"id": "a", "public": true}]}`, `{"clients": [{"id": "a", "public": true}], "users": [{"username": "alice", "password_hash": "H1"}]}`, add("alice", hash1)},
		{"the style of the last one", "", pretty, strings.Replace(pretty, "true }\n", "true },\n    { \"username\": \"carol\", \"password_hash\": \"H1\" }\n", 1), add("carol", hash1)},
		{"on one line", "", small, strings.Replace(small, "}]", `},{"username":"<ü\"&>","password_hash":"H2","id":"7"}]`, 1), add(`<ü"&>`, hash2, raw("id", `"7"`))},
		{"tabs and line ends of Windows", "", tabs, strings.Replace(tabs, "\t\t}\r\n", "\t\t},\r\n\t\t{\r\n\t\t\t\"username\": \"bob\",\r\n\t\t\t\"password_hash\": \"H2\"\r\n\t\t}\r\n", 1), add("bob", hash2)},
		{"a password", "", pretty, strings.Replace(pretty, "H2", "H1", 1), setHash("bob", hash1)},
		{"disabled", "", pretty, strings.Replace(pretty, "1.50}\n", "1.50},\n      \"disabled\": true\n", 1), disable("alice")},
		{"disabled on one line", "", small, strings.Replace(small, `H1"}]`, `H1","disabled":true}]`, 1), disable("bob")},
		{"disabled where it was not", "", `{"users": [{"disabled": false, "username": "a", "password_hash": "H1"}]}`, `{"users": [{"disabled": true, "username": "a", "password_hash": "H1"}]}`, disable("a")},
		{"enabled", "", pretty, strings.Replace(pretty, `, "disabled": true }`, ` }`, 1), enable("bob")},
		{"enabled with the first member", "", `{"users": [{"disabled": true, "username": "a", "password_hash": "H1"}]}`, `{"users": [{"username": "a", "password_hash": "H1"}]}`, enable("a")},
		{"renamed", "", pretty, strings.Replace(pretty, `b\u006fb`, "robert", 1), rename("bob", "robert", false)},
		{"renamed with the old subject", "", small, strings.Replace(small, `bob","password_hash":"H1"`, `robert","password_hash":"H1","id":"bob"`, 1), rename("bob", "robert", true)},
		{"the first removed", "", small, strings.Replace(small, `{"username":"alice","password_hash":"H1"},`, "", 1), remove("alice")},
		{"the last removed", "", pretty, strings.Replace(pretty, ",\n    { \"username\": \"b\\u006fb\", \"password_hash\": \"H2\", \"disabled\": true }", "", 1), remove("bob")},
		{"the only one removed", "", tabs, "{\r\n\t\"users\": []\r\n}", remove("alice")},
		{"a comma with blanks", "", `{"users": [{"username": "a", "password_hash": "H1"} , {"username": "b", "password_hash": "H1" , "disabled": true}]}`, `{"users": [{"username": "a", "password_hash": "H1"}]}`, remove("b")},
		{"and of members", "", `{"users": [{"username": "b", "password_hash": "H1" , "disabled": true}]}`, `{"users": [{"username": "b", "password_hash": "H1"}]}`, enable("b")},
		{"a comma too many is mended", "", `{"users": [{"username": "a", "password_hash": "H1"},]}`, `{"users": [{"username": "a", "password_hash": "H1"}, {"username": "b", "password_hash": "H2"}]}`, add("b", hash2)},
		{"a byte order mark", "", "\xEF\xBB\xBF" + small, "\xEF\xBB\xBF" + strings.Replace(small, "alice", "al", 1), rename("alice", "al", false)},
		{"a public client", Clients, `{"clients": []}`, `{"clients": [{"id": "kiosk", "public": true}]}`, add("kiosk", "", raw("public", "true"))},
		{"a secret", Clients, `{"clients": [{"id": "web", "secret_hash": "H1"}]}`, `{"clients": [{"id": "web", "secret_hash": "H2"}]}`, setHash("web", hash2)},
	} {
		t.Run(e.name, func(t *testing.T) { e.run(t, JSON) })
	}
}

func TestEditsThatJSONCannotHoldAreRefused(t *testing.T) {
	const file = `{"users": [{"username": "alice", "password_hash": "H1", "id": "7"}, {"username": "bob", "password_hash": "H1"}], "clients": [{"id": "kiosk", "public": true}]}`
	for _, test := range []struct {
		list   List
		old    string
		change func(*File) error
		want   string
	}{
		{Users, file, add("alice", hash2), `it has a user "alice" already`},
		{Users, file, add("7", hash2), "another user has its id"},
		{Users, file, add("carol", hash2, raw("id", `"bob"`)), "another user has its id"},
		{Users, file, add("carol", hash2, raw("scopes", `["a b"]`)), "scopes"},
		{Users, file, add("carol", hash2, raw("claims", `{"sub": "x"}`)), "claims"},
		{Users, file, add("carol", hash2, raw("claims", `{`)), "claims: it is not JSON"},
		{Users, file, add("carol", hash2, raw("claims", `{"a": 1,}`)), "claims: it is not JSON"},
		{Users, file, add("carol", hash2, raw("nick", `"c"`)), "unknown key"},
		{Users, file, add("c\xff", hash2), "UTF-8"},
		{Users, file, rename("alice", "bob", true), `it has a user "bob" already`},
		{Users, file, setHash("carol", hash1), `it has no user "carol"`},
		{Users, `{"clients": []}`, setHash("carol", hash1), `it has no user "carol"`},
		{Clients, file, setHash("kiosk", hash1), `client "kiosk" is public: it has no secret`},
		{Clients, file, add("web", ""), "no secret"},
		{Clients, file, add("web", hash1, raw("public", "true")), "exclude each other"},
		{Clients, file, add("ü", hash1), "printable ASCII"},
		{Clients, file, add("web", hash1, raw("grants", `["implicit"]`)), "grants"},
		{Clients, file, add("web", hash1, raw("access_token_ttl", `"soon"`)), "soon"},
		{Users, `{"users": [{"username": "alice", "password_hash": "H1"}`, add("bob", hash1), "correct the file first, which Caddy refuses as it is: line 1: not valid JSON"},
		{Users, `{"users": [{"username": "alice", "password_hash": "H1"} /* ops */]}`, add("bob", hash1), "correct the file first"},
		{Users, `{"users": {}}`, add("bob", hash1), `correct the file first, which Caddy refuses as it is: line 1: key "users" must be a list`},
		{Users, `[]`, add("bob", hash1), "correct the file first"},
		{Users, "alice:H1\n", add("bob", hash1), "it has the htpasswd format, not JSON"},
		{Users, `{"users": [{"username": "alice", "password_hash": "secret"}]}`, add("bob", hash1), "correct the file first"},
	} {
		got, err := Edit([]byte(fill(test.old)), JSON, test.list, test.change)
		if got != nil || err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %q and %v, want %q", test.old, got, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "$") {
			t.Errorf("a hash is in %q", err)
		}
	}
}
