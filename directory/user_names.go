package directory

import "context"

// This file tells names of clients from those of users. A token of a client that acts
// for itself has the client's id as its subject, so a client that is named like a user
// could be taken for that user (RFC 9700 §4.15).

// HasName tells whether a user of any source has that name, as username or as subject.
// Disabled users count, and so do users that another one hides. It asks the sources
// now. The name is the id of a client that has authenticated.
func (d *UserDirectory) HasName(ctx context.Context, name string) (bool, error) {
	return d.hasName(ctx, name, asIs)
}

// RecentlyHasName is HasName by what the sources said at most max_age ago.
func (d *UserDirectory) RecentlyHasName(ctx context.Context, name string) (bool, error) {
	return d.hasName(ctx, name, recently)
}

func (d *UserDirectory) hasName(ctx context.Context, name string, how manner) (bool, error) {
	for _, source := range d.sources {
		if user, err := source.withSubject(ctx, name, how); user != nil || err != nil {
			return user != nil, err
		}
		if named, err := source.hides(ctx, name, how); named || err != nil {
			return named, err
		}
	}
	return false, nil
}

// KnownName is HasName for the sources that have their users in memory.
func (d *UserDirectory) KnownName(name string) bool {
	for _, source := range d.sources {
		if source.memory == nil {
			continue
		}
		if set, _ := source.snapshot(); set.withSubject(name) != nil || set.byUsername[name] != nil {
			return true
		}
	}
	return false
}
