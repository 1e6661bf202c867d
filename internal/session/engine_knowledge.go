package session

import (
	"sync"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

// engineKnowledge is what a process knows of the sessions in an engine, and what it
// has running there, also across a reload of the config.
type engineKnowledge struct {
	slots       slots
	revocations slots // each of which then takes one of slots
	asking      slots // for sessions of which the view cannot tell; see asked
	polling     sync.Mutex

	mu      sync.RWMutex
	epoch   string    // of new sessions
	renewed bool      // which was not told yet
	cursor  string    // how far the feed was read
	whole   string    // the epoch of which all of the feed was read once; empty: none
	from    string    // the first day of which nothing that was read was dropped
	at      time.Time // when the last complete reading began, by the wall clock; zero before the first
}

func newEngineKnowledge() *engineKnowledge {
	return &engineKnowledge{slots: make(slots, maxCalls), revocations: make(slots, maxCalls/2), asking: make(slots, maxAsking)}
}

func (k *engineKnowledge) epochOfNew() string {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.epoch
}

func (k *engineKnowledge) setEpoch(epoch string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.epoch != epoch {
		k.cursor, k.whole = "", ""
		k.renewed = k.epoch != ""
	}
	k.epoch = epoch
}

// takeRenewal is the epoch if it is new and was not told before.
func (k *engineKnowledge) takeRenewal() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.renewed {
		return ""
	}
	k.renewed = false
	return k.epoch
}

// knows tells whether all revocations were read among which that of a session would be.
func (k *engineKnowledge) knows(id ID) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	epoch := id.engine[max(0, len(id.engine)-sessions.EpochLength):]
	return k.whole != "" && k.whole == epoch && id.day >= k.from
}

func (k *engineKnowledge) readAt() time.Time {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.at
}

// begin goes on from where the feed was read to. When a clock went back, what was
// dropped matters again, and the feed is read anew.
func (k *engineKnowledge) begin(keptFrom string) feedReading {
	k.mu.Lock()
	defer k.mu.Unlock()
	if keptFrom < k.from {
		k.cursor, k.whole = "", ""
	}
	if k.cursor == "" {
		k.from = keptFrom
	}
	return feedReading{epoch: k.epoch, cursor: k.cursor, anew: k.whole != k.epoch}
}

func (k *engineKnowledge) readTo(r feedReading) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.epoch == r.epoch {
		k.cursor = r.cursor
	}
}

func (k *engineKnowledge) readWhole(r feedReading, at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.epoch == r.epoch {
		k.whole, k.at = r.epoch, at
	}
}

// loseFeed has the feed read anew. What is known stays known.
func (k *engineKnowledge) loseFeed() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cursor, k.whole = "", ""
}

// allEngines is what a process knows of each engine, also across a reload of the
// config.
type allEngines struct {
	mu  sync.Mutex
	all map[engineIdentity]*engineKnowledge
}

type engineIdentity struct{ name, identity string }

// engine returns what is known of an engine.
func (m *Memory) engine(name, identity string) *engineKnowledge {
	m.engines.mu.Lock()
	defer m.engines.mu.Unlock()
	of := engineIdentity{name, identity}
	k := m.engines.all[of]
	if k == nil {
		k = newEngineKnowledge()
		m.engines.all[of] = k
	}
	return k
}

// keptFrom takes in that revocations of days before that one are dropped.
func (a *allEngines) keptFrom(day string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, k := range a.all {
		k.mu.Lock()
		k.from = max(k.from, day)
		k.mu.Unlock()
	}
}
