package session

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Notice is what all nodes of a server are told: that all sessions of a user, a client
// or the server which began before it are over, that failed logins are forgiven, or that
// an API key has ended.
//
// Notices have an order, by their numbers, which does not depend on any clock: a login
// puts the number of the last notice that its node knows into the tokens, and a session
// is over if a notice that concerns it has a higher number. So a session that began
// before a notice, in the same second, or at a node that had not read it yet, never
// outlives it.
type Notice struct {
	Number int64
	Kind   NoticeKind
	Of     string // the subject, the client_id, the username or the address; empty for a server
	At     time.Time

	digest string // of Of; the only thing known of it where the content is damaged
}

// NoticeKind is what a notice says.
type NoticeKind string

// The kinds of notices.
const (
	EndUser        NoticeKind = "end-user"   // by subject
	EndClient      NoticeKind = "end-client" // by client_id
	EndServer      NoticeKind = "end-server"
	EndKey         NoticeKind = "end-key"      // by the fingerprint of an API key, for good
	ForgiveUser    NoticeKind = "forgive-user" // by username
	ForgiveClient  NoticeKind = "forgive-client"
	ForgiveAddress NoticeKind = "forgive-address"
)

// ends tells whether the notice ends sessions.
func (k NoticeKind) ends() bool { return k == EndUser || k == EndClient || k == EndServer }

// Claims is what a token or a cookie says of its session.
type Claims struct {
	ID      ID
	Subject string // of the user; empty: a client acts for itself
	Client  string // client_id
	Version int64  // number of the last notice when the session began; 0 in tokens from before there were any
}

// name is that of the object in storage. The number comes first, so that names sort by
// it; what follows keeps notices apart that two nodes number alike.
func (n Notice) name() string { return fmt.Sprintf("%016x-%s-%s", n.Number, n.Kind, n.digest) }

func newNotice(number int64, kind NoticeKind, of string, at time.Time) Notice {
	return Notice{Number: number, Kind: kind, Of: of, At: at.UTC().Truncate(time.Millisecond), digest: digestOf(of)}
}

func digestOf(of string) string {
	sum := sha256.Sum256([]byte(of))
	return hex.EncodeToString(sum[:8])
}

// IsDamaged tells whether only its kind is known, and not whom it is about. It takes
// effect all the same.
func (n Notice) IsDamaged() bool { return n.digest != digestOf(n.Of) }

// noticeName is what the name of a notice looks like; other objects are not notices.
var noticeName = regexp.MustCompile(`^([0-7][0-9a-f]{15})-([a-z]+-[a-z]+)-([0-9a-f]{16})$`)

// storedNotice is a notice in storage.
type storedNotice struct {
	Version int        `json:"version"`
	Number  int64      `json:"number"`
	Kind    NoticeKind `json:"kind"`
	Of      string     `json:"of,omitempty"`
	At      time.Time  `json:"at"`
}

func encodeNotice(n Notice) []byte {
	encoded, _ := json.Marshal(storedNotice{noticeVersion, n.Number, n.Kind, n.Of, n.At.UTC()}) // cannot fail
	return append(encoded, '\n')
}

// decodeNotice reads a notice. The name says what has to be known of it, also where a
// write was cut off.
func decodeNotice(name []string, content []byte) Notice {
	damaged := Notice{Number: numberOf(name), Kind: NoticeKind(name[2]), digest: name[3]}
	var stored storedNotice
	if err := json.Unmarshal(content, &stored); err != nil || stored.Version != noticeVersion {
		return damaged
	}
	n := newNotice(stored.Number, stored.Kind, stored.Of, stored.At)
	if n.name() != name[0] {
		return damaged
	}
	return n
}

// numberOf is the number in the name of a notice.
func numberOf(name []string) int64 {
	number, _ := strconv.ParseInt(name[1], 16, 64) // fits, see noticeName
	return number
}

// latestNotice is the small object that tells whether there is something new.
type latestNotice struct {
	Version int    `json:"version"`
	Number  int64  `json:"number"` // of the last notice; 0: there was none
	Change  string `json:"change"` // random, of the write
}

func encodeLatest(latest latestNotice) []byte {
	encoded, _ := json.Marshal(latest) // cannot fail
	return append(encoded, '\n')
}

