// Package useredit changes single entries of files of users, clients and API keys:
// Apache's htpasswd format, JSON lists, and one key a line. All else in a file stays as
// it is, byte for byte: comments, order, blank lines, line ends, indentation.
//
// What it returns has been read with the parsers that the server has, so that no edit
// leaves a file that the server would refuse.
package useredit

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/password"
	"github.com/caddygrant/caddy-grant/internal/userfile"
)

// List is what a file is a list of.
type List string

// A JSON file may have both lists. A file in the htpasswd format has one, and does not
// say which.
const (
	Users   List = "users"
	Clients List = "clients"
)

// one is the word for an entry.
func (l List) one() string { return string(l[:len(l)-1]) }

// Format is how a file is written.
type Format string

// The formats.
const (
	Htpasswd Format = "htpasswd"
	JSON     Format = "json"
)

// Entry is a user or a client.
type Entry struct {
	Name     string
	Disabled bool   // only users can be
	Hash     string // of the password or the secret; "" for a public client

	User   *directory.User   // in a list of users
	Client *directory.Client // in a list of clients
}

// Kind is the kind of the hash, "" without one.
func (e Entry) Kind() string {
	if hash, err := password.Parse(e.Hash, true); err == nil {
		return hash.Params().Kind()
	}
	return ""
}

// Member is a member of an entry in a JSON file.
type Member struct {
	Name  string
	Value json.RawMessage
}

// Edit returns a file as change makes it, or why it cannot be so. Empty data is a new
// file. Its errors hold no hash.
func Edit(data []byte, format Format, list List, change func(*File) error) ([]byte, error) {
	f, err := open(data, format, list)
	if err != nil {
		return nil, unusable(data, format, list, err)
	}
	if err := change(f); err != nil {
		return nil, err
	}
	edited := f.content.bytes()
	if err := Check(edited, format, list); err != nil {
		if errors.Is(err, userfile.ErrEmpty) {
			return nil, nameError{fmt.Sprintf("no %s would be left, and such a file is not valid: Caddy would keep its last version, with the %s", list, list.one()), ErrNoneLeft}
		}
		return nil, unusable(data, format, list, err)
	}
	return edited, nil
}

// unusable tells whether a file was refused before the edit already.
func unusable(data []byte, format Format, list List, err error) error {
	if len(data) == 0 {
		return err
	}
	if before := Check(data, format, list); before != nil && !errors.Is(before, userfile.ErrEmpty) {
		return fmt.Errorf("correct the file first, which Caddy refuses as it is: %w", before)
	}
	return err
}

// Read returns the entries of a file in order.
func Read(data []byte, format Format, list List) ([]Entry, error) {
	err := Check(data, format, list)
	if err != nil && !errors.Is(err, userfile.ErrEmpty) {
		return nil, err
	}
	f, err := open(data, format, list)
	if err != nil {
		return nil, err
	}
	return f.content.entries(), nil
}

// File is a file that is being edited.
type File struct {
	list    List
	content content
}

// content is a file of one format. Names exist, or do not, as the method needs it.
type content interface {
	entries() []Entry
	fits(name string, members []Member) error
	add(name, hash string, members []Member) error
	setHash(name, hash string)
	setDisabled(name string, disabled bool) error
	rename(from, to string) error
	setID(name, id string) error
	remove(name string)
	bytes() []byte

	// where users are while some are added at the end, and a user of such a place after
	// a change
	places() map[string]int
	last() int
	change(place int, before, after *directory.User) error
}

func open(data []byte, format Format, list List) (*File, error) {
	if format == JSON {
		c, err := parseJSON(data, list)
		return &File{list, c}, err
	}
	return &File{list, parseLines(data, list)}, nil
}

// Find returns the entry of a name.
func (f *File) Find(name string) (Entry, error) {
	for _, entry := range f.content.entries() {
		if entry.Name == name {
			return entry, nil
		}
	}
	return Entry{}, nameError{fmt.Sprintf("it has no %s %s", f.list.one(), directory.Shown(name)), ErrNone}
}

// Errors about names.
var (
	ErrNone     = errors.New("unknown name")
	ErrExists   = errors.New("the name is taken")
	ErrNoneLeft = errors.New("no entry would be left") // in the htpasswd format
)

// nameError is one of these, in the words for a person.
type nameError struct {
	text string
	is   error
}

func (e nameError) Error() string { return e.text }

func (e nameError) Unwrap() error { return e.is }

// Free is nil if there is no entry of that name yet, and there can be.
func (f *File) Free(name string) error {
	if err := checkName(name, f.list); err != nil {
		return err
	}
	entry, err := f.Find(name)
	if err != nil {
		return nil
	}
	state := "already"
	if entry.Disabled {
		state = "already, and is disabled"
	}
	return nameError{fmt.Sprintf("it has a %s %s %s", f.list.one(), directory.Shown(name), state), ErrExists}
}

// Add adds an entry at the end. The members are further ones, of a JSON file. A client
// may have no hash, if a member says that it is public.
func (f *File) Add(name, hash string, members ...Member) error {
	if err := f.Free(name); err != nil {
		return err
	}
	if err := checkEntry(f.list, name, hash, members); err != nil {
		return err
	}
	return f.content.add(name, hash, members)
}

// SetHash changes the hash of an entry. A disabled user stays disabled.
func (f *File) SetHash(name, hash string) error {
	entry, err := f.Find(name)
	if err != nil {
		return err
	}
	if entry.Client != nil && entry.Client.Public {
		return fmt.Errorf("client %s is public: it has no secret", directory.Shown(name))
	}
	f.content.setHash(name, hash)
	return nil
}

// SetDisabled disables or enables a user, and tells whether that changed anything.
func (f *File) SetDisabled(name string, disabled bool) (changed bool, err error) {
	if f.list == Clients {
		return false, errors.New("clients cannot be disabled")
	}
	entry, err := f.Find(name)
	if err != nil || entry.Disabled == disabled {
		return false, err
	}
	return true, f.content.setDisabled(name, disabled)
}

// Rename gives a user another name. With keepID the user's subject stays as it is, so
// tokens do as well; without, that is so only for a user with an id.
func (f *File) Rename(from, to string, keepID bool) error {
	entry, err := f.Find(from)
	if err != nil {
		return err
	}
	if err := f.Free(to); err != nil {
		return err
	}
	if keepID && entry.User.ID == "" {
		if err := f.content.setID(from, from); err != nil {
			return err
		}
	}
	return f.content.rename(from, to)
}

// Remove removes an entry.
func (f *File) Remove(name string) error {
	if _, err := f.Find(name); err != nil {
		return err
	}
	f.content.remove(name)
	return nil
}
