package sessions

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"
)

// ID names a session. It can be a map key. The zero ID names no session.
type ID struct {
	// Day is the UTC day on which the session ends, 20060102.
	Day string

	// Random is 160 random bits, 40 characters of 0-9 and a-f.
	Random string

	// Epoch is the epoch of the engine in which the session began.
	Epoch string
}

// NewID makes a new ID, for a session that ends at that time.
func NewID(ends time.Time, epoch string) ID {
	random := make([]byte, randomLength/2)
	rand.Read(random) // never fails: it crashes the program instead
	return ID{Day: ends.UTC().Format(dayLayout), Random: hex.EncodeToString(random), Epoch: epoch}
}

// ParseID reads what String wrote, and nothing else.
func ParseID(s string) (ID, bool) {
	day, rest, _ := strings.Cut(s, "-")
	random, epoch, _ := strings.Cut(rest, "-")
	id := ID{day, random, epoch}
	return id, id.IsValid()
}

// IsValid tells whether the parts of the ID have their forms.
func (id ID) IsValid() bool {
	day, err := time.Parse(dayLayout, id.Day)
	return err == nil && day.Format(dayLayout) == id.Day && isHex(id.Random, randomLength) && IsEpoch(id.Epoch)
}

// String is day, random bits and epoch, 66 characters of 0-9, a-f and "-".
func (id ID) String() string { return id.Day + "-" + id.Random + "-" + id.Epoch }

// Over is when the session is over: [KeepOver] after its day.
func (id ID) Over() time.Time {
	day, _ := time.Parse(dayLayout, id.Day) // valid, see IsValid
	return day.AddDate(0, 0, 1).Add(KeepOver)
}

// NewEpoch makes a new epoch, from 64 random bits.
func NewEpoch() string {
	random := make([]byte, EpochLength/2)
	rand.Read(random)
	return hex.EncodeToString(random)
}

// IsEpoch tells whether a string has the form of an epoch.
func IsEpoch(s string) bool { return isHex(s, EpochLength) }

func isHex(s string, length int) bool {
	return len(s) == length && strings.Trim(s, "0123456789abcdef") == ""
}

const (
	// EpochLength is the length of an epoch.
	EpochLength = 16

	randomLength = 40
	dayLayout    = "20060102"
)
