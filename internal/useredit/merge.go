package useredit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/tailscale/hujson"

	"github.com/caddygrant/caddy-grant/directory"
)

// Incoming is a user of another file, with a hash.
type Incoming struct {
	*directory.User

	// Scoped says that the other file has the user's scopes, even if they are nil, any.
	Scoped bool
}

// Outcome is what became of a user who was to be added.
type Outcome struct {
	Kept bool  // the file has the name already, and its entry stays
	Err  error // why the user cannot be in the file

	// Before and After are the entry that was replaced: what it was, and what it is.
	Before, After *directory.User
}

// Merge adds users of another file, and says what became of each of them. Of a name that
// the file has already the entry stays, or with replace takes over what the other file
// has of the user: the hash, and of the rest what is not empty. A disabled user stays
// disabled. It takes no longer for many users than for few.
func (f *File) Merge(users []Incoming, replace bool) []Outcome {
	m := merge{f.content, replace, f.content.places(), make(map[string]*directory.User), make(map[string]string)}
	for _, entry := range f.content.entries() {
		m.know(entry.User)
	}
	outcomes := make([]Outcome, len(users))
	for i, u := range users {
		outcomes[i] = m.user(u)
	}
	return outcomes
}

// merge is a file while users are added.
type merge struct {
	content  content
	replace  bool
	places   map[string]int
	users    map[string]*directory.User
	subjects map[string]string // with the name of each
}

func (m *merge) know(u *directory.User) {
	m.users[u.Username], m.subjects[u.Subject()] = u, u.Username
}

func (m *merge) user(u Incoming) Outcome {
	before := m.users[u.Username]
	if before != nil && !m.replace {
		return Outcome{Kept: true}
	}
	after := u.over(before)
	if other, taken := m.subjects[after.Subject()]; taken && other != u.Username {
		return Outcome{Err: errors.New("another user in the file has the same id")}
	}
	members := membersOf(u.User)
	if err := m.content.fits(u.Username, members); err != nil {
		return Outcome{Err: err}
	}
	if before == nil {
		if err := m.content.add(u.Username, u.PasswordHash, members); err != nil {
			return Outcome{Err: err}
		}
		m.places[u.Username] = m.content.last()
	}
	if before != nil || after.Disabled {
		if err := m.content.change(m.places[u.Username], before, after); err != nil {
			return Outcome{Err: err}
		}
	}
	if before != nil {
		delete(m.subjects, before.Subject())
	}
	m.know(after)
	if before == nil {
		return Outcome{}
	}
	return Outcome{Before: before, After: after}
}

// over is the user that replaces another one, or none: what the other file says nothing
// about stays.
func (u Incoming) over(before *directory.User) *directory.User {
	after := *u.User
	if before == nil {
		return &after
	}
	if after.ID == "" {
		after.ID = before.ID
	}
	if !u.Scoped {
		after.Scopes = before.Scopes
	}
	after.Claims = maps.Clone(before.Claims)
	for name, value := range u.Claims {
		if after.Claims == nil {
			after.Claims = make(map[string]json.RawMessage)
		}
		after.Claims[name] = value
	}
	after.Disabled = after.Disabled || before.Disabled
	return &after
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
		scopes := &members[len(members)-1] // there are no quotes in them
		scopes.Value = bytes.ReplaceAll(scopes.Value, []byte(`","`), []byte(`", "`))
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

// places are the lines of the entries.
func (l *lines) places() map[string]int {
	places, disabled := make(map[string]int), make(map[string]bool)
	l.each(func(i int, name, _ string, at spot) bool {
		if _, again := places[name]; !again || disabled[name] && !at.disabled {
			places[name], disabled[name] = i, at.disabled
		}
		return true
	})
	return places
}

func (l *lines) last() int { return len(l.text) - 1 }

func (l *lines) change(line int, _, after *directory.User) error {
	at, _ := l.find(l.text[line])
	l.splice(line, at.hash, at.end, after.PasswordHash)
	if after.Disabled && !at.disabled {
		l.splice(line, at.name, at.name, disabledMark)
	}
	return nil
}

// places are the indexes of the entries in the list.
func (o *object) places() map[string]int {
	places := make(map[string]int)
	if array := o.array(); array != nil {
		for i, element := range array.Elements {
			if name, found := o.nameOf(element); found {
				places[name] = i
			}
		}
	}
	return places
}

func (o *object) last() int { return len(o.array().Elements) - 1 }

func (o *object) change(i int, before, after *directory.User) error {
	entry := o.array().Elements[i].Value.(*hujson.Object)
	_, hash := o.keys()
	set(entry, hash, hujson.String(after.PasswordHash))
	was := make(map[string]string)
	if before != nil {
		for _, m := range membersOf(before) {
			was[m.Name] = string(m.Value)
		}
		if before.Scopes != nil && after.Scopes == nil {
			unset(entry, "scopes")
		}
	}
	for _, m := range membersOf(after) {
		if was[m.Name] == string(m.Value) || before == nil {
			continue
		}
		value, err := parseValue(m.Value)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		set(entry, m.Name, value)
	}
	if after.Disabled {
		set(entry, "disabled", hujson.Bool(true))
	}
	return nil
}
