package userfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// person has the shape of what the root package decodes.
type person struct {
	Username     string                     `json:"username"`
	PasswordHash string                     `json:"password_hash"`
	ID           string                     `json:"id,omitempty"`
	Scopes       []string                   `json:"scopes"`
	Claims       map[string]json.RawMessage `json:"claims,omitempty"`
	Age          int                        `json:"age,omitempty"`
	Disabled     bool                       `json:"disabled,omitempty"`
	embedded
	Derived string `json:"-"`
}

type embedded struct {
	Note string `json:"note,omitempty"`
}

func nameOf(p *person) string { return p.Username }

// readList returns the users that a file gives a caller that keeps an index.
func readList(data string) ([]*person, error) {
	var list []*person
	index := make(map[string]bool)
	err := List([]byte(data), "users", nameOf, func(_ int, p *person) error {
		if index[p.Username] {
			return ErrDuplicate
		}
		if p.PasswordHash == "unusable" {
			return errors.New("unusable hash")
		}
		index[p.Username] = true
		list = append(list, p)
		return nil
	})
	return list, err
}

func TestListDecodesEveryField(t *testing.T) {
	list, err := readList("\xEF\xBB\xBF" + `{"clients":[{"id":"web"}], "users":[
		{"username":"alice","password_hash":"h","id":"512a","scopes":["a","b"],
		 "claims":{"email":"a@example.com","n":9007199254740993,"none":null,"o":{"x":[null]}},"disabled":true,"note":"n"},
		{"username":"bob"},
		{"username":"carol","scopes":[]}
	]}` + "\n")
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 3 {
		t.Fatalf("%d entries", len(list))
	}
	alice := list[0]
	if alice.ID != "512a" || !slices.Equal(alice.Scopes, []string{"a", "b"}) || !alice.Disabled || alice.Note != "n" {
		t.Errorf("alice is %+v", alice)
	}
	if got := string(alice.Claims["none"]); got != "null" {
		t.Errorf("a claim that is null became %q", got)
	}
	if list[1].Scopes != nil {
		t.Error("an absent list is not nil")
	}
	if list[2].Scopes == nil || len(list[2].Scopes) != 0 {
		t.Error("an empty list is not an empty list")
	}
}

func TestListReadsTheSectionItIsAskedFor(t *testing.T) {
	const both = `{"users":[{"username":"alice"}],"clients":[{"username":"web"},{"username":"cli"}]}`
	for section, want := range map[string]string{"users": "alice", "clients": "web cli"} {
		var names []string
		err := List([]byte(both), section, nameOf, func(_ int, p *person) error {
			names = append(names, p.Username)
			return nil
		})
		if got := strings.Join(names, " "); err != nil || got != want {
			t.Errorf("%s: got %q, %v", section, got, err)
		}
	}
}

func TestListAcceptsAnEmptyList(t *testing.T) {
	if list, err := readList(`{"users":[]}`); err != nil || len(list) != 0 {
		t.Errorf("got %v, %v", list, err)
	}
}

