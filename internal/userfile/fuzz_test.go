package userfile

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	jose "github.com/go-jose/go-jose/v4/json"
)

// plant replaces the word HASH by a real hash, so that the fuzzer can put one
// anywhere without knowing it.
func plant(data string) string { return strings.ReplaceAll(data, "HASH", benchHash) }

// checkLeak fails if an error has eight bytes of the hash in a row.
func checkLeak(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	text := err.Error()
	for i := range len(benchHash) - 8 {
		if strings.Contains(text, benchHash[i:i+8]) {
			t.Fatalf("the error has a piece of a hash in it: %s", text)
		}
	}
}

func FuzzHtpasswd(f *testing.F) {
	for _, seed := range []string{
		"bob:HASH\n", "bob HASH\n", "HASH:bob\nHASH:bob\n", "# c\n\r\nbob:HASH:note\r\nbob:HASH\n", "b\x00:HASH", "bob:\nHASH\n:HASH",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) {
		data = plant(data)
		list, err := readHtpasswd(data)
		checkLeak(t, err)
		if err != nil {
			return
		}
		if len(list) == 0 {
			t.Fatal("accepted without an entry")
		}
		var again strings.Builder
		for _, e := range list {
			if e.name == "" || len(e.name) > 255 || !utf8.ValidString(e.name) || strings.ContainsAny(e.name, ":\x00\n") {
				t.Fatalf("accepted the name %q", e.name)
			}
			if e.hash == "" || strings.ContainsAny(e.hash, ":\n") || len(e.name)+len(e.hash) > 4096 {
				t.Fatalf("accepted the hash %q", e.hash)
			}
			again.WriteString(e.name + ":" + e.hash + ":\n")
		}
		second, err := readHtpasswd(again.String())
		if err != nil || !slices.Equal(list, second) {
			t.Fatalf("what was accepted is not once more: %v", err)
		}
	})
}

func FuzzList(f *testing.F) {
	for _, seed := range []string{
		`{"users":[{"username":"bob","password_hash":"HASH","scopes":[],"claims":{"a":{"b":[1,null]}},"disabled":false}]}`,
		`{"users":[{"password_hash":HASH}],"clients":[1]}`, `{"users":[{"HASH":1}]}`, `{"HASH":[]}`, `{"users":[{"username":"HASH"},{"username":"HASH"}]}`,
		`{"clients":[{"a":1,"\u0061":2}],"users":[]}`, `{"users":["HASH",null]} HASH`, `{"users":[{"claims":{"HASH":1,"HASH":2}}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) {
		data = plant(data)
		list, err := readList(data)
		checkLeak(t, err)
		if err != nil {
			return
		}
		names := make(map[string]bool)
		for _, p := range list {
			if names[p.Username] {
				t.Fatal("accepted a name twice")
			}
			names[p.Username] = true
		}

		// A decoder that refuses duplicate keys and knows case agrees.
		bare := bytes.TrimPrefix([]byte(data), []byte("\xEF\xBB\xBF"))
		var file struct {
			Users   []map[string]any `json:"users"`
			Clients []any            `json:"clients"`
		}
		if !json.Valid(bare) {
			t.Fatal("accepted what is not JSON")
		}
		if err := jose.Unmarshal(bare, &file); err != nil {
			t.Fatalf("accepted what a strict decoder refuses: %v", err)
		}
		if len(file.Users) != len(list) {
			t.Fatalf("%d entries, want %d", len(list), len(file.Users))
		}
		for i, user := range file.Users {
			for key, value := range user {
				if !keysOf[person]()[key] || value == nil {
					t.Fatalf("accepted the key %q with %v", key, value)
				}
			}
			if scopes, ok := user["scopes"]; ok != (list[i].Scopes != nil) {
				t.Fatalf("scopes %v became %#v", scopes, list[i].Scopes)
			}
		}
	})
}
