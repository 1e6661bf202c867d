package fleet

import (
	"context"
	"encoding/hex"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/sessions"
)

// slot is what the client of a session knows, and what was acknowledged to others about
// it. One goroutine at a time has it, see take. A session that has ended makes room for
// a login.
type slot struct {
	taken atomic.Bool
	name

	// of the exchange that made the generation, and of the next one: when its first
	// attempt began, and when its first success was there; 0: none
	made, next exchange

	maybe   bool   // a revocation was begun
	revoked uint32 // when one was acknowledged
	ended   bool
}

// name is the ID of a session and the newest generation that its client has.
type name struct {
	random     [20]byte
	home       uint16 // where and until when it lives, see homes
	generation uint32
}

// exchange is one generation being made.
type exchange struct {
	begun, done uint32
	lost        bool // an answer did not reach the client, or came from a process that then crashed
	known       bool // a node may know of an answer that did not get out, so the token works there again
}

// take has the slot for the caller alone, unless another one has it.
func (s *slot) take() bool { return s.taken.CompareAndSwap(false, true) }
func (s *slot) give()      { s.taken.Store(false) }

// graceful tells whether a grace applies to the session.
func (n *name) graceful() bool { return n.random[0]&1 == 1 }

// homes are the days and session engines: what is the same in many IDs.
type homes struct {
	mu  sync.RWMutex
	all []home
}

type home struct {
	day  string
	rest string // "-<engine>-<epoch>", or empty
	over time.Time
}

func (h *homes) of(day, rest string) uint16 {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.IndexFunc(h.all, func(h home) bool { return h.day == day && h.rest == rest })
	if i < 0 {
		i = len(h.all)
		h.all = append(h.all, home{day, rest, sessions.ID{Day: day}.Over()})
	}
	return uint16(i)
}

func (h *homes) at(i uint16) home {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.all[i]
}

// id is the ID of a session.
func (f *Fleet) id(n *name) session.ID {
	home := f.homes.at(n.home)
	id, ok := session.ParseID(home.day + "-" + hex.EncodeToString(n.random[:]) + home.rest)
	if !ok {
		panic("not an ID: " + home.day + home.rest)
	}
	return id
}

// isOver tells whether the session may be over by now.
func (f *Fleet) isOver(n *name) bool { return !time.Now().Before(f.homes.at(n.home).over) }

// logIn begins a session in a slot.
func (f *Fleet) logIn(ctx context.Context, n *node, s *slot) error {
	origin, err := n.running().Origin(ctx)
	if err != nil {
		return err
	}
	text := origin.NewID(n.now().Add(f.Lifetime)).String()
	day, random, rest := text[:8], text[9:49], text[49:]
	s.name = name{home: f.homes.of(day, rest)}
	if _, err := hex.Decode(s.random[:], []byte(random)); err != nil {
		return err
	}
	s.made, s.next = exchange{}, exchange{}
	s.maybe, s.revoked, s.ended = false, 0, false
	return nil
}

// grave is a session whose revocation was acknowledged.
type grave struct {
	name
	revoked uint32
}

// graveyard is the newest of them, which clients go on to use.
type graveyard struct {
	mu  sync.Mutex
	all []grave
	n   int // of all that there were
}

func (g *graveyard) bury(s *slot) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if buried := (grave{s.name, s.revoked}); len(g.all) < mostGraves {
		g.all = append(g.all, buried)
	} else {
		g.all[g.n%mostGraves] = buried
	}
	g.n++
}

// some is the grave at a place that is drawn below 1<<31, if there is any.
func (g *graveyard) some(draw int) (grave, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.all) == 0 {
		return grave{}, false
	}
	return g.all[draw%len(g.all)], true
}

func (g *graveyard) size() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.all)
}

// mostGraves bounds the memory that they take.
const mostGraves = 1 << 20
