package caddygrant

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// This file says what is right, for TestModelOfSessions. It knows each session, and
// what may be true of it: after a fault that can be several things, and every answer
// leaves those that agree with it.

// modelWorld is what can be true of a session.
type modelWorld struct {
	generation uint64
	answer     int      // which exchange made the generation, 0 if none
	exchanged  [2]int64 // between when and when that was, unix milliseconds of the node that did it
	damaged    bool     // its record
	over       bool     // its record has been removed
	revoked    bool
	ended      bool    // by a notice
	knowsEnd   [2]bool // a node must
	feed       modelFeed
	knows      [2]bool
	lost       [2]modelLost
}

// modelFeed is whether nodes can learn of a revocation.
type modelFeed int

const (
	feedWithout modelFeed = iota
	feedMayHave           // no client was told that it is there
	feedHas
	feedHad // required of no node now: it was removed
)

// modelLost is an answer of which a node knows that it did not arrive.
type modelLost struct {
	answer int
	until  int64 // unix nanoseconds, not by the nodes' clocks
}

// modelMoment is when and where something happens.
type modelMoment struct {
	node  int
	began time.Time // by the node's clock
	wall  time.Time // the same, when it ends
	time  time.Time // as it passes, when it ends
	op    int
}

// modelAnswer is what can be seen of an answer.
type modelAnswer struct {
	status     int
	code       string
	generation uint64
	scope      string
	active     bool
}

func (a modelAnswer) String() string {
	return fmt.Sprintf("{%d %s generation %d scope %q active %t}", a.status, a.code, a.generation, a.scope, a.active)
}

// modelOutcome is an answer, and what is true when it was given.
type modelOutcome struct {
	answer modelAnswer
	world  modelWorld
}

var (
	modelOK           = modelAnswer{status: http.StatusOK}
	modelInvalidGrant = modelAnswer{status: http.StatusBadRequest, code: oauth.CodeInvalidGrant}
	modelUnavailable  = modelAnswer{status: http.StatusServiceUnavailable, code: oauth.CodeTemporarilyUnavailable}
)

// modelVerdict is what a generation is worth.
type modelVerdict int

const (
	worthNext modelVerdict = iota
	worthAgain
	worthNothing
	worthTheEnd // of the session
)

func (w modelWorld) judge(generation uint64, grace time.Duration, at modelMoment) []modelVerdict {
	switch {
	case w.revoked || w.over || w.ended:
		return []modelVerdict{worthNothing}
	case w.damaged || generation > w.generation:
		return []modelVerdict{worthTheEnd}
	case generation == w.generation:
		return []modelVerdict{worthNext}
	case generation+1 < w.generation:
		return []modelVerdict{worthTheEnd}
	}
	lost := w.lost[at.node]
	left := time.Unix(0, lost.until).Sub(at.time)
	since, until := at.wall.UnixMilli()-w.exchanged[1], at.wall.UnixMilli()-w.exchanged[0]
	width := grace.Milliseconds()
	switch {
	case grace > 0 && max(since, -since, until, -until) <= width,
		lost.answer == w.answer && left > time.Minute:
		return []modelVerdict{worthAgain}
	case grace > 0 && since <= width && until >= -width,
		lost.answer == w.answer && left > 0: // until is the latest possible time
		return []modelVerdict{worthAgain, worthTheEnd}
	}
	return []modelVerdict{worthTheEnd}
}

// exchange makes the next generation.
func (w modelWorld) exchange(at modelMoment) modelWorld {
	w.generation++
	began, wall := at.began.UnixMilli(), at.wall.UnixMilli()
	w.answer, w.exchanged = at.op, [2]int64{min(began, wall), max(began, wall)} // clocks go back
	return w
}

// lose makes the node remember that an answer did not arrive; 0 is none.
func (w modelWorld) lose(answer int, at modelMoment) modelWorld {
	w.lost[at.node] = modelLost{}
	if answer != 0 {
		w.lost[at.node] = modelLost{answer, at.time.Add(5 * time.Minute).UnixNano()}
	}
	return w
}

// end revokes the session.
func (w modelWorld) end(at modelMoment) modelWorld {
	w.revoked, w.knows[at.node] = true, true
	if w.feed < feedHas {
		w.feed = feedHas
	}
	return w
}

