// Package directory says who exists: users, clients, and the sources that know them.
//
// A source is a Caddy module in the namespace grant.users or grant.clients. It can be
// written in a module of its own: it has to implement [Users] or [Clients], two methods
// or one, and may implement [Opener], [Lister] or [ClientLister], [Hashed] and
// [PasswordChecker], which are found by type assertion. A source that has all its users
// in memory embeds a [UserSet], and one that has all its clients a [ClientSet]; it then
// has nothing to implement but Open.
//
// What a source returns is checked before it is used, whatever module it is from: a
// user or client that a file could not hold is an error, never part of a token. The
// package directorytest is the suite that a source has to pass.
package directory
