// Package postgres keeps the sessions of caddy-grant in PostgreSQL: the Caddy module
// grant.sessions.postgres. It is in a Go module of its own, so that a Caddy without it
// has no driver in it.
//
// # What each call rests on
//
// A call is one statement, which is one transaction of READ COMMITTED, or a part of one.
// It has one snapshot, taken when it begins, which sees all that was acknowledged before.
// So epoch, record and marker are seen at one moment.
//
// A swap first reads the record in that snapshot. If that record is not at the
// generation before, the swap changes nothing, and what it read is the state. Otherwise
// it updates the row, whose lock makes it wait for a swap or a revocation that is on its
// way, and then sees what those left, which its snapshot does not: so the row is always
// written, with what is new or with what was there, and the row as written is the
// state. Reading again would read the snapshot again. A first exchange does the same
// with INSERT … ON CONFLICT DO UPDATE.
//
// An exchange that is not the first of its session is asked for together with those that
// a node has at the same time. Their statement does the same with each session but for
// one thing: it waits for no row, since all the others would wait as well. A session
// whose row is locked, or has changed since the snapshot, is left out, and its exchange
// gets a statement of its own.
//
// Record and marker are one row. A revocation and its place in the feed are one
// statement.
//
// # Places in the feed
//
// Places come from a sequence, and writers of a server take turns to take one: each
// holds an advisory lock of its transaction from before it takes its place until its
// transaction is visible. So whoever sees a place sees all before it. The other way,
// transaction numbers and the oldest that runs, is worse in two points. Any long
// transaction in the cluster holds it back. And a number that was given to a
// transaction without a durable end, which a reader has seen end, is given again after a
// crash; a cursor made of it would pass over what that second one revoked.
//
// A cursor names a row by its place and by 122 random bits. If that row is there, so is
// all that was before it, whatever server answers, since a replica has a beginning of
// what its primary wrote. If it is not, the cursor is refused.
package postgres
