package directory

import (
	"context"
	"fmt"
	"iter"

	"github.com/caddygrant/caddy-grant/internal/password"
)

// UserDirectory is all user sources of a server in their order. A username belongs to the
// first source that has it, and so does a subject; a user counts only where both belong
// to the user's own source. So a name in an earlier source hides a later one, and no user
// gets a subject that belongs to another.
type UserDirectory struct {
	sources []*userSource
}

// userSource is a source as the directory has it.
type userSource struct {
	Users
	name   string
	memory UserSnapshot // nil for a source that has to be asked
}

// NewUserDirectory joins sources that are open.
func NewUserDirectory(sources []Users) (*UserDirectory, error) {
	d := new(UserDirectory)
	for _, source := range sources {
		memory, _ := source.(UserSnapshot)
		d.sources = append(d.sources, &userSource{Users: source, name: nameOf(source), memory: memory})
	}
	return d, d.Validate()
}

// All are the sources in their order.
func (d *UserDirectory) All() []Users {
	all := make([]Users, len(d.sources))
	for i, source := range d.sources {
		all[i] = source.Users
	}
	return all
}

// AllKnown tells whether Known has all users that there are.
func (d *UserDirectory) AllKnown() bool {
	for _, source := range d.sources {
		if source.memory == nil {
			return false
		}
	}
	return true
}

// Known goes through the users that are in memory, of all sources.
func (d *UserDirectory) Known() iter.Seq[*User] {
	return func(yield func(*User) bool) {
		for _, source := range d.sources {
			if source.memory == nil {
				continue
			}
			for _, user := range source.memory.Snapshot().users {
				if !yield(user) {
					return
				}
			}
		}
	}
}

// Validate finds subjects that users of several sources claim.
func (d *UserDirectory) Validate() error {
	for i, source := range d.sources {
		if i == 0 || source.memory == nil {
			continue
		}
		for _, user := range source.memory.Snapshot().users {
			owner, err := d.subjectOwner(context.Background(), user, i)
			if err != nil {
				return err
			}
			if owner == nil {
				continue
			}
			if hidden, err := d.byUsernameBefore(context.Background(), user.Username, i); hidden == nil && err == nil {
				return fmt.Errorf("%s: user %s has the id of a user in %s: ids must be unique over all sources", source.name, Shown(user.Username), owner.name)
			}
		}
	}
	return nil
}

// ByUsername returns the user of that name that may log in, or else nil. The error, a
// DuplicateSubject, is that of a user who exists, but whose subject belongs to another.
func (d *UserDirectory) ByUsername(ctx context.Context, username string) (*User, error) {
	for i, source := range d.sources {
		user, err := source.ByUsername(ctx, username)
		if err != nil {
			return nil, err
		}
		if user == nil {
			continue
		}
		owner, err := d.subjectOwner(ctx, user, i)
		if err != nil {
			return nil, err
		}
		if owner != nil {
			return nil, DuplicateSubject(fmt.Sprintf("the id %s of a user in %s is that of a user in %s: give one of them another",
				Shown(user.Subject()), source.name, owner.name))
		}
		return user, nil
	}
	return nil, nil
}

// BySubject returns the user to whom tokens with that subject belong, or nil.
func (d *UserDirectory) BySubject(ctx context.Context, subject string) (*User, error) {
	for i, source := range d.sources {
		user, err := source.BySubject(ctx, subject)
		if err != nil {
			return nil, err
		}
		if user != nil {
			if hidden, err := d.byUsernameBefore(ctx, user.Username, i); hidden != nil || err != nil {
				return nil, err // hidden by a user of that name in an earlier source
			}
			return user, nil
		}
	}
	return nil, nil
}

// byUsernameBefore looks in the sources before index i.
func (d *UserDirectory) byUsernameBefore(ctx context.Context, username string, i int) (*User, error) {
	for _, source := range d.sources[:i] {
		if user, err := source.ByUsername(ctx, username); user != nil || err != nil {
			return user, err
		}
	}
	return nil, nil
}

// subjectOwner returns the source before index i that has the user's subject, if any.
func (d *UserDirectory) subjectOwner(ctx context.Context, user *User, i int) (*userSource, error) {
	for _, source := range d.sources[:i] {
		if other, err := source.BySubject(ctx, user.Subject()); other != nil || err != nil {
			return source, err
		}
	}
	return nil, nil
}

// Hashes says what checking passwords costs, source by source.
func (d *UserDirectory) Hashes() []*password.Mix {
	var mixes []*password.Mix
	for _, source := range d.sources {
		if source.memory != nil {
			mixes = append(mixes, source.memory.Snapshot().Hashes())
		}
	}
	return mixes
}

// DuplicateSubject says what to do about two users with one id.
type DuplicateSubject string

func (e DuplicateSubject) Error() string { return string(e) }
