package useredit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/caddygrant/caddy-grant/directory"
)

// Outcome is what became of a user who was to be added.
type Outcome struct {
	Kept     bool  // the file has the name already, and its entry stays
	Replaced bool  // the entry that the file had gave way
	Err      error // why the user cannot be in the file
}

// Merge adds users of another file, of whom each has a hash, and says what became of
// each of them. Of a name that the file has already the entry stays, or with replace
// gives way. It takes no longer for many users than for few.
func (f *File) Merge(users []*directory.User, replace bool) []Outcome {
	names, subjects := make(map[string]bool), make(map[string]string)
	for _, entry := range f.content.entries() {
		names[entry.Name] = true
		subjects[entry.User.Subject()] = entry.Name
	}
	outcomes := make([]Outcome, len(users))
	for i, u := range users {
		outcomes[i] = f.merge(u, names, subjects, replace)
	}
	return outcomes
}

func (f *File) merge(u *directory.User, names map[string]bool, subjects map[string]string, replace bool) Outcome {
	if names[u.Username] && !replace {
		return Outcome{Kept: true}
	}
	if other, taken := subjects[u.Subject()]; taken && other != u.Username {
		return Outcome{Err: errors.New("another user in the file has the same id")}
	}
	members := membersOf(u)
	if err := f.content.fits(u.Username, members); err != nil {
		return Outcome{Err: err}
	}
	if names[u.Username] {
		f.content.remove(u.Username)
		for subject, name := range subjects {
			if name == u.Username {
				delete(subjects, subject)
			}
		}
	}
	err := f.content.add(u.Username, u.PasswordHash, members)
	if err == nil && u.Disabled {
		err = f.content.setDisabled(u.Username, true)
	}
	if err != nil {
		return Outcome{Err: err}
	}
	outcome := Outcome{Replaced: names[u.Username]}
	names[u.Username], subjects[u.Subject()] = true, u.Username
	return outcome
}

// membersOf are the members that a user has besides name and hash, in the order of the
// docs, without whether it is disabled.
func membersOf(u *directory.User) (members []Member) {
	add := func(name string, value any) {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(value) // strings, and JSON that was checked
		members = append(members, Member{name, bytes.TrimSpace(text.Bytes())})
	}
	if u.ID != "" {
		add("id", u.ID)
	}
	if u.Scopes != nil {
		add("scopes", u.Scopes)
	}
	if len(u.Claims) > 0 {
		add("claims", u.Claims)
	}
	return members
}

// fits tells why an entry cannot be in a file of the format.
func (l *lines) fits(name string, members []Member) error {
	if len(members) > 0 {
		return fmt.Errorf("the htpasswd format holds names and hashes and no %s; use a JSON file", members[0].Name)
	}
	return writable(name)
}

// fits: JSON can have all.
func (o *object) fits(string, []Member) error { return nil }
