package directory

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/caddygrant/caddy-grant/internal/password"
)

// userSource is a source of users as the directory has it: in memory, or one that has
// to be asked.
type userSource struct {
	Users
	guard

	// identity differs from config to config: what a source of this name accepted says
	// nothing of a source that asks another server.
	identity string

	memory  UserSnapshot // nil for a source that has to be asked
	checker PasswordChecker
	bounds  bounds
	checks  *bound     // of passwords, apart from look-ups
	live    *liveUsers // nil for a source in memory
}

// liveUsers is what it takes to ask a source.
type liveUsers struct {
	bySubject *recent[User]
	byName    *recent[User] // of users of later sources, whom one of that name would hide
	costs     *costs
}

func newUserSource(source Users, i int, settings Settings) *userSource {
	s := &userSource{Users: source, guard: guard{nameOf(source), settings.Logger}}
	s.bounds = settings.boundsOf("users", i, s.name)
	s.identity = fmt.Sprintf("%s %d", s.name, identities.Add(1))
	s.memory, _ = source.(UserSnapshot)
	if s.checker, _ = source.(PasswordChecker); s.checker != nil {
		s.checks = s.bounds.on("checks")
	}
	if s.memory != nil {
		return s
	}
	d := &door{name: s.name, options: settings.Options, checks: s.checker != nil}
	looks, tokens := s.bounds.on("looks"), s.bounds.on("tokens")
	kept := question[User]{name: s.name, admit: d.user, equal: (*User).equal, maxAge: settings.MaxAge, logger: settings.Logger}
	byName := kept
	live := &liveUsers{costs: newCosts()}
	kept.look, kept.tokens = named(looks, source.BySubject, (*User).Subject), named(tokens, source.BySubject, (*User).Subject)
	kept.admit = func(raw *User) (*User, error) {
		user, err := d.user(raw)
		if err == nil {
			live.costs.note(user)
		}
		return user, err
	}
	usernameOf := func(u *User) string { return u.Username }
	byName.look, byName.tokens = named(looks, source.ByUsername, usernameOf), named(tokens, source.ByUsername, usernameOf)
	live.bySubject, live.byName = newRecent(kept), newRecent(byName)
	s.live = live
	return s
}

// snapshot is the users of a source in memory. A source that has lost them cannot tell.
func (s *userSource) snapshot() (*UserSet, error) {
	if set := s.memory.Snapshot(); set != nil {
		return set, nil
	}
	return noUsers, fmt.Errorf("%s: %w", s.name, errNoSnapshot)
}

// noUsers stands for a snapshot that is not there, where it is only counted.
var noUsers = NewUserSet(Options{})

// identities counts the sources of this process.
var identities atomic.Uint64

// withSubject returns the user with the subject of a verified token. A source that
// fails has none if it said so a moment ago.
func (s *userSource) withSubject(ctx context.Context, subject string, how manner) (*User, error) {
	if s.memory != nil {
		set, err := s.snapshot()
		return set.withSubject(subject), err
	}
	return s.live.bySubject.ofToken(ctx, subject, how)
}

// hides tells whether a source has a user with the name of a user of a later source,
// whose token was verified.
func (s *userSource) hides(ctx context.Context, name string, how manner) (bool, error) {
	if s.memory != nil {
		set, err := s.snapshot()
		return set.byUsername[name] != nil, err
	}
	user, err := s.live.byName.ofToken(ctx, name, how)
	return user != nil, err
}

// loginName returns the user of a name that was typed.
func (s *userSource) loginName(ctx context.Context, name string) (*User, error) {
	if s.memory != nil {
		set, err := s.snapshot()
		return set.byUsername[name], err
	}
	raw, err := s.live.byName.look(ctx, name)
	if raw == nil || err != nil {
		return nil, err
	}
	return s.live.byName.admit(raw)
}

// loginSubject is withSubject for a login, whose subject may be made up: that there is
// no such user is not kept.
func (s *userSource) loginSubject(ctx context.Context, subject string) (*User, error) {
	if s.memory != nil {
		set, err := s.snapshot()
		return set.withSubject(subject), err
	}
	return s.live.bySubject.nowOrNone(ctx, subject, false)
}

// hashes counts the users by what checking their passwords costs, as far as is known.
func (s *userSource) hashes() *password.Mix {
	if s.memory != nil {
		set, _ := s.snapshot()
		return set.Hashes()
	}
	return s.live.costs.hashes()
}

// checked is how many users there are whose passwords the source checks itself, as far
// as is known.
func (s *userSource) checked() int {
	switch {
	case s.checker == nil:
		return 0
	case s.memory != nil:
		set, _ := s.snapshot()
		return set.Len() - set.Hashes().Len()
	}
	return s.live.costs.checked()
}
