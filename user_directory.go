package caddygrant

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/internal/password"
)

// userDirectory is all user sources of a server in their order. A username belongs to the
// first source that has it, and so does a subject; a user counts only where both belong
// to the user's own source. So a name in an earlier source hides a later one, and nobody
// gets a subject that is somebody else's.
type userDirectory struct {
	sources []UserSource
}

// loadUsers opens the sources of the config in order.
func (s *Server) loadUsers(ctx caddy.Context) error {
	if len(s.UsersRaw) == 0 {
		return errNoUsers
	}
	modules, err := ctx.LoadModule(&s.Config, "UsersRaw")
	if err != nil {
		return fmt.Errorf("loading users: %w", err)
	}
	for _, module := range modules.([]any) {
		source, ok := module.(UserSource)
		if !ok {
			return fmt.Errorf("module %T in namespace grant.users is not a user source", module)
		}
		if err := source.Open(SourceOptions{AllowWeakHashes: s.AllowWeakHashes}); err != nil {
			return err
		}
		s.users.sources = append(s.users.sources, source)
	}
	return s.users.validate()
}

// validate finds subjects that users of several sources claim.
func (d *userDirectory) validate() error {
	for i, source := range d.sources[min(1, len(d.sources)):] {
		for user := range source.All() {
			if owner := d.subjectOwner(user, i+1); owner != nil && d.byUsernameBefore(user.Username, i+1) == nil {
				return fmt.Errorf("%s: user %s has the id of a user in %s: ids must be unique over all sources", source, shown(user.Username), owner)
			}
		}
	}
	return nil
}

// byUsername returns the user of that name that may log in, or else nil. The error, a
// duplicateSubject, is that of a user who exists, but whose subject belongs to another.
func (d *userDirectory) byUsername(username string) (*User, error) {
	for i, source := range d.sources {
		user := source.ByUsername(username)
		if user == nil {
			continue
		}
		if owner := d.subjectOwner(user, i); owner != nil {
			return nil, duplicateSubject(fmt.Sprintf("the id %s of a user in %s is that of a user in %s: give one of them another",
				shown(user.Subject()), source, owner))
		}
		return user, nil
	}
	return nil, nil
}

// bySubject returns the user to whom tokens with that subject belong, or nil.
func (d *userDirectory) bySubject(subject string) *User {
	for i, source := range d.sources {
		if user := source.BySubject(subject); user != nil {
			if d.byUsernameBefore(user.Username, i) != nil {
				return nil // hidden by a user of that name in an earlier source
			}
			return user
		}
	}
	return nil
}

// byUsernameBefore looks in the sources before index i.
func (d *userDirectory) byUsernameBefore(username string, i int) *User {
	for _, source := range d.sources[:i] {
		if user := source.ByUsername(username); user != nil {
			return user
		}
	}
	return nil
}

// subjectOwner returns the source before index i that has the user's subject, if any.
func (d *userDirectory) subjectOwner(user *User, i int) UserSource {
	for _, source := range d.sources[:i] {
		if source.BySubject(user.Subject()) != nil {
			return source
		}
	}
	return nil
}

// hashes says what checking passwords costs, source by source.
func (d *userDirectory) hashes() []*password.Mix {
	mixes := make([]*password.Mix, len(d.sources))
	for i, source := range d.sources {
		mixes[i] = source.Hashes()
	}
	return mixes
}

// duplicateSubject says what to do about two users with one id.
type duplicateSubject string

func (e duplicateSubject) Error() string { return string(e) }

var errNoUsers = errors.New("no users: add \"users htpasswd <path>\", \"users json <path>\" or \"user <username> <hash>\"")
