package useredit

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/internal/apikey"
)

// fillKeys puts hashes of keys where a test has K1 and K2.
func fillKeys(text string) string {
	return strings.NewReplacer("K1", apikey.DigestOf("1").Hash(), "K2", apikey.DigestOf("2").Hash()).Replace(text)
}

func addKey(k apikey.Key) func(*KeyFile) error {
	k.Hash = fillKeys(k.Hash)
	return func(f *KeyFile) error { return f.Add(&k) }
}

func revoke(name string) func(*KeyFile) error {
	return func(f *KeyFile) error { return f.Remove(name) }
}

// full has every field.
var full = apikey.Key{Name: "deploy", Hash: "K1", User: "alice", Scopes: []string{"a", "b"}, Audience: []string{"api"}, Expires: "2027-01-31", Note: "from CI, \"x\""}

func TestEditsOfKeysLeaveTheRestAsItIs(t *testing.T) {
	small := apikey.Key{Name: "nightly", Hash: "K2", Client: "batch"}
	for _, test := range []struct {
		name       string
		format     Format
		old, wants string
		change     func(*KeyFile) error
	}{
		{"a new file of lines", Lines, "", "deploy K1 user=alice scopes=a,b audience=api expires=2027-01-31 note=from CI, \"x\"\n", addKey(full)},
		{"a line end that is missing", Lines, "# keys\n\na K1 user=alice", "# keys\n\na K1 user=alice\nnightly K2 client=batch\n", addKey(small)},
		{"line ends of Windows", Lines, "\xEF\xBB\xBF# a\r\nx K1 user_id=7\r\n", "\xEF\xBB\xBF# a\r\nx K1 user_id=7\r\nnightly K2 client=batch\r\n", addKey(small)},
		{"a line removed", Lines, "# a\n  deploy\tK1 user=alice\n\n#deploy\nnightly K2 client=batch\n", "# a\n\n#deploy\nnightly K2 client=batch\n", revoke("deploy")},
		{"the only line removed", Lines, "deploy K1 user=alice", "", revoke("deploy")},
		{"a name that another begins with", Lines, "deploy2 K1 user=deploy note=deploy \ndeploy K2 user=deploy\n", "deploy2 K1 user=deploy note=deploy \n", revoke("deploy")},
		{"a duplicate is mended", Lines, "a K1 user=x\na K2 user=y\n", "", revoke("a")},
		{"a new JSON file", JSON, "", `{
  "api_keys": [
    {
      "name": "deploy",
      "hash": "K1",
      "user": "alice",
      "scopes": ["a", "b"],
      "audience": ["api"],
      "expires": "2027-01-31",
      "note": "from CI, \"x\""
    }
  ]
}
`, addKey(full)},
		{"beside users", JSON, `{"users": [{"username": "alice", "password_hash": "x"}]}`, `{"users": [{"username": "alice", "password_hash": "x"}], "api_keys": [{"name": "nightly", "hash": "K2", "client": "batch"}]}`, addKey(small)},
		{"in the style of the last one", JSON, "{\"api_keys\": [\n\t{\"name\": \"x\", \"hash\": \"K1\", \"user\": \"a\"}\n]}", "{\"api_keys\": [\n\t{\"name\": \"x\", \"hash\": \"K1\", \"user\": \"a\"},\n\t{\"name\": \"nightly\", \"hash\": \"K2\", \"client\": \"batch\"}\n]}", addKey(small)},
		{"removed from a list", JSON, `{"api_keys": [{"name": "x", "hash": "K1", "user": "a"}, {"hash": "K2", "name": "y", "user": "a"}], "users": [ ]}`, `{"api_keys": [{"name": "x", "hash": "K1", "user": "a"}], "users": [ ]}`, revoke("y")},
		{"the only one of a list", JSON, `{"api_keys": [{"name": "x", "hash": "K1", "user": "a"}]}`, `{"api_keys": []}`, revoke("x")},
	} {
		got, err := EditKeys([]byte(fillKeys(test.old)), test.format, test.change)
		if err != nil || string(got) != fillKeys(test.wants) {
			t.Errorf("%s: got %v\n%s\nwant\n%s", test.name, err, got, fillKeys(test.wants))
		}
	}
}

