// Package session keeps what must be remembered about sessions: how often a refresh
// token was exchanged, and which sessions were revoked. It does not know tokens; a
// session is an ID and a generation, a number that every exchange raises.
//
// A login writes nothing: without a record a session is at generation 0. State is
// created by the first exchange or revocation, as objects of the certmagic storage that
// Caddy is configured with:
//
//	<prefix>/sessions/<day>/<id>           the record: the generation, and what made it;
//	                                       or that the session was revoked
//	<prefix>/sessions/<day>/<id>.revoked   the marker of a revoked session; written once,
//	                                       never taken back
//	<prefix>/revocations/<hour>/<sid>      the feed: the same revocations in pages, for
//	                                       nodes that poll; a page has the name of an hour
//	<prefix>/revocations/<hour>/page       begins a page, since the one before costs too
//	                                       much to read again and again
//	<prefix>/swept/<day>                   the mark of a day whose records are being
//	                                       removed, or gone: its sessions are over
//	<prefix>/probe/<random>                tells the clock of the storage, or that it
//	                                       answers; a crash can leave one behind
//
// <day> is the UTC day on which the session ends (20060102), <id> its 160 random bits
// in hex, <sid> both as an ID prints them, <hour> a UTC hour (2006010215). Names of
// other forms, such as temporary files that a crash leaves behind, are ignored.
//
// # Guarantees
//
// A generation is handed out after its record is in storage and was read back, by one
// node at a time: exchanges of one session take turns, by a mutex in the process and by
// [certmagic.Locker] between nodes. How much that is worth depends on the storage,
// since certmagic's interface has no compare-and-swap:
//
//   - With any storage whose locks exclude, whose writes last and whose reads see the
//     latest write, a generation is exchanged once, whatever process is killed at
//     whatever moment: either the record is in storage, and the old token is spent, or
//     it is not, and the old token is good. A client whose answer was lost has a spent
//     token. Where the process knows that the answer never got out, a retry at the same
//     process within minutes gets it; elsewhere, after a restart, or when the answer
//     was lost on its way to the client, only a grace helps.
//   - An exchange reads the record under its lock, and where that says that the
//     generation is the current one, nothing else before the write; then record, marker
//     and mark. A marker that was there before the write is still there, or the mark
//     is, which comes before a marker goes and stays: so a session that is over gets
//     nothing, and its record is made to say so. The witness tells whether to believe
//     that something is missing, and the record was found. A first exchange finds no
//     record, so it looks at everything before the write, and after it not at the mark:
//     a sweep in between comes after the exchange, and the next one finds its mark.
//   - A lock that went stale can have two holders: the file system's after 10 seconds
//     in which its holder did not run, as in a suspended process or a paused virtual
//     machine, and at any time where the clocks of two nodes on one file system differ
//     by more than about 5 seconds. No node begins a write later than 5 seconds after
//     it got the lock, and each reads back what it wrote, so two holders within moments
//     of each other are what it takes for two successes with one token. They have the
//     same generation then, and the second one that is used ends the session.
//   - A holder that was killed leaves its lock, and the session answers that storage is
//     not available until it is stale. Every generation has its own lock name, see
//     lockKey, so a file of a few bytes may stay for good.
//   - A write that takes effect after its call has failed, however late, is also the
//     answer of a retry at the same process, and does no harm until a further
//     generation is stored. After that, or after a retry at another node, it takes a
//     record back. The session ends with the next use of its current token; until then
//     a token that was spent since is good again. A stale lock holder that is delayed
//     in the middle of a write is such a case.
//   - A storage that keeps half of a record ends the session. Half of a marker is a
//     marker.
//   - A failed read can look as if the object did not exist, in all of the storage or
//     in a place where it keeps some of its keys, from any moment to any other, while
//     writes to that place fail. Then no live session ends, and no revoked session goes
//     on: what cannot be determined is ErrUnavailable. Both the marker and the record
//     say that a session was revoked; the record is written under the lock of the
//     exchange that would come next, so that no exchange overwrites it; earlier
//     versions wrote only the marker, so where it cannot be read nothing else tells.
//     What is missing counts after the record or the witness was found, at generation 0
//     after a second look, and to end a session, or to say without a write that nothing
//     has happened to it, after a dozen other objects were stored and read back; so
//     does an hour of the feed, or all of it, that looks empty at first. What ends a
//     session because of that is first written to the record's own place.
//   - What this cannot see is a place that comes back just in time. At generation 0,
//     where it is normal to find nothing: a place where no look finds anything of the
//     session, but which accepts the write that follows. It overwrites what was there.
//     (What this process has in its view stays revoked.) Later: a place that was up for
//     the dozen objects, down for the look that follows, and up again for the write.
//     The mark of a swept day is in one place; that matters where the clock of a node
//     is a week behind that of the node that swept.
//   - A power loss can take back the last writes of a file storage: files are synced,
//     directories are not. A token that is ahead of its record, and a token whose
//     record is gone, end their session. A token that was spent in the lost moments is
//     good again, until the one that replaced it is used, which ends the session. The
//     same goes for an old backup of the storage that is restored, and for a database
//     that fails over to a replica which lags behind. A revocation that was lost with
//     it is undone: if that must not happen, change the server's name when restoring a
//     backup, which ends all sessions.
//   - A storage that evicts what it keeps, such as a Redis with a maxmemory policy
//     other than noeviction, forgets which tokens are spent and which sessions are
//     revoked. It is not suitable. Losing everything at once is safe: the server secret
//     is gone too, and with it every session. To a process that keeps running, a
//     storage without the secret, such as a volume that is no longer mounted, is
//     unavailable, see [Store.WithWitness].
//   - A session can be over in one process before storage says so, while its revocation
//     waits for an allowance, see [Store.RevokeLater]. Other nodes learn of it then,
//     and if the process ends before, the session goes on.
//   - A revocation is complete when Revoke has returned nil. What is cut off between
//     marker and feed refuses every refresh that can read it, and leaves access tokens
//     alone until Revoke is called again. It waits for an exchange that is under way,
//     for five seconds at most: after that the exchange no longer writes.
//   - A revocation is kept until its session is over, by the day in its ID: no token
//     lives longer, whatever token lifetimes are configured. A view forgets it a day
//     later and the feed a week later.
//   - Clocks of nodes have to agree to within the grace, or a retry at another node
//     counts as reuse. Whatever they say, a revocation eventually reaches the view of
//     every process. A clock that is years ahead for a moment keeps the feed in its
//     hour, and the hours after it, until their time has come or they are removed by
//     hand. That does no harm: an hour is the name of a page, and nothing is swept
//     later for it, since the sweep goes by the days in the IDs.
//   - An hour is read while it is the newest, again when there is a newer one, and once
//     more two minutes later. The writer of an entry makes sure that its hour is still
//     the newest once the entry is there; earlier versions did not, but were done
//     within ten seconds. So what was acknowledged is found, and all other hours cost
//     nothing.
//   - A poll of a feed in which nothing is new costs little, however much was revoked:
//     the names of the hours, and a few entries. Any node turns the page of an hour
//     that has more than a thousand entries, or whose entries were read again ten
//     thousand times. That is an object that begins the next hour, and takes nothing
//     away: a crash in the middle of it, or two nodes at once, leave one object or
//     none. In a flood the feed gets ahead of the clock, by an hour for a thousand
//     entries, at most one in five seconds.
//   - Nodes of the version that turned pages later write and read the same objects in
//     the same way, so that both versions find what the other one writes, in an update
//     and back: the newest hour is the last by name for them too, however far it is
//     ahead. They pay more for large pages, and have one weakness more: in a storage
//     whose reads fail silently they believe a list of hours without the newest, and
//     put an entry where it is no longer looked for. This version asks first whether
//     the storage answers, wherever that may be.
//   - While a process has not read the whole feed, it asks storage for single sessions:
//     for their markers, which are written first. So it knows more than the feed has,
//     and lets no revoked token pass, from its first answer on.
//   - A feed that comes back without its newest hours is not believed for a minute, and
//     never undoes what is known.
package session

import "errors"

// Why a generation is refused.
var (
	ErrRevoked = errors.New("the session was revoked")

	// ErrEnded is returned by callers of EndedNow, for a session that a notice ends.
	ErrEnded   = errors.New("the session was revoked together with others")
	ErrOver    = errors.New("the session ended, and its record was removed")
	ErrReused  = errors.New("the refresh token was exchanged before")
	ErrAhead   = errors.New("the refresh token is ahead of the session's record: the storage has lost data")
	ErrDamaged = errors.New("the session's record is damaged")
)

// ErrUnavailable says that storage did not answer correctly or in time: nothing is
// known. It wraps the cause.
var ErrUnavailable = errors.New("the session storage is unavailable")

// ErrUnknownEngine says that a session lives where the config does not tell this node to
// look. It comes with ErrUnavailable.
var ErrUnknownEngine = errors.New("the config knows no engine of that name")
