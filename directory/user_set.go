package directory

import (
	"errors"
	"iter"
	"slices"

	// it refuses what checkAccessToken would refuse

	"github.com/caddygrant/caddy-grant/internal/password"
	"github.com/caddygrant/caddy-grant/internal/userfile"
)

// UserSet is users under two indexes.
type UserSet struct {
	users      []*User
	byUsername map[string]*User
	bySubject  map[string]*User // nil as long as every subject is the username
	hashes     *password.Mix
	advised    HashAdvice
	options    SourceOptions
}

func NewUserSet(options SourceOptions) *UserSet {
	return &UserSet{
		byUsername: make(map[string]*User),
		hashes:     new(password.Mix),
		advised:    make(HashAdvice),
		options:    options,
	}
}

// Add checks a user and takes it in; at is where it was found. Its errors never hold the hash.
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
		return errors.New("its id is that of another user (where there is none, the username is the id)")
	}
	hash, err := password.Parse(u.PasswordHash, s.options.AllowWeakHashes)
	if err != nil {
		return err
	}

	// from here on the text is the same with and without a scheme in braces
	u.PasswordHash = password.Unprefixed(u.PasswordHash)
	s.users = append(s.users, u)
	s.byUsername[u.Username] = u
	if s.bySubject != nil {
		s.bySubject[u.Subject()] = u
	}
	s.hashes.Add(hash.Params())
	s.advised.Add(hash.Params(), at)
	return nil
}

func (s *UserSet) ByUsername(username string) *User { return s.byUsername[username] }

func (s *UserSet) BySubject(subject string) *User {
	if s.bySubject == nil {
		return s.byUsername[subject]
	}
	return s.bySubject[subject]
}

func (s *UserSet) All() iter.Seq[*User] { return slices.Values(s.users) }

func (s *UserSet) Len() int { return len(s.users) }

func (s *UserSet) Hashes() *password.Mix { return s.hashes }

func (s *UserSet) Advice() HashAdvice { return s.advised }