func TestListRefusesWhatIsNotExactlyRight(t *testing.T) {
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	wide := strings.Repeat(`"k":1,`, 1)
	for i := range 300 {
		wide += fmt.Sprintf(`"k%d":1,`, i)
	}
	wide = strings.TrimSuffix(wide, ",")

	for _, test := range []struct{ name, data, want string }{
		{"an empty file", "", "line 1: the file is empty"},
		{"white space only", " \n\n", "line 1: the file is empty"},
		{"null", `null`, "line 1: no JSON object; the file starts with {\"users\": ["},
		{"a list at the top", `[{"username":"a"}]`, "line 1: no JSON object; the file starts with {\"users\": ["},
		{"an empty object", `{}`, `line 1: no list "users" in it`},
		{"only the other section", `{"clients":[]}`, `line 1: no list "users" in it`},
		{"an unknown section", `{"people":[]}`, `line 1: unknown key "people"; the known keys are api_keys, clients, users`},
		{"a section in capitals", "{\n\"Users\":[]}", `line 2: unknown key "Users"; it is written "users"`},
		{"a section twice", `{"users":[],"users":[]}`, `line 1: duplicate key "users"`},
		{"a section twice, escaped", `{"users":[],"\u0075sers":[]}`, `line 1: duplicate key "users"`},
		{"a null section", `{"users":null}`, `line 1: key "users" must be a list`},
		{"an object as section", `{"users":{}}`, `line 1: key "users" must be a list`},
		{"another section that is not a list", `{"users":[],"clients":"x"}`, `line 1: key "clients" must be a list`},
		{"a broken entry in the other section", "{\"users\":[],\"clients\":[{},\n{\"a\"}]}", `clients[1] (line 2): not valid JSON: `},
		{"a key twice in the other section", `{"clients":[{"a":1,"a":2}],"users":[]}`, `clients[0] (line 1): duplicate key "a"`},
		{"a second object", `{"users":[]} {}`, "line 1: something follows the JSON object; remove it"},
		{"rubbish at the end", "{\"users\":[]}\nx", "line 2: something follows the JSON object; remove it"},
		{"a comma at the end of the object", `{"users":[],}`, "line 1: not valid JSON: "},
		{"a comma at the end of the list", `{"users":[{"username":"a"},]}`, "line 1: not valid JSON: "},
		{"no comma in the list", "{\"users\":[{\"username\":\"a\"}\n{}]}", "line 2: not valid JSON: "},
		{"no comma between sections", "{\"users\":[]\n\"clients\":[]}", "line 2: not valid JSON: "},
		{"a file that was cut", "{\"users\":[\n{\"username\":\"a\"}", "line 2: not valid JSON: unexpected end"},
		{"an entry that was cut", "{\"users\":[\n{\"userna", "line 2: not valid JSON: unexpected end"},
		{"a syntax error with its line", "{\"users\":[\n{\"username\":\"a\",\n\"id\":x}]}", "line 3: not valid JSON: "},
		{"a null entry", "{\"users\":[{\"username\":\"a\"},\n\nnull]}", "users[1] (line 3): null where an entry should be; remove it"},
		{"a string as entry", `{"users":["alice"]}`, "users[0] (line 1): the entry must be an object, not string"},
		{"a list as entry", `{"users":[[]]}`, "users[0] (line 1): the entry must be an object, not array"},
		{"an unknown key", "{\"users\":[{\"username\":\"a\"},{},{\"username\":\"b\"},\n\n{\"pasword_hash\":\"$2y$\"}]}", `users[3] (line 3): unknown key "pasword_hash"; did you mean "password_hash"?`},
		{"the hash by another name", `{"users":[{"hash":"$2y$"}]}`, `users[0] (line 1): unknown key "hash"; the hash is "password_hash"`},
		{"a password", `{"users":[{"password":"x"}]}`, `users[0] (line 1): unknown key "password"; the hash is "password_hash"`},
		{"a key in the singular", `{"users":[{"scope":"x"}]}`, `users[0] (line 1): unknown key "scope"; did you mean "scopes"?`},
		{"a field in another case", `{"users":[{"Username":"a"}]}`, `users[0] (line 1): unknown key "Username"; it is written "username"`},
		{"a field in another case beside the right one", `{"users":[{"disabled":true,"Disabled":false}]}`, `users[0] (line 1): unknown key "Disabled"; it is written "disabled"`},
		{"a field that folds to one of ours", "{\"users\":[{\"di\u017Fabled\":true}]}", `users[0] (line 1): unknown key of odd form (not shown); it is written "disabled"`},
		{"a field that is not for JSON", `{"users":[{"Derived":"a"}]}`, `users[0] (line 1): unknown key "Derived"`},
		{"a field twice", `{"users":[{"disabled":true,"disabled":false}]}`, `users[0] (line 1): duplicate key "disabled"`},
		{"a field twice, escaped", `{"users":[{"id":"a","\u0069d":"b"}]}`, `users[0] (line 1): duplicate key "id"`},
		{"a claim twice", `{"users":[{"claims":{"a":1,"b":{"a":1},"a":1}}]}`, `users[0] (line 1): duplicate key "a"`},
		{"a claim twice deep inside", `{"users":[{"claims":{"a":[{"x":1},{"x":1,"x":1}]}}]}`, `users[0] (line 1): duplicate key "x"`},
		{"a null field", `{"users":[{"scopes":null}]}`, `users[0] (line 1): key "scopes" is null or has null in its list; leave it out`},
		{"null in a list", `{"users":[{"id":"x","scopes":["a",null]}]}`, `users[0] (line 1): key "scopes" is null or has null in its list; leave it out`},
		{"a string for a list", `{"users":[{"scopes":"a b"}]}`, `users[0] (line 1): key "scopes": must be a list, not string`},
		{"a number in a list of strings", `{"users":[{"scopes":["a",1]}]}`, `users[0] (line 1): key "scopes": must be a string, not number`},
		{"a number for a string", `{"users":[{"password_hash":12345678}]}`, `users[0] (line 1): key "password_hash": must be a string, not number`},
		{"a fraction for a whole number", `{"users":[{"age":1.5}]}`, `users[0] (line 1): key "age": must be a whole number, not number`},
		{"a string for a bool", `{"users":[{"disabled":"true"}]}`, `users[0] (line 1): key "disabled": must be true or false, not string`},
		{"a list for an object", `{"users":[{"claims":[]}]}`, `users[0] (line 1): key "claims": must be an object, not array`},
		{"deep nesting", `{"users":[{"claims":{"a":` + deep + `}}]}`, "users[0] (line 1): nested more than 32 deep"},
		{"deeper nesting than the decoder takes", `{"users":[{"claims":{"a":` + strings.Repeat("[", 20000) + `}}]}`, "line 1: not valid JSON: "},
		{"an object with too many keys", `{"users":[{"claims":{` + wide + `}}]}`, "users[0] (line 1): more than 256 keys in one object"},
		{"bytes that are not UTF-8", "{\"users\":[\n{\"username\":\"\xff\"}]}", "line 2: not valid UTF-8; save the file as UTF-8"},
		{"UTF-16", "\xff\xfe{\x00", "it is UTF-16; save it as UTF-8"},
		{"a name twice", "{\"users\":[\n{\"username\":\"a\"},\n{\"username\":\"b\"},\n{\"username\":\"a\"}]}", `users[2] (line 4): "a" is already on users[0] (line 2); delete one of the two`},
		{"an error of the caller", "{\"users\":[\n{\"username\":\"bob\",\"password_hash\":\"unusable\"}]}", `users[0] (line 2): "bob": unusable hash`},
		{"several problems", `{"users":[{"x":1},{"username":"a"},null]}`, `2 problems: users[0] (line 1): unknown key "x"; the known keys are age, claims, disabled, id, note, password_hash, scopes, username; users[2] (line 1): null where an entry should be; remove it`},
		{"a problem and a syntax error", "{\"users\":[{\"x\":1},\n]}", `2 problems: users[0] (line 1): unknown key "x"; the known keys are age, claims, disabled, id, note, password_hash, scopes, username; line 2: not valid JSON`},
		{"a hash as key", `{"users":[{"$2y$10$3euPcm":"bob"}]}`, `users[0] (line 1): unknown key of odd form (not shown)`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := readList(test.data)
			if err == nil {
				t.Fatal("accepted")
			}
			if got := err.Error(); !strings.HasPrefix(got, test.want) {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}