// decodeLatest reads the object. Where a write was cut off, it says that there may be
// something new, and not what.
func decodeLatest(content []byte) latestNotice {
	var latest latestNotice
	if err := json.Unmarshal(content, &latest); err != nil || latest.Version != noticeVersion || latest.Number < 0 || latest.Change == "" {
		return latestNotice{Version: noticeVersion, Change: "damaged-" + digestOf(string(content))}
	}
	return latest
}

// noticeSet is what is known of the notices. It is never changed.
type noticeSet struct {
	latest   latestNotice      // zero before the first notice was made possible, see BeginNotices
	byName   map[string]Notice // all
	newest   int64             // number of the newest that ends sessions
	ofServer int64
	ofUser   map[string]int64
	ofClient map[string]int64
	ofKey    map[string]bool  // by digest
	damaged  map[string]int64 // by kind and digest
}

func newNoticeSet(latest latestNotice, all map[string]Notice) *noticeSet {
	set := &noticeSet{latest: latest, byName: all, ofUser: make(map[string]int64), ofClient: make(map[string]int64), ofKey: make(map[string]bool), damaged: make(map[string]int64)}
	for _, n := range all {
		if n.Kind == EndKey {
			set.ofKey[n.digest] = true
		}
		if !n.Kind.ends() {
			continue
		}
		set.newest = max(set.newest, n.Number)
		switch {
		case n.IsDamaged():
			of := string(n.Kind) + n.digest
			set.damaged[of] = max(set.damaged[of], n.Number)
		case n.Kind == EndUser:
			set.ofUser[n.Of] = max(set.ofUser[n.Of], n.Number)
		case n.Kind == EndClient:
			set.ofClient[n.Of] = max(set.ofClient[n.Of], n.Number)
		default:
			set.ofServer = max(set.ofServer, n.Number)
		}
	}
	return set
}

// number is that of the last notice.
func (s *noticeSet) number() int64 {
	number := s.latest.Number
	for _, n := range s.byName {
		number = max(number, n.Number)
	}
	return number
}

// ended tells whether a notice ends a session.
func (s *noticeSet) ended(c Claims) bool {
	if s.newest <= c.Version {
		return false
	}
	// no notice about users is about a session without a user, whatever it says
	if c.Subject != "" && s.ends(EndUser, s.ofUser, c.Subject, c.Version) {
		return true
	}
	return s.ofServer > c.Version || s.ends(EndClient, s.ofClient, c.Client, c.Version) ||
		len(s.damaged) > 0 && s.damaged[string(EndServer)+digestOf("")] > c.Version
}

// ends tells whether a notice of a kind about that name ends sessions of a version.
func (s *noticeSet) ends(kind NoticeKind, notices map[string]int64, of string, version int64) bool {
	return notices[of] > version || len(s.damaged) > 0 && s.damaged[string(kind)+digestOf(of)] > version
}

// keyEnded tells whether a notice ends an API key. The digest is enough, also of a notice
// that is damaged.
func (s *noticeSet) keyEnded(fingerprint string) bool {
	return len(s.ofKey) > 0 && s.ofKey[digestOf(fingerprint)]
}

// superseded are the names of the notices that say nothing any longer: there is a newer
// one of the same kind and name, or all nodes have had the time to forgive.
func (s *noticeSet) superseded(now time.Time) (names []string) {
	newest := make(map[string]int64)
	of := func(n Notice) string { return string(n.Kind) + n.digest }
	for _, n := range s.byName {
		newest[of(n)] = max(newest[of(n)], n.Number)
	}
	for name, n := range s.byName {
		if n.Number < newest[of(n)] || n.isForgotten(now) && n.Number < s.latest.Number {
			names = append(names, name)
		}
	}
	return names
}

// isForgotten tells whether all nodes have had the time to forgive. A kind of a later
// version is not ours to forget.
func (n Notice) isForgotten(now time.Time) bool {
	switch n.Kind {
	case ForgiveUser, ForgiveClient, ForgiveAddress:
		return now.Sub(n.At) > forgivenFor
	}
	return false
}

const (
	noticeVersion = 1

	// forgivenFor is how long a node may be cut off from storage and still learn that
	// failed logins are forgiven. A node that starts anew has not counted any.
	forgivenFor = 9 * 24 * time.Hour
)
