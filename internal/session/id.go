package session

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

// ID names a session. It can be a map key; the zero ID names no session.
type ID struct {
	day    string
	random string
	engine string // its name and epoch, joined by a dash; empty: the storage
}

// NewID makes a new ID for a session in the storage that ends at that time, from 160
// random bits.
func NewID(end time.Time) ID { return Origin{}.NewID(end) }

// Origin is what a session has from when and where it begins.
type Origin struct {
	Version int64 // the number of the last notice, see Claims

	engine string
}

// NewID makes a new ID for a session that ends at that time, from 160 random bits.
func (o Origin) NewID(end time.Time) ID {
	random := make([]byte, idBytes)
	rand.Read(random) // never fails: it crashes the program instead
	return ID{day: end.UTC().Format(dayLayout), random: hex.EncodeToString(random), engine: o.engine}
}

// ParseID reads what String wrote, and nothing else: it comes from tokens, and goes
// into names of storage objects.
func ParseID(s string) (ID, bool) {
	day, rest, found := strings.Cut(s, "-")
	random, engine, inEngine := strings.Cut(rest, "-")
	if !found || !isTime(day, dayLayout) || !isRandom(random) || inEngine && !isEngine(engine) {
		return ID{}, false
	}
	return ID{day, random, engine}, true
}

// Day is the UTC day on which the session ends, by its beginning.
func (id ID) Day() time.Time {
	day, _ := time.Parse(dayLayout, id.day) // which NewID or ParseID has seen to
	return day
}

// String is the `sid` of tokens: the day and the random bits, 49 characters of
// [0-9a-f-]; of a session in an engine also the engine's name and epoch.
func (id ID) String() string {
	if id.engine == "" {
		return id.day + "-" + id.random
	}
	return id.day + "-" + id.random + "-" + id.engine
}

// engineName is empty for a session in the storage.
func (id ID) engineName() string {
	name, _, _ := strings.Cut(id.engine, "-")
	return name
}

// inEngine is the ID as its engine has it.
func (id ID) inEngine() sessions.ID {
	_, epoch, _ := strings.Cut(id.engine, "-")
	return sessions.ID{Day: id.day, Random: id.random, Epoch: epoch}
}

// fromEngine is the ID of a session that an engine of that name has.
func fromEngine(name string, id sessions.ID) ID {
	return ID{id.Day, id.Random, name + "-" + id.Epoch}
}

// isEngine tells whether a string is the name of an engine and an epoch.
func isEngine(s string) bool {
	name, epoch, _ := strings.Cut(s, "-")
	return IsEngineName(name) && sessions.IsEpoch(epoch)
}

// IsEngineName tells whether an engine may have that name: 1 to 32 of a-z, 0-9 and _.
func IsEngineName(name string) bool {
	return name != "" && len(name) <= maxEngineName && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// isTime tells whether a name is a time in that layout, in its only spelling.
func isTime(name, layout string) bool {
	t, err := time.Parse(layout, name)
	return err == nil && t.Format(layout) == name
}

func isRandom(name string) bool {
	return len(name) == 2*idBytes && strings.Trim(name, "0123456789abcdef") == ""
}

const (
	idBytes       = 20
	maxEngineName = 32
	dayLayout     = "20060102"
	hourLayout    = "2006010215"
)
