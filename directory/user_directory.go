package directory

import (
	"context"
	"fmt"

	"github.com/caddygrant/caddy-grant/internal/password"
)

// UserDirectory is all user sources of a server in their order. A username belongs to the
// first source that has it, and so does a subject; a user counts only where both belong
// to the user's own source. So a name in an earlier source hides a later one, and nobody
// gets a subject that is somebody else's.
type UserDirectory struct {
	sources []UserSource
}

// NewUserDirectory joins sources that are open.
func NewUserDirectory(sources []UserSource) (*UserDirectory, error) {
	d := &UserDirectory{sources: sources}
	return d, d.Validate()
}

// All are the sources in their order.
func (d *UserDirectory) All() []UserSource { return d.sources }

// Validate finds subjects that users of several sources claim.
func (d *UserDirectory) Validate() error {
	for i, source := range d.sources[min(1, len(d.sources)):] {
		for user := range source.All() {
			if owner := d.subjectOwner(user, i+1); owner != nil && d.byUsernameBefore(user.Username, i+1) == nil {
				return fmt.Errorf("%s: user %s has the id of a user in %s: ids must be unique over all sources", source, Shown(user.Username), owner)
			}
		}
	}
	return nil
}

// ByUsername returns the user of that name that may log in, or else nil. The error, a
// DuplicateSubject, is that of a user who exists, but whose subject belongs to another.
func (d *UserDirectory) ByUsername(_ context.Context, username string) (*User, error) {
	for i, source := range d.sources {
		user := source.ByUsername(username)
		if user == nil {
			continue
		}
		if owner := d.subjectOwner(user, i); owner != nil {
			return nil, DuplicateSubject(fmt.Sprintf("the id %s of a user in %s is that of a user in %s: give one of them another",
				Shown(user.Subject()), source, owner))
		}
		return user, nil
	}
	return nil, nil
}

// BySubject returns the user to whom tokens with that subject belong, or nil.
func (d *UserDirectory) BySubject(_ context.Context, subject string) (*User, error) {
	for i, source := range d.sources {
		if user := source.BySubject(subject); user != nil {
			if d.byUsernameBefore(user.Username, i) != nil {
				return nil, nil // hidden by a user of that name in an earlier source
			}
			return user, nil
		}
	}
	return nil, nil
}

// byUsernameBefore looks in the sources before index i.
func (d *UserDirectory) byUsernameBefore(username string, i int) *User {
	for _, source := range d.sources[:i] {
		if user := source.ByUsername(username); user != nil {
			return user
		}
	}
	return nil
}

// subjectOwner returns the source before index i that has the user's subject, if any.
func (d *UserDirectory) subjectOwner(user *User, i int) UserSource {
	for _, source := range d.sources[:i] {
		if source.BySubject(user.Subject()) != nil {
			return source
		}
	}
	return nil
}

// Hashes says what checking passwords costs, source by source.
func (d *UserDirectory) Hashes() []*password.Mix {
	mixes := make([]*password.Mix, len(d.sources))
	for i, source := range d.sources {
		mixes[i] = source.Hashes()
	}
	return mixes
}

// DuplicateSubject says what to do about two users with one id.
type DuplicateSubject string

func (e DuplicateSubject) Error() string { return string(e) }