func TestEditsThatAFileOfKeysCannotHoldAreRefused(t *testing.T) {
	const lines, list = "deploy K1 user=alice\n", `{"api_keys": [{"name": "deploy", "hash": "K1", "user": "alice"}]}`
	key := func(change func(*apikey.Key)) func(*KeyFile) error {
		k := apikey.Key{Name: "other", Hash: "K2", User: "bob"}
		change(&k)
		return addKey(k)
	}
	for _, test := range []struct {
		format Format
		old    string
		change func(*KeyFile) error
		want   string
	}{
		{Lines, lines, addKey(full), `it has a key "deploy" already`},
		{JSON, list, addKey(full), `it has a key "deploy" already`},
		{Lines, lines, revoke("other"), `it has no key "other"`},
		{JSON, list, revoke("other"), `it has no key "other"`},
		{JSON, `{"users": []}`, revoke("other"), `it has no key "other"`},
		{Lines, lines, revoke("#"), "begins a comment"},
		{Lines, lines, revoke(""), "needs a name"},
		{Lines, lines, key(func(k *apikey.Key) { k.Hash = "K1" }), "it has the hash of the key on line 1"},
		{JSON, list, key(func(k *apikey.Key) { k.Hash = "K1" }), "it has the hash of the key on line 1"},
		{Lines, lines, key(func(k *apikey.Key) { k.User = "bob smith" }), "use a JSON file"},
		{Lines, lines, key(func(k *apikey.Key) { k.Scopes = []string{"a,b"} }), "use a JSON file"},
		{Lines, lines, key(func(k *apikey.Key) { k.Audience = []string{"a b"} }), "use a JSON file"},
		{Lines, lines, key(func(k *apikey.Key) { k.Audience = []string{} }), "use a JSON file"},
		{Lines, lines, key(func(k *apikey.Key) { k.Note = "x " }), "use a JSON file"},
		{Lines, lines, key(func(k *apikey.Key) { k.Scopes = []string{"a b"} }), "contains a space"},
		{Lines, lines, key(func(k *apikey.Key) { k.Client = "web" }), "more than one owner"},
		{Lines, lines + "x\n", key(func(*apikey.Key) {}), `correct the file first, which Caddy refuses as it is: line 2: "x": it has no hash`},
		{Lines, list, key(func(*apikey.Key) {}), "correct the file first, which Caddy refuses as it is: it is JSON"},
		{JSON, lines, key(func(*apikey.Key) {}), "correct the file first, which Caddy refuses as it is: it has one key a line"},
		{JSON, `{"api_keys": {}}`, key(func(*apikey.Key) {}), "correct the file first"},
	} {
		got, err := EditKeys([]byte(fillKeys(test.old)), test.format, test.change)
		if got != nil || err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %q and %v, want %q", test.old, got, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), fillKeys("K1")[8:16]) {
			t.Errorf("a hash is in %q", err)
		}
	}
	if _, err := EditKeys([]byte(fillKeys(lines)), Lines, addKey(full)); !errors.Is(err, ErrExists) {
		t.Errorf("got %v", err)
	}
	if _, err := EditKeys(nil, Lines, revoke("x")); !errors.Is(err, ErrNone) {
		t.Errorf("got %v", err)
	}
}

func TestTheFormatOfAFileOfKeysIsThatOfItsContentOrOfItsName(t *testing.T) {
	for content, want := range map[string]Format{"": Lines, "# x\n": Lines, "a K1 user=b": Lines, `{"api_keys": []}`: JSON, "{\n}\n": JSON} {
		if got := KeyFormatOf("keys", []byte(fillKeys(content))); got != want {
			t.Errorf("%q is %s", content, got)
		}
	}
	if KeyFormatOf("keys.json", nil) != JSON || KeyFormatOf("keys.json", []byte(fillKeys("a K1 user=b"))) != Lines {
		t.Error("the name does not tell, or overrules the content")
	}
}

// FuzzKeyEdits holds edits of keys to what [FuzzEdits] does.
func FuzzKeyEdits(f *testing.F) {
	for _, text := range []string{
		"deploy K1 user=alice\n", "# a\n x\tK2 client=b note=deploy \r\ndeploy K1 user=a", "\xEF\xBB\xBFdeploy K1 user=a\r\n", "", "a K1 user=x\na K2 user=y",
	} {
		f.Add([]byte(fillKeys(text)), false, true, "deploy", "alice", "note")
		f.Add([]byte(fillKeys(text)), false, false, "other", "al ice", "")
	}
	for _, text := range []string{
		`{"api_keys":[{"name":"deploy","hash":"K1","user":"alice"}]}`, `{"users": [ ], "api_keys": [{"hash":"K2","name":"d\u0065ploy","client":"b", "scopes": [ ]} , {"name":"x","hash":"K1","user_id":"7"}]}`, "{\n}\n",
	} {
		f.Add([]byte(fillKeys(text)), true, true, "deploy", "alice", "")
		f.Add([]byte(fillKeys(text)), true, false, "other", "<\">", "\\")
	}
	f.Fuzz(func(t *testing.T, data []byte, isJSON, removes bool, name, owner, note string) {
		format := Lines
		if isJSON {
			format = JSON
		}
		added := apikey.Key{Name: name, Hash: apikey.DigestOf("new").Hash(), User: owner, Note: note, Scopes: []string{"a"}}
		change := addKey(added)
		if removes {
			change = revoke(name)
		}
		edited, err := EditKeys(data, format, change)
		if err != nil {
			if edited != nil {
				t.Errorf("an error and a file: %v", err)
			}
			return
		}
		after, err := ReadKeys(edited, format)
		if err != nil {
			t.Fatalf("it makes a file that the server refuses: %v\n%q\n%q", err, data, edited)
		}
		kept := func(set *apikey.Set) (all []string) {
			for k := range set.All() {
				if k.Name != name {
					line := append([]string{k.Name, k.Hash, k.User, k.UserID, k.Client, string(k.Expires), k.Note, "scopes"}, k.Scopes...)
					all = append(all, strings.Join(append(append(line, "audience"), k.Audience...), "\x00"))
				}
			}
			return all
		}
		if before, err := ReadKeys(data, format); err == nil && !slices.Equal(kept(before), kept(after)) {
			t.Errorf("other keys have changed:\n%q\n%q", data, edited)
		}
		found := after.ByDigest(apikey.DigestOf("new"))
		switch {
		case removes && found != nil && found.Name == name:
			t.Error("it is still there")
		case !removes && (found == nil || found.Name != name || found.User != owner || found.Note != note || !reflect.DeepEqual(found.Scopes, added.Scopes)):
			t.Errorf("it is not as it was added: %q", edited)
		}
		if !removes && format == Lines && !bytes.HasPrefix(edited, bytes.TrimRight(data, "\r\n")) {
			t.Errorf("what was there has changed:\n%q\n%q", data, edited)
		}
	})
}