// ends is what a revocation that fails leaves behind.
func (w modelWorld) ends(at modelMoment) []modelWorld {
	marked := w
	marked.revoked = true
	written := marked
	if w.feed == feedWithout {
		written.feed = feedMayHave
	}
	return []modelWorld{w, marked, written, w.end(at)}
}

// remove is what a sweep leaves of the session.
func (w modelWorld) remove() modelWorld {
	w.over, w.damaged = true, false
	return w
}

// forget is what a node no longer knows once it ends.
func (w modelWorld) forget(node int) modelWorld {
	w.knows[node], w.lost[node] = false, modelLost{}
	w.knowsEnd[node] = w.ended // it reads the notices, or asks for them
	return w
}

// learn is what a node that has read the feed knows, for as long as it runs.
func (w modelWorld) learn(node int) modelWorld {
	w.knows[node] = w.knows[node] || w.feed == feedHas
	return w
}

// stored tells whether there is something of the session to remove.
func (w modelWorld) stored() bool { return !w.over && (w.answer != 0 || w.damaged || w.revoked) }

// modelSession is a session and its worlds.
type modelSession struct {
	number   int
	sid, day string
	user     int
	password int
	client   modelClient
	version  int64 // of the login
	scopes   []string
	refused  []string // what the login requested beyond them
	ends     int64
	worlds   map[modelWorld]bool
}

// become replaces every world with those that follow from it.
func (s *modelSession) become(next func(modelWorld) []modelWorld) {
	worlds := make(map[modelWorld]bool)
	for w := range s.worlds {
		for _, n := range next(w) {
			worlds[n] = true
		}
	}
	s.worlds = worlds
}

// observe keeps the worlds that an answer agrees with. If there is none, the answer is
// wrong, and it returns the answers that would be right.
func (s *modelSession) observe(got modelAnswer, outcomes func(modelWorld) []modelOutcome) []modelAnswer {
	worlds, wanted := make(map[modelWorld]bool), make(map[modelAnswer]bool)
	for w := range s.worlds {
		for _, o := range outcomes(w) {
			wanted[o.answer] = true
			if o.answer == got {
				worlds[o.world] = true
			}
		}
	}
	if len(worlds) == 0 {
		return slices.SortedFunc(maps.Keys(wanted), func(a, b modelAnswer) int { return a.status - b.status })
	}
	s.worlds = worlds
	return nil
}

// modelRefresh is a use of a refresh token that is valid in everything but perhaps its
// session.
type modelRefresh struct {
	generation uint64
	grace      time.Duration
	scope      string // of the answer
	refused    bool   // because of the scope
	torn       bool   // half of the record is in storage
}

// outcomes are those of a refresh. slips are what can also be true after it failed
// because of the storage.
func (q modelRefresh) outcomes(w modelWorld, at modelMoment) (right []modelOutcome, slips []modelWorld) {
	for _, verdict := range w.judge(q.generation, q.grace, at) {
		switch {
		case verdict == worthNothing:
			right = append(right, modelOutcome{modelInvalidGrant, w})
		case verdict == worthTheEnd:
			right = append(right, modelOutcome{modelInvalidGrant, w.end(at)})
			slips = append(slips, w.ends(at)...)
		case q.refused:
			right = append(right, modelOutcome{modelAnswer{status: http.StatusBadRequest, code: oauth.CodeInvalidScope}, w})
		case verdict == worthNext && q.torn:
			damaged := w.exchange(at).lose(at.op, at)
			damaged.damaged = true
			return nil, []modelWorld{damaged}
		case verdict == worthNext:
			next := w.exchange(at)
			right = append(right, modelOutcome{modelAnswer{status: http.StatusOK, generation: next.generation, scope: q.scope}, next.lose(0, at)})
			slips = append(slips, next.lose(at.op, at), w.lose(at.op, at))
		default:
			right = append(right, modelOutcome{modelAnswer{status: http.StatusOK, generation: w.generation, scope: q.scope}, w.lose(0, at)})
		}
	}
	return right, append(slips, w)
}

const (
	modelTokenTTL  = time.Hour
	modelLeeway    = 30 * time.Second
	modelSweepWait = 8 * 24 * time.Hour // after the day begins on which a session ends
)
