package directory

import (
	"context"
	"iter"
)

// Users is a source of users: a Caddy module in the namespace grant.users. It is
// provisioned and cleaned up as every module is. A server asks its sources in their
// order.
//
// Both methods return
//   - a user and nil: this is the user
//   - nil and nil: there is no such user
//   - an error: the source cannot tell. The request is answered with 503 and the error is
//     logged with the name of the source, so it must not hold a password or a hash.
//
// "No such user" ends sessions and refuses tokens, so it must only be said by a source
// that knows. A source that has lost its database returns the error.
//
// Who calls: a login calls both methods once, each for all sources at the same time; a
// refresh and an introspection call BySubject. For a request with an access token
// BySubject is called at most once in 5 seconds for each subject (half of max_age), in
// the background as long as what it said before is fresh enough. Nothing else that a
// method returned is used again. A source does not need a cache.
//
// Both methods are called from many goroutines. They should return when their context
// ends, which it does after 5 seconds at the latest; a call that does not holds one of
// the 100 that a source may have at a time, and when all are held, requests are
// answered with 503. Look-ups for verified tokens have 100 of their own, so that no
// stranger can hold them. After a reload there are 100 more, but no more than 300 of
// all configs together. A panic is an error.
//
// A user that was returned must never be changed, nor may its scopes and claims. Return
// the same pointer or an equal user while nothing has changed: tokens that were checked
// before are checked again whenever a user differs.
//
// If the source has a method String, it names the source in errors and logs. Otherwise
// the id of its module does.
type Users interface {
	// ByUsername returns the user with that [User.Username], byte for byte. A user of
	// another spelling counts as none.
	//
	// The name is what was typed into a login form. It has at most 64 KiB, and may hold
	// any bytes.
	ByUsername(ctx context.Context, name string) (*User, error)

	// BySubject returns the user with that [User.Subject], byte for byte: that is the
	// ID, or the Username of a user without one. It is the same user, in all fields,
	// that ByUsername returns for the user's name. A token whose subject no user can
	// have, such as one of more than 255 bytes, is refused without asking.
	BySubject(ctx context.Context, sub string) (*User, error)
}

// Opener is a source that wants to know what its server asks of users and clients. All
// built-in sources are.
type Opener interface {
	// Open gets the source ready. It is called once for each config, after Provision
	// and before anything else. An error refuses the config; so a database that is down
	// is better reported by look-ups, which are asked again.
	//
	// `caddy validate` opens sources as well, so Open must leave no trace.
	Open(Options) error
}

// Lister is a source that can go through its users. They are then looked at when a
// config is loaded: for ids that users of several sources have, for hashes that should
// be replaced, and for what checking a password costs. Without it these are found at
// look-ups, and memory is reckoned for the largest hash that is allowed.
type Lister interface {
	// All goes through all users in any order. It is called once for each config, and
	// ends early when the context ends. An error ends it half way: what came before
	// counts, and the error is logged. With [errors.ErrUnsupported] it says that this
	// source cannot list, such as a source that was given no query for it: then it
	// counts as a source without this method.
	All(ctx context.Context) iter.Seq2[*User, error]
}

// Hashed is a source of users or clients that knows what kinds of hashes it has, for
// names that do not exist: they have to take as long as those that do.
type Hashed interface {
	// DecoyHashes returns hashes like those of the source, each kind as often as it is
	// there in proportion; a few hundred are plenty, and 10,000 count at most. They are
	// compared with, and match nothing. They are of accounts or made up; only the
	// parameters are used. It is called once for each config and must not wait for
	// anything.
	//
	// Without it, or if it has none to return, a source weighs by the hashes that its
	// look-ups have returned.
	DecoyHashes() iter.Seq[string]
}

// PasswordChecker is a source of users that checks passwords itself, such as by an LDAP
// bind. Its users have a CredentialVersion in place of a PasswordHash.
type PasswordChecker interface {
	// CheckPassword tells whether that is the user's password. An error means that it
	// cannot tell, which is not a failed login: the request is answered with 503.
	//
	// The user is nil for a name that does not exist: then do the same work as for a
	// user, and return false. Known and unknown names must take equally long. Otherwise
	// it is a copy of what the source has returned: a change of it has no effect, and
	// is a mistake.
	//
	// The password is never empty, has at most 1024 bytes and no NUL. What was accepted
	// is remembered for some minutes, for this user, CredentialVersion and password;
	// what was refused is not.
	//
	// It is called from many goroutines, with the same bounds as look-ups.
	CheckPassword(ctx context.Context, u *User, password string) (bool, error)
}

// UserSnapshot is a source that has all its users in memory, such as one that reads a
// file. A [UserSet] that is embedded is one. It is the Users of its Snapshot in all:
// the other methods are not called by a server.
type UserSnapshot interface {
	Users

	// Snapshot returns the current users. It is called at every look-up and must be as
	// quick as reading a pointer. A set that was returned must not be added to.
	Snapshot() *UserSet
}

// Options is what a server asks of its users and clients.
type Options struct {
	// Accept unsalted and fast hashes.
	AllowWeakHashes bool

	// The grant types that a client may list.
	GrantTypes []string
}
