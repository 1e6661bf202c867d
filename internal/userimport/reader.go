package userimport

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/password"
	"github.com/caddygrant/caddy-grant/internal/userfile"
)

// reader collects the entries of a file.
type reader struct {
	options    Options
	entries    []*Entry
	first      map[string]int // the line of each name
	subjects   map[string]int // and of each subject that comes over
	attributes map[string]bool
}

// candidate is a user as a file has it.
type candidate struct {
	line       int
	user       directory.User
	secret     string // the hash, or the password with its scheme
	plaintext  bool   // the secret is the password
	scoped     bool   // the file says which scopes the user has
	attributes map[string]any
	notes      []string
}

var errFull = fmt.Errorf("it has more than %d users", maxEntries)

// add appends an entry.
func (r *reader) add(e *Entry) error {
	if len(r.entries) == maxEntries {
		return errFull
	}
	r.entries = append(r.entries, e)
	return nil
}

// skip is an entry that does not come over.
func (r *reader) skip(line int, name string, reason error) error {
	if _, known := r.first[name]; !known && name != "" {
		r.first[name] = line
	}
	text, anew := password.WithoutRemedy(reason.Error())
	return r.add(&Entry{Line: line, Name: shown(name), Reason: text, Anew: anew})
}

// shown is a name as it is printed: in quotes only where it needs them.
func shown(name string) string {
	quoted := directory.Shown(name)
	if name == "" || quoted == `"`+name+`"` && !strings.ContainsAny(name, " :") {
		return name
	}
	return quoted
}

// take judges a candidate. Of two users with one name the first comes over: programs
// that accept both read the first.
func (r *reader) take(c candidate) error {
	name := c.user.Username
	for attribute := range c.attributes {
		r.attributes[attribute] = true
	}
	if line, duplicate := r.first[name]; duplicate {
		return r.skip(c.line, name, fmt.Errorf("the name is already on line %d, which counts", line))
	}
	r.first[name] = c.line

	entry := &Entry{Line: c.line, Name: shown(name), Notes: c.notes}
	user := c.user
	if err := r.credential(entry, &user, c); err != nil {
		return r.skip(c.line, name, err)
	}
	for _, claim := range r.options.Claims {
		value, has := c.attributes[claim]
		if !has {
			continue
		}
		encoded, err := json.Marshal(value)
		if err != nil {
			return r.skip(c.line, name, fmt.Errorf("the attribute %s cannot be a claim", userfile.Quote(claim)))
		}
		if user.Claims == nil {
			user.Claims = make(map[string]json.RawMessage)
		}
		user.Claims[claim] = encoded
	}
	if !c.scoped {
		user.Scopes = r.scopes(c)
	}
	checked := user
	if entry.password != nil {
		checked.PasswordHash = "made later"
	}
	if err := checked.Validate(); err != nil {
		return r.skip(c.line, name, err)
	}
	if line, duplicate := r.subjects[user.Subject()]; duplicate {
		return r.skip(c.line, name, fmt.Errorf("its id is that of line %d; tokens of the two would be the same user's", line))
	}
	r.subjects[user.Subject()] = c.line
	if user.Disabled {
		entry.Notes = append(entry.Notes, "disabled")
	}
	entry.User, entry.Scoped = &user, c.scoped || user.Scopes != nil
	return r.add(entry)
}

// scopes are those that the options give a user, nil if they say nothing.
func (r *reader) scopes(c candidate) []string {
	if r.options.Scopes == nil && r.options.ScopesFrom == "" {
		return nil
	}
	scopes := append([]string{}, r.options.Scopes...)
	add := func(value any) {
		if text, ok := value.(string); ok && !slices.Contains(scopes, text) {
			scopes = append(scopes, text)
		}
	}
	switch values := c.attributes[r.options.ScopesFrom].(type) {
	case []any:
		for _, value := range values {
			add(value)
		}
	default:
		add(values)
	}
	return scopes
}

// credential gives the user the hash, or the entry the password of which it is made.
func (r *reader) credential(entry *Entry, user *directory.User, c candidate) error {
	secret, plaintext := c.secret, c.plaintext
	if !plaintext {
		var err error
		if secret, plaintext, err = schemed(secret); err != nil {
			return err
		}
	}
	if !plaintext {
		hash, err := password.Parse(secret, r.options.AllowWeak)
		switch {
		case err == nil:
			user.PasswordHash = password.Unprefixed(secret)
			entry.Kind = strings.TrimRight(hash.Params().Kind(), " ,")
			var advice string
			if advice, entry.Anew = password.WithoutRemedy(hash.Params().Advice()); advice != "" {
				entry.Notes = append(entry.Notes, advice)
			}
			return nil
		case errors.Is(err, password.ErrPlaintext) && r.options.Plaintext:
		case errors.Is(err, password.ErrPlaintext):
			return errors.New("it looks like a plaintext password; --plaintext makes a hash of it")
		default:
			return errors.New(strings.TrimPrefix(err.Error(), "reading password hash: "))
		}
	}
	switch {
	case secret == "":
		return errors.New("it has no password")
	case len(secret) > password.MaxLength:
		return fmt.Errorf("its password is longer than %d bytes", password.MaxLength)
	case strings.ContainsRune(secret, 0):
		return errors.New("its password has a NUL in it")
	case !utf8.ValidString(secret):
		return errors.New("its password is not UTF-8 text, and no login can send it; convert the file to UTF-8")
	}
	entry.password = func() string { return secret }
	entry.Kind = Plaintext
	return nil
}
