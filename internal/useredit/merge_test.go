package useredit

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/directory"
)

const mergedHash = "$2a$04$ed8IqXwtgreEpivswSJnkuEzxjfWqAijxnCI.1FDAQe2PAIBWBD7O"

func merged(t *testing.T, before string, format Format, replace bool, users ...*directory.User) (string, []Outcome) {
	t.Helper()
	var outcomes []Outcome
	after, err := Edit([]byte(before), format, Users, func(f *File) error {
		var incoming []Incoming
		for _, u := range users {
			incoming = append(incoming, Incoming{User: u, Scoped: u.Scopes != nil})
		}
		outcomes = f.Merge(incoming, replace)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(after), outcomes
}

func TestUsersOfAnotherFileAreAddedAndThoseInTheFileStay(t *testing.T) {
	other := strings.Replace(mergedHash, "ed8I", "fd8I", 1)
	plain := func(name string) *directory.User { return &directory.User{Username: name, PasswordHash: mergedHash} }
	rich := &directory.User{Username: "rich", PasswordHash: mergedHash, ID: "7", Scopes: []string{}, Disabled: true,
		Claims: map[string]json.RawMessage{"email": json.RawMessage(`"a<b>@example.com"`)}}
	disabled := plain("dora")
	disabled.Disabled = true

	before := "# ours\nalice:" + other + "\n# disabled: bob:" + other + "\n"
	after, outcomes := merged(t, before, Htpasswd, false, plain("alice"), plain("bob"), plain("carol"), disabled, rich, plain("a:b"), plain("carol"))
	if want := before + "carol:" + mergedHash + "\n# disabled: dora:" + mergedHash + "\n"; after != want {
		t.Errorf("the file is\n%swant\n%s", after, want)
	}
	for i, kept := range []bool{true, true, false, false, false, false, true} {
		if outcomes[i].Kept != kept || (outcomes[i].Err != nil) != (i == 4 || i == 5) {
			t.Errorf("user %d: %+v", i, outcomes[i])
		}
	}

	after, outcomes = merged(t, before, Htpasswd, true, plain("bob"), rich)
	if want := "# ours\nalice:" + other + "\n# disabled: bob:" + mergedHash + "\n"; after != want || outcomes[0].After == nil {
		t.Errorf("with replace the file is\n%swant\n%s", after, want)
	}

	before = `{"users": [{"username": "alice", "password_hash": "` + other + `"}, {"username": "x", "id": "7", "password_hash": "` + other + `"}]}`
	after, outcomes = merged(t, before, JSON, false, plain("alice"), rich, plain("7"), plain("carol"))
	if !outcomes[0].Kept || outcomes[1].Err == nil || outcomes[2].Err == nil || strings.Contains(after, "rich") || !strings.Contains(after, `"carol"`) {
		t.Errorf("%+v, the file is %s", outcomes, after)
	}
	after, outcomes = merged(t, "", JSON, true, rich)
	if want := `"id": "7",
      "scopes": [],
      "claims": {"email":"a<b>@example.com"},
      "disabled": true`; outcomes[0].Err != nil || !strings.Contains(after, want) {
		t.Errorf("%+v, the new file is %s", outcomes, after)
	}
	before = after
	after, outcomes = merged(t, after, JSON, true, &directory.User{Username: "rich", PasswordHash: other}, plain("7"))
	if after != strings.Replace(before, mergedHash, other, 1) || outcomes[1].Err == nil {
		t.Errorf("with replace the file is %s", after)
	}
}

// A tool that does not know the mark of a disabled user may have added a line.
func TestOfTwoLinesOfAUserTheOneThatCountsIsReplaced(t *testing.T) {
	after, _ := merged(t, "# disabled: alice:"+hash2+"\nalice:"+hash2+":x\r\nbob:"+hash2, Htpasswd, true, &directory.User{Username: "alice", PasswordHash: hash1})
	if want := "# disabled: alice:" + hash2 + "\nalice:" + hash1 + ":x\r\nbob:" + hash2; after != want {
		t.Errorf("the file is\n%q want\n%q", after, want)
	}
}

// json.Unmarshal reads "Username" as the name, and the server does not.
func TestAnEntryThatTheServerRefusesIsNotEdited(t *testing.T) {
	const before = `{"users": [{"username": "bob", "password_hash": "H1"}, {"Username": "alice", "password_hash": "H1"}]}`
	for name, change := range map[string]func(*File) error{
		"set": setHash("alice", hash2), "disable": disable("alice"), "rename": rename("alice", "al", true), "remove": remove("alice"),
		"merge": func(f *File) error {
			if outcome := f.Merge([]Incoming{{User: &directory.User{Username: "alice", PasswordHash: hash2}}}, true)[0]; outcome.After != nil {
				t.Error("another entry is replaced")
			}
			return nil
		},
	} {
		want := `it has no user "alice"`
		if name == "merge" {
			want = "correct the file first"
		}
		if _, err := Edit([]byte(fill(before)), JSON, Users, change); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}

// One by one, with a look at the whole file for each, this would take hours.
func TestManyUsersAreAddedAtOnce(t *testing.T) {
	users := make([]*directory.User, 20_000)
	for i := range users {
		users[i] = &directory.User{Username: fmt.Sprint("user", i), PasswordHash: mergedHash}
	}
	for _, format := range []Format{Htpasswd, JSON} {
		after, _ := merged(t, "", format, false, users...)
		after, _ = merged(t, after, format, true, users...)
		entries, err := Read([]byte(after), format, Users)
		if err != nil || len(entries) != len(users) {
			t.Errorf("%s: %d users, %v", format, len(entries), err)
		}
	}
}
