package session

import (
	"sync"
	"time"
)

// undelivered holds the exchanges whose answer, as this process knows, did not get out:
// those under way, and those where storage failed or hung or the client had hung up.
// For some minutes a retry counts as being within the grace.
type undelivered struct {
	mu      sync.Mutex
	answers map[ID]answer
}

type answer struct {
	id         string
	generation uint64
	until      time.Time // monotonic
}

func (u *undelivered) remember(id ID, r record) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, ok := u.answers[id]; !ok && len(u.answers) >= maxUndelivered {
		u.makeRoom()
	}
	u.answers[id] = answer{r.Answer, r.Generation, time.Now().Add(undeliveredFor)}
}

func (u *undelivered) forget(id ID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.answers, id)
}

func (u *undelivered) has(id ID, r record) bool {
	return r.Answer != "" && u.pending(id, r.Generation) == r.Answer
}

// pending returns the answer of an exchange that was to make this generation, or an
// empty string.
func (u *undelivered) pending(id ID, generation uint64) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	a, ok := u.answers[id]
	if !ok || a.generation != generation || !time.Now().Before(a.until) {
		return ""
	}
	return a.id
}

// beyond tells whether there is an exchange that was to make a later generation.
func (u *undelivered) beyond(id ID, generation uint64) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	a, ok := u.answers[id]
	return ok && a.generation > generation && time.Now().Before(a.until)
}

// makeRoom drops what is too old, or else any entry: its client will have to log in
// again.
func (u *undelivered) makeRoom() {
	for id, a := range u.answers {
		if !time.Now().Before(a.until) {
			delete(u.answers, id)
		}
	}
	for id := range u.answers {
		if len(u.answers) < maxUndelivered {
			return
		}
		delete(u.answers, id)
	}
}

const (
	maxUndelivered = 10_000
	undeliveredFor = 5 * time.Minute
)
