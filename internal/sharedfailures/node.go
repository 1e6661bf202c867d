package sharedfailures

import (
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"github.com/caddygrant/caddy-grant/internal/throttle"
)

// Node is a process that tells others what its throttle has counted. It outlives a
// reload.
type Node struct {
	id       throttle.NodeID
	throttle *throttle.Throttle

	mu        sync.Mutex // not held while storage is asked
	version   uint64     // of the last object that it was tried to write
	published *published // nil: nothing
	retired   bool       // it neither tells nor hears
	unheard   bool       // others have not been told what there may be to tell
	missing   int        // how many lists in a row lacked the object
	clock     *clock     // of the storage; nil: not known
	asking    sync.Mutex // for the clock; taken before mu
	peers     map[throttle.NodeID]*peer
}

// published is the object of this node.
type published struct {
	report *throttle.Report
	name   name
	at     time.Time
}

// peer is another node.
type peer struct {
	version uint64 // of its newest object that was read, or found damaged
	damaged int    // how often the next one was
	report  *throttle.Report
	age     time.Duration // of the object, when it was read
	readAt  time.Time
}

func (p *peer) ageAt(now time.Time) time.Duration { return p.age + now.Sub(p.readAt) }

// NewNode returns a node that nothing is known of.
func NewNode(of *throttle.Throttle) *Node {
	n := &Node{throttle: of, peers: make(map[throttle.NodeID]*peer)}
	rand.Read(n.id[:]) // never fails: it crashes the program instead
	return n
}

// clock is the storage's clock.
type clock struct{ storage, here time.Time }

// since is how long ago a time of the storage was.
func (c *clock) since(t time.Time) time.Duration {
	return max(0, c.storage.Add(time.Since(c.here)).Sub(t))
}

// unread is an object to be read.
type unread struct {
	name
	isNew bool // nothing is known of its node, so the object may be old
}

// news picks of the objects in storage the newest of each node that has not been read.
func (n *Node) news(names []name) (news []unread) {
	n.mu.Lock()
	defer n.mu.Unlock()
	newest := make(map[throttle.NodeID]uint64)
	for _, name := range names {
		newest[name.node] = max(newest[name.node], name.version)
	}
	known := len(n.peers)
	for node, version := range newest {
		p := n.peers[node]
		switch {
		case node == n.id || version == 0 || p != nil && p.version >= version:
			continue
		case p == nil && known == maxPeers:
			continue // until others have aged out
		case p == nil:
			known++
		}
		news = append(news, unread{name{node, version}, p == nil})
	}
	return news
}

// object is an object that was read.
type object struct {
	name
	report *throttle.Report // nil: it is damaged
	age    time.Duration
}

// take takes in objects, drops what has aged out, and passes the rest on to the
// throttle if anything is different.
func (n *Node) take(objects []object) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	changed := n.throttle.ForgivenessEnds()
	for _, o := range objects {
		p := n.peers[o.node]
		if p == nil {
			p = new(peer)
			n.peers[o.node] = p
		}
		if o.version <= p.version {
			continue // read by the loop of another config
		}
		if o.report == nil {
			if p.damaged++; p.damaged < damagedTries { // it may still be being written
				continue
			}
		}
		p.version, p.damaged = o.version, 0
		if o.report != nil {
			p.report, p.age, p.readAt, changed = o.report, o.age, now, true
		}
	}
	var others []throttle.Other
	for id, p := range n.peers {
		if p.report != nil && p.ageAt(now) >= AgesOut {
			p.report, changed = nil, true // its version stays known, so that it is not read again
		}
		if p.report != nil && !p.report.Empty() {
			others = append(others, throttle.Other{ID: id, Report: p.report, Age: p.ageAt(now)})
		}
	}
	if changed && !n.retired {
		n.throttle.Heed(n.id, others)
		n.unheard = true // such as sources that are known good here, of an account that others tell of
	}
}

// toPublish is the report that others should be told, nil if they have been.
func (n *Node) toPublish() (*throttle.Report, name) {
	report := n.throttle.Report()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.unheard = false
	switch was := n.published; {
	case n.retired, was == nil && report.Empty():
		return nil, name{}
	case report.Empty() && n.missing >= maxMissing: // it was removed, since it no longer matters
		n.published, n.missing = nil, 0
		return nil, name{}
	case was != nil && was.report.Equal(report) && n.missing < maxMissing &&
		(report.Empty() || time.Since(was.at) < keepAlive):
		return nil, name{}
	}
	n.version++
	return report, name{n.id, n.version}
}

// wasPublished takes in that a report is in storage, and returns the name of the object
// that it replaces, if there is one.
func (n *Node) wasPublished(report *throttle.Report, as name) (before name, replaces bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.published != nil {
		before, replaces = n.published.name, true
		if before.version > as.version { // by the loop of another config
			return as, true
		}
	}
	n.published, n.missing = &published{report, as, time.Now()}, 0
	return before, replaces
}

// listed takes in whether the object of this node is in a list.
func (n *Node) listed(names []name) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.published == nil || slices.Contains(names, n.published.name):
		n.missing = 0
	default:
		if n.missing++; n.missing >= maxMissing {
			n.unheard = true
		}
	}
}

// outdated are the objects that should be removed: those that a newer one of the same
// node has replaced, and those of nodes that have not told anything for so long that
// it no longer counts, an empty object of this node included.
func (n *Node) outdated(names []name) (remove []name) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	newest := make(map[throttle.NodeID]uint64)
	for _, name := range names {
		newest[name.node] = max(newest[name.node], name.version)
	}
	for _, name := range names {
		p := n.peers[name.node]
		switch {
		case name.version < newest[name.node], name.version == 0 && name.node != n.id: // 0: see askClock
			remove = append(remove, name)
		case name.node == n.id:
			if was := n.published; was != nil && was.name == name && was.report.Empty() && time.Since(was.at) >= AgesOut {
				n.published = nil
				remove = append(remove, name)
			}
		case p != nil && p.version == name.version && p.ageAt(now) >= AgesOut+sweepLater:
			remove = append(remove, name)
		}
	}
	for id, p := range n.peers {
		if p.report == nil && newest[id] == 0 {
			delete(n.peers, id)
		}
	}
	return remove
}

// Retire ends what the node does, for another node with the same throttle: loops may
// still go on.
func (n *Node) Retire() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.retired = true
}

// begin is for a new loop, whose storage may be another.
func (n *Node) begin() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.unheard, n.clock = true, nil
}

func (n *Node) isUnheard() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.unheard
}

func (n *Node) setUnheard() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.unheard = true
}

// AgesOut is how long what a node has told counts, unless it tells it again.
const AgesOut = 24 * time.Hour

const (
	keepAlive  = 6 * time.Hour
	sweepLater = time.Hour
	maxPeers   = 256
	maxMissing = 2

	damagedTries = 3
)
