package directory

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/password"
)

// UserDirectory is all user sources of a server in their order. A username belongs to
// the first source that has it, and so does a subject; a user counts only where both
// belong to the user's own source. So a name in an earlier source hides a later one,
// and no user gets a subject that belongs to another. Its methods for a login are in
// login.go.
type UserDirectory struct {
	sources  []*userSource
	live     bool // a source has to be asked
	settings Settings

	mu      sync.Mutex
	clashes map[DuplicateSubject]bool // that were logged
}

// NewUserDirectory joins sources that are open. It is an error if users in memory have
// one subject in two sources.
func NewUserDirectory(sources []Users, settings Settings) (*UserDirectory, error) {
	d := &UserDirectory{settings: settings.withDefaults(), clashes: make(map[DuplicateSubject]bool)}
	for i, source := range sources {
		s := newUserSource(source, i, d.settings)
		d.sources = append(d.sources, s)
		d.live = d.live || s.memory == nil
	}
	if err := d.validate(); err != nil {
		return nil, err
	}
	return d, surveyUsers(context.Background(), d)
}

// All are the sources in their order.
func (d *UserDirectory) All() []Users {
	all := make([]Users, len(d.sources))
	for i, source := range d.sources {
		all[i] = source.Users
	}
	return all
}

// IsLive tells whether a source has to be asked: then a look-up costs something, an
// attempt has to be counted before it, and there may be users that Known does not have.
func (d *UserDirectory) IsLive() bool { return d.live }

// Known goes through the users that are in memory, of all sources.
func (d *UserDirectory) Known() iter.Seq[*User] {
	return func(yield func(*User) bool) {
		for _, source := range d.sources {
			if source.memory == nil {
				continue
			}
			set, _ := source.snapshot()
			for _, user := range set.users {
				if !yield(user) {
					return
				}
			}
		}
	}
}

// validate finds subjects that users of several sources in memory claim.
func (d *UserDirectory) validate() error {
	for i, source := range d.sources {
		if source.memory == nil {
			continue
		}
		set, err := source.snapshot()
		if err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		for _, user := range set.users {
			if owner := d.ownerInMemory(user, i); owner != nil {
				return fmt.Errorf("%s: user %s has the id of a user in %s: ids must be unique over all sources", source.name, Shown(user.Username), owner.name)
			}
		}
	}
	return nil
}

// ownerInMemory returns the source in memory before index i that has the user's
// subject, unless the user is hidden by another of that name.
func (d *UserDirectory) ownerInMemory(user *User, i int) *userSource {
	if d.hiddenInMemory(user, i) {
		return nil
	}
	for _, source := range d.sources[:i] {
		if source.memory == nil {
			continue
		}
		if set, _ := source.snapshot(); set.withSubject(user.Subject()) != nil {
			return source
		}
	}
	return nil
}

// hiddenInMemory tells whether a source in memory before index i has a user of that
// name.
func (d *UserDirectory) hiddenInMemory(user *User, i int) bool {
	for _, source := range d.sources[:i] {
		if source.memory == nil {
			continue
		}
		if set, _ := source.snapshot(); set.byUsername[user.Username] != nil {
			return true
		}
	}
	return false
}

// ByUsername returns the user of a name, nil if there is none. The error is a
// DuplicateSubject, or says that a source cannot tell.
func (d *UserDirectory) ByUsername(ctx context.Context, username string) (*User, error) {
	user, _, err := d.login(ctx, username)
	return user, err
}

// BySubject returns the user to whom tokens with that subject belong, or nil. It asks
// the sources now. The subject is that of a token that was verified.
func (d *UserDirectory) BySubject(ctx context.Context, subject string) (*User, error) {
	return d.bySubject(ctx, subject, asIs)
}

// RecentBySubject is BySubject by what the sources said at most max_age ago.
func (d *UserDirectory) RecentBySubject(ctx context.Context, subject string) (*User, error) {
	return d.bySubject(ctx, subject, recently)
}

func (d *UserDirectory) bySubject(ctx context.Context, subject string, how manner) (*User, error) {
	for i, source := range d.sources {
		user, err := source.withSubject(ctx, subject, how)
		if err != nil {
			return nil, err
		}
		if user == nil {
			continue
		}
		for _, earlier := range d.sources[:i] {
			if hidden, err := earlier.hides(ctx, user.Username, how); hidden || err != nil {
				return nil, err
			}
		}
		return user, nil
	}
	return nil, nil
}

// Hashes says what checking passwords costs, source by source, as far as is known.
func (d *UserDirectory) Hashes() []*password.Mix {
	mixes := make([]*password.Mix, len(d.sources))
	for i, source := range d.sources {
		mixes[i] = source.hashes()
	}
	return mixes
}

// weigh returns how many users count as checked by each source itself, or nil if none
// is, and how many have a hash. A source that was not counted to its end may have any
// number: it weighs at least as much as all others together. Otherwise, after a reload,
// a name that takes as long as a bind would most likely exist.
func (d *UserDirectory) weigh(mixes []*password.Mix) (own []int, hashed int) {
	known := 0
	for i, source := range d.sources {
		hashed += mixes[i].Len()
		if n := source.checked(); n > 0 {
			if own == nil {
				own = make([]int, len(d.sources))
			}
			own[i] = n
			known += n
		}
	}
	others := known + hashed
	for i, source := range d.sources[:len(own)] {
		if source.checker != nil && source.live != nil && !source.live.costs.isComplete() {
			own[i] = max(own[i], others-own[i]-mixes[i].Len())
		}
	}
	return own, hashed
}

// HashMemory is the most memory that one comparison takes, in bytes. Where a source has
// users that are not known, it is that of the largest hash that is allowed.
func (d *UserDirectory) HashMemory() uint64 {
	var most uint64
	for _, source := range d.sources {
		if source.memory != nil {
			most = max(most, largestOf(source.hashes()))
		} else {
			most = max(most, source.live.costs.largest())
		}
	}
	return most
}

// DuplicateSubject says what to do about two users with one id.
type DuplicateSubject string

func (e DuplicateSubject) Error() string { return string(e) }

func duplicate(user *User, source, owner *userSource) DuplicateSubject {
	return DuplicateSubject(fmt.Sprintf("the id %s of a user in %s is that of a user in %s: give one of them another id",
		Shown(user.Subject()), source.name, owner.name))
}

// logClash logs a clash that only a look-up could find, once.
func (d *UserDirectory) logClash(clash DuplicateSubject) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.clashes[clash] && len(d.clashes) < maxClashes {
		d.clashes[clash] = true
		d.settings.Logger.Error("a user is refused: the id belongs to another user", zap.String("remedy", string(clash)))
	}
}

// maxClashes is how many clashes are logged.
const maxClashes = 1000
