package directory

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/caddygrant/caddy-grant/internal/password"
	"github.com/caddygrant/caddy-grant/internal/userfile"
)

// UserSet is users in memory. A source that embeds one has all methods of a source but
// Open, in which it makes the set and adds to it. Once it is looked up in, a set must
// not be added to: a source whose users change makes a new one, and is a
// [UserSnapshot].
type UserSet struct {
	users      []*User
	byUsername map[string]*User
	bySubject  map[string]*User // nil as long as every subject is the username
	hashes     *password.Mix
	advised    HashAdvice
	options    Options
}

// NewUserSet returns an empty set for a server with these options.
func NewUserSet(options Options) *UserSet {
	return &UserSet{
		byUsername: make(map[string]*User),
		hashes:     new(password.Mix),
		advised:    make(HashAdvice),
		options:    options,
	}
}

// Add checks a user and takes it in; at is where it was found, such as a line. Its
// errors never hold the hash.
func (s *UserSet) Add(u *User, at int) error {
	if err := u.Validate(); err != nil {
		return err
	}
	if s.byUsername[u.Username] != nil {
		return userfile.ErrDuplicate
	}
	if u.ID != "" && s.bySubject == nil {
		s.bySubject = make(map[string]*User, len(s.users))
		for _, other := range s.users {
			s.bySubject[other.Subject()] = other
		}
	}
	if s.bySubject[u.Subject()] != nil {
		return errors.New("another user has its id (a user without an id has the username as id)")
	}
	hash, err := u.prepare(s.options)
	if err != nil {
		return err
	}
	s.users = append(s.users, u)
	s.byUsername[u.Username] = u
	if s.bySubject != nil {
		s.bySubject[u.Subject()] = u
	}
	if u.PasswordHash != "" {
		s.hashes.Add(hash.Params())
		s.advised.add(hash.Params(), at)
	}
	return nil
}

// ByUsername returns the user of that name, or nil.
func (s *UserSet) ByUsername(_ context.Context, username string) (*User, error) {
	return s.byUsername[username], nil
}

// BySubject returns the user with that subject, or nil.
func (s *UserSet) BySubject(_ context.Context, subject string) (*User, error) {
	return s.withSubject(subject), nil
}

func (s *UserSet) withSubject(subject string) *User {
	if s.bySubject == nil {
		return s.byUsername[subject]
	}
	return s.bySubject[subject]
}

// Snapshot returns the set itself.
func (s *UserSet) Snapshot() *UserSet { return s }

// All goes through all users in the order in which they were added.
func (s *UserSet) All(context.Context) iter.Seq2[*User, error] { return each(s.users) }

// Known is All for a set whose type is known: it never fails.
func (s *UserSet) Known() iter.Seq[*User] { return slices.Values(s.users) }

// Len returns the number of users.
func (s *UserSet) Len() int { return len(s.users) }

// Hashes counts the users by what checking their passwords costs.
func (s *UserSet) Hashes() *password.Mix { return s.hashes }

// Advice is about the hashes that should be replaced.
func (s *UserSet) Advice() HashAdvice { return s.advised }

// each goes through a list, which never fails.
func each[T any](list []*T) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		for _, entry := range list {
			if !yield(entry, nil) {
				return
			}
		}
	}
}

// Interface guards
var (
	_ UserSnapshot = (*UserSet)(nil)
	_ Lister       = (*UserSet)(nil)
)
