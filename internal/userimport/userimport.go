// Package userimport reads the users of other programs: htpasswd files of any kind,
// Authelia's users, Dovecot's passwd-file, and CSV. It says of each one whether it comes
// over, and if not, why.
//
// No text that it returns contains a hash, a password, or a line that could not be
// split.
package userimport

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/userfile"
)

// Format is the program that wrote a file.
type Format string

// The formats that can be read.
const (
	Htpasswd Format = "htpasswd"
	Authelia Format = "authelia"
	Dovecot  Format = "dovecot"
	CSV      Format = "csv"
)

// Formats are the names of all formats.
func Formats() []string {
	return []string{string(Htpasswd), string(Authelia), string(Dovecot), string(CSV)}
}

// ErrFormat says that a format is none of these.
var ErrFormat = errors.New("unknown format")

// Bounds of a file.
const (
	MaxSize     = 256 << 20 // bytes
	maxAuthelia = 16 << 20  // of a file whose whole tree is in memory
	maxEntries  = 1_000_000
	maxLine     = 4096
)

// Options are what the operator decides.
type Options struct {
	// AllowWeak takes {SHA} and {SSHA} over, for a server with allow_weak_hashes.
	AllowWeak bool

	// Plaintext takes what looks like nothing but a password for one, and hashes it.
	// Passwords that the file itself calls plaintext are always hashed.
	Plaintext bool

	// Claims are the attributes that become claims in the users' tokens.
	Claims []string

	// Scopes are those of each user for whom the file has no scopes.
	Scopes []string

	// ScopesFrom is the attribute whose values are further scopes, such as groups.
	ScopesFrom string
}

// Plaintext is the kind of what is a password and not a hash.
const Plaintext = "plaintext"

// Entry is one user of a file, or a line that should be one.
type Entry struct {
	Line   int
	Name   string          // as it may be printed, "" where it is unknown
	User   *directory.User // nil if it does not come over
	Scoped bool            // the file or the options say which scopes the user has
	Kind   string          // of the hash, such as "bcrypt cost 10"
	Reason string          // why it does not come over
	Notes  []string        // what differs from before
	Anew   bool            // the remedy is a new password

	password func() string // of a user without a hash; a function, so that it is not printed
}

// NeedsHash tells whether a hash is to be made of the user's password.
func (e *Entry) NeedsHash() bool { return e.User != nil && e.password != nil }

// Hash gives a user without a hash one.
func (e *Entry) Hash(hash func(password string) (string, error)) error {
	if !e.NeedsHash() {
		return nil
	}
	hashed, err := hash(e.password())
	if err != nil {
		return err
	}
	e.User.PasswordHash, e.password = hashed, nil
	return nil
}

// Advise adds a note about the password of a user without a hash, unless advise has
// nothing to say about it.
func (e *Entry) Advise(advise func(password, username string) string) {
	if !e.NeedsHash() {
		return
	}
	if note := advise(e.password(), e.User.Username); note != "" {
		e.Notes = append(e.Notes, note)
	}
}

// Result is what a file has.
type Result struct {
	Entries []*Entry
	Left    []string // attributes that [Options] does not ask for, as they may be printed
}

// Read reads a file of users. Its error is about the file as a whole.
func Read(format Format, data []byte, options Options) (*Result, error) {
	for _, claim := range options.Claims {
		if directory.IsReservedClaim(claim) {
			return nil, fmt.Errorf("claim %s: it has a meaning of its own in tokens or placeholders; choose another attribute", userfile.Quote(claim))
		}
	}
	if len(data) > MaxSize {
		return nil, fmt.Errorf("it is larger than %d MiB", MaxSize>>20)
	}
	r := &reader{options: options, first: make(map[string]int), subjects: make(map[string]int), attributes: make(map[string]bool)}
	var err error
	switch format {
	case Htpasswd:
		err = r.htpasswd(data)
	case Authelia:
		err = r.authelia(data)
	case Dovecot:
		err = r.dovecot(data)
	case CSV:
		err = r.csv(data)
	default:
		err = ErrFormat
	}
	if err != nil {
		return nil, err
	}
	wanted := options.Claims
	if options.ScopesFrom != "" {
		wanted = append(slices.Clone(wanted), options.ScopesFrom)
	}
	for _, attribute := range wanted {
		if !r.attributes[attribute] {
			return nil, fmt.Errorf("no user has the attribute %s%s", userfile.Quote(attribute), r.offered())
		}
	}
	for _, attribute := range wanted {
		delete(r.attributes, attribute)
	}
	result := &Result{Entries: r.entries}
	for _, attribute := range slices.Sorted(maps.Keys(r.attributes)) {
		result.Left = append(result.Left, shown(attribute))
	}
	return result, nil
}

// offered names the attributes that there are.
func (r *reader) offered() string {
	if len(r.attributes) == 0 {
		return "; the file has no attributes"
	}
	text := "; there are:"
	for _, name := range slices.Sorted(maps.Keys(r.attributes)) {
		text += " " + userfile.Quote(name)
	}
	return text
}
