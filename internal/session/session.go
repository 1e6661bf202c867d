// Package session keeps what must be remembered of sessions: how often a refresh token was exchanged, and which
// sessions were revoked. It knows no tokens; a session is an ID and a generation, a number that every exchange raises.
//
// A login writes nothing: without a record a session is at generation 0. State comes into being with the first
// exchange or revocation, as objects of the certmagic storage that Caddy is configured with:
//
//	<prefix>/sessions/<day>/<id>           the record: the generation, and what made it
//	<prefix>/sessions/<day>/<id>.revoked   the marker of a revoked session; written once, never taken back
//	<prefix>/revocations/<hour>/<sid>      the feed: the same revocations by hour, for nodes that poll
//	<prefix>/swept/<day>                   the records of that day are gone: whoever has none has no generation 0
//	<prefix>/probe/<random>                tells the clock of the storage, for a moment
//
// <day> is the UTC day on which the session ends (20060102), <id> its 160 random bits in hex, <sid> both as an ID
// prints them, <hour> a UTC hour (2006010215). Names of other forms, such as the temporary files that a crash leaves
// behind, are passed over.
//
// # What holds
//
// A generation is handed out after its record is in storage and was read back, by one node at a time: exchanges of one
// session take turns in the process by a mutex and between nodes by [certmagic.Locker]. How much that is worth depends
// on the storage, since certmagic's interface has no compare-and-swap:
//
//   - With any storage whose locks exclude and whose writes last, a generation is exchanged once, whatever is killed at
//     whatever moment: either the record is in storage, and the old token is spent, or it is not, and the old token is
//     good. A client whose answer was lost has a spent token; only a grace helps it.
//   - A lock that went stale can have two holders: the file system's after 10 seconds in which its holder did not run,
//     as in a suspended process or a paused virtual machine. No node writes later than 5 seconds after it got the lock,
//     and each reads back what it wrote, so two holders within moments of each other are what it takes for two
//     successes with one token. They have the same generation then, and the second one that is used ends the session.
//   - A power loss can take back the last writes of a file storage: files are synced, directories are not. A token that
//     is ahead of its record, and one whose record is gone, end their session. A token that was spent in the lost
//     moments is good again, until the one that replaced it is used, which ends the session. The same goes for an old
//     backup of the storage that is restored. A revocation that was lost with it is undone: restore no backup that is
//     older than a session may live, or change the server's name with it, which ends all sessions.
//   - A storage that evicts what it keeps, such as a Redis with a maxmemory policy other than noeviction, forgets which
//     tokens are spent and which sessions are revoked. It is not fit for this. Losing everything at once is safe: the
//     server secret is gone too, and with it every session.
//   - A write that takes effect after its call has failed can take a record back. The session ends with the next use of
//     its current token; until then a token that was spent after that is good again.
//   - Clocks of nodes have to agree to within the grace, or a retry at another node counts as reuse.
package session

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
	"time"
)

// ID names a session. It can be a map key; the zero ID names none.
type ID struct{ day, random string }

// NewID makes a new ID for a session that ends at that time, from 160 random bits.
func NewID(end time.Time) ID {
	random := make([]byte, idBytes)
	rand.Read(random) // never fails: it crashes the program instead
	return ID{day: end.UTC().Format(dayLayout), random: hex.EncodeToString(random)}
}

// ParseID reads what String wrote, and nothing else: it comes from tokens, and goes into names of storage objects.
func ParseID(s string) (ID, bool) {
	day, random, found := strings.Cut(s, "-")
	if !found || !isTime(day, dayLayout) || !isRandom(random) {
		return ID{}, false
	}
	return ID{day, random}, true
}

// String is the `sid` of tokens: the day and the random bits, 49 characters of [0-9a-f-].
func (id ID) String() string { return id.day + "-" + id.random }

// Why a generation is worth nothing.
var (
	ErrRevoked = errors.New("the session was revoked")
	ErrOver    = errors.New("the session ended, and its record was removed")
	ErrReused  = errors.New("the refresh token was exchanged before")
	ErrAhead   = errors.New("the refresh token is ahead of the session's record: the storage has lost what was in it")
	ErrDamaged = errors.New("the session's record is damaged")
)

// ErrUnavailable says that storage did not answer as it should, or not in time: nothing is known. It is wrapped around
// the cause.
var ErrUnavailable = errors.New("the storage of sessions is not available")

// isTime tells whether a name is a time in that layout, written the one way there is.
func isTime(name, layout string) bool {
	t, err := time.Parse(layout, name)
	return err == nil && t.Format(layout) == name
}

func isRandom(name string) bool {
	return len(name) == 2*idBytes && strings.Trim(name, "0123456789abcdef") == ""
}

const (
	idBytes    = 20
	dayLayout  = "20060102"
	hourLayout = "2006010215"
)
