package session

import (
	"errors"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions/sessionstest"
)

// outage is a node whose sessions live somewhere that does not answer.
type outage struct {
	*node
	id      func() ID
	begin   func()
	end     func()
	another func() *node
}

func outages(t *testing.T) map[string]outage {
	stored, memory := engines()
	inEngine := newEngineNode(t, stored, memory, false)
	storage := newShelf()
	inStorage := newNode(storage)
	return map[string]outage{
		"an engine": {
			inEngine.node, func() ID { return inEngine.began(t) },
			func() {
				inEngine.engine.Meet(func(sessionstest.Call) sessionstest.Fault { return sessionstest.Refused })
			},
			inEngine.engine.Recover,
			func() *node { return inEngine.another(t, memory).node },
		},
		"the storage": {
			inStorage, monthAhead,
			func() { inStorage.storage.add(&rule{op: "store", part: "sessions", fault: refused}) },
			inStorage.storage.recovers,
			func() *node { return newNode(storage) },
		},
	}
}

// An owner logs out of one session, and tries again until there is an answer: a session
// counts once, and another one can be ended after that.
func TestRevocationsThatFailUseUpOneAllowanceEach(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for where, o := range outages(t) {
			allowance := newAllowance(2)
			n, one, other := o.within(allowance), o.id(), o.id()
			o.begin()
			for range 50 {
				wantUnavailable(t, n.Revoke(t.Context(), one))
				allowance.want(t, 1, 0)
				time.Sleep(attemptEvery)
			}
			wantUnavailable(t, n.Revoke(t.Context(), other))
			wantNotYet(t, n.Revoke(t.Context(), o.id())) // what fails may be written all the same
			o.end()
			time.Sleep(attemptEvery)
			must(t, n.Revoke(t.Context(), one))
			must(t, n.Revoke(t.Context(), other))
			allowance.want(t, 2, 0)
			for _, id := range []ID{one, other} {
				if revoked, err := o.another().Revoked(t.Context(), id); err != nil || !revoked {
					t.Errorf("in %s: revoked %v, error %v", where, revoked, err)
				}
			}
		}
	})
}

// An attacker with one token must not have unlimited attempts either.
func TestAttemptsThatFollowCloselyAreCounted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for where, o := range outages(t) {
			n, id := o.within(newAllowance(10)), o.id()
			o.begin()
			attempts := 0
			for range 1000 {
				err := n.Revoke(t.Context(), id)
				if _, refused := errors.AsType[*NotYetError](err); !refused {
					wantUnavailable(t, err)
					attempts++
				}
				time.Sleep(attemptEvery / 100)
			}
			if attempts < 10 || attempts > 25 {
				t.Errorf("%s: %d attempts in ten seconds", where, attempts)
			}
		}
	})
}

// What waits is tried again and again, and the account of its owner is not emptied by it.
func TestWhatWaitsForAnEngineThatIsDownUsesUpOneAllowance(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, memory := engines()
		n := newEngineNode(t, storage, memory, false)
		id, allowance := n.began(t), newAllowance(5)
		n.memory.Serve(n.Store)
		defer n.memory.Close()
		n.engine.Meet(func(sessionstest.Call) sessionstest.Fault { return sessionstest.Refused })
		n.Within(allowance).RevokeLater(id, 0)
		time.Sleep(time.Hour)
		allowance.want(t, 1, 0)
		n.engine.Recover()
		time.Sleep(2 * laterPause)
		allowance.want(t, 1, 0)
		n.another(t, memory).wantRefused(t, id, 0, 0, ErrRevoked)
	})
}

// Of a session of another epoch nothing is kept.
func TestAnAllowanceComesBackWhereTheEngineHasLostTheSession(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, memory := engines()
		n := newEngineNode(t, storage, memory, false)
		id, allowance := n.began(t), newAllowance(1)
		n.engine.Befall("Revoke", sessionstest.Refused)
		wantUnavailable(t, n.Within(allowance).Revoke(t.Context(), id))
		memory.Flush()
		n.another(t, memory)
		time.Sleep(attemptEvery)
		must(t, n.Within(allowance).Revoke(t.Context(), id))
		allowance.want(t, 1, 1)
	})
}
