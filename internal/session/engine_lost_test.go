package session

import (
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

func TestAnEngineThatLostEverythingServesNothingUntilItIsOpenedAnewAndThenNothingOfBefore(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, memory := engines()
		n := newEngineNode(t, storage, memory, false)
		spent, revoked, fresh := n.began(t), n.began(t), n.began(t)
		n.wantRotated(t, spent, 0, 0, 1)
		must(t, n.Revoke(t.Context(), revoked))
		must(t, n.Poll(t.Context()))
		other := n.another(t, memory)
		must(t, other.Poll(t.Context()))

		memory.Flush()
		for _, id := range []ID{spent, fresh} {
			for _, n := range []*engineNode{n, other} {
				for generation := range uint64(3) {
					_, err := n.Rotate(t.Context(), id, generation, time.Hour, true)
					wantUnavailable(t, err)
				}
				_, err := n.Revoked(t.Context(), id)
				wantUnavailable(t, err)
			}
		}
		wantUnavailable(t, other.Poll(t.Context()))
		time.Sleep(epochFor)
		_, err := n.KeepEpochs(t.Context())
		wantUnavailable(t, err)

		again := n.another(t, memory) // a restart, or a reload
		for _, n := range []*engineNode{again, n, other} {
			for _, id := range []ID{spent, fresh} {
				for generation := range uint64(3) {
					n.wantRefused(t, id, generation, time.Hour, ErrOver)
				}
				if revoked, err := n.Revoked(t.Context(), id); !revoked || err != nil {
					t.Errorf("revoked %v, error %v", revoked, err)
				}
			}
			_ = n.Poll(t.Context())
			must(t, n.Poll(t.Context()))
			if revoked, err := n.IsRevoked(t.Context(), fresh, time.Second); !revoked || err != nil {
				t.Errorf("an access token: revoked %v, error %v", revoked, err)
			}
		}
		if renewed, err := n.KeepEpochs(t.Context()); err != nil || len(renewed) != 1 {
			t.Errorf("renewed %v, error %v", renewed, err)
		}
		n.wantRotated(t, n.began(t), 0, 0, 1)
		if n.began(t).engine != again.began(t).engine {
			t.Error("nodes begin sessions in different epochs")
		}
	})
}

func TestANodeTellsThatAnEngineHasANewEpoch(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, memory := engines()
		n := newEngineNode(t, storage, memory, false)
		memory.Flush()
		again := n.another(t, memory)
		if renewed, err := n.KeepEpochs(t.Context()); err != nil || len(renewed) > 0 {
			t.Errorf("renewed %v at once, error %v", renewed, err)
		}
		time.Sleep(epochFor)
		if renewed, err := n.KeepEpochs(t.Context()); err != nil || len(renewed) != 1 || renewed[0].Engine != "memory" {
			t.Errorf("renewed %v, error %v", renewed, err)
		}
		if n.began(t).engine != again.began(t).engine {
			t.Error("nodes begin sessions in different epochs")
		}
	})
}

func TestASessionThatAFailOverTookBackEndsWithItsNextUse(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, memory := engines()
		n := newEngineNode(t, storage, memory, false)
		id := n.began(t)
		n.wantRotated(t, id, 0, 0, 1)
		replica := memory.Snapshot()
		n.wantRotated(t, id, 1, 0, 2)
		n.wantRotated(t, id, 2, 0, 3)
		memory.FailOver(replica)
		n.wantRefused(t, id, 3, 0, ErrAhead)
		must(t, n.RevokeLost(t.Context(), id, 3))
		for generation := range uint64(5) {
			n.another(t, memory).wantRefused(t, id, generation, time.Hour, ErrRevoked)
		}
	})
}

func TestADamagedRecordOfAnEngineEndsItsSession(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, memory := engines()
		n := newEngineNode(t, storage, memory, false)
		id := n.began(t)
		n.wantRotated(t, id, 0, 0, 1)
		memory.Damage(testServer, id.inEngine())
		n.wantRefused(t, id, 1, 0, ErrDamaged)
		if revoked, err := n.Revoked(t.Context(), id); !revoked || err != nil {
			t.Errorf("revoked %v, error %v", revoked, err)
		}
		must(t, n.RevokeLost(t.Context(), id, 1))
		n.another(t, memory).wantRefused(t, id, 1, 0, ErrRevoked)
	})
}

func TestAnEngineThatAReloadOpensAnewIsAskedForItsEpochAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, memory := engines()
		n := newEngineNode(t, storage, memory, false)
		spent := n.began(t)
		n.wantRotated(t, spent, 0, 0, 1)
		memory.Flush()
		reloaded := &engineNode{node: &node{memory: n.memory, storage: n.storage}, engine: memory.Open(testServer)}
		reloaded.Store = NewStore(n.storage, testPrefix, n.memory, time.Now).
			WithEngines(Engines{New: "memory", All: map[string]sessions.Engine{"memory": reloaded.engine}})
		if renewed, err := reloaded.KeepEpochs(t.Context()); err != nil || len(renewed) != 1 {
			t.Fatalf("renewed %v, error %v", renewed, err)
		}
		reloaded.wantRefused(t, spent, 0, 0, ErrOver)
		reloaded.wantRotated(t, reloaded.began(t), 0, 0, 1)
	})
}

func TestARevocationThatAFailOverTookBackIsMadeAgainWhenItIsRepeated(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, memory := engines()
		n := newEngineNode(t, storage, memory, false)
		id := n.began(t)
		replica := memory.Snapshot()
		must(t, n.Revoke(t.Context(), id))
		memory.FailOver(replica)
		must(t, n.Revoke(t.Context(), id))
		n.another(t, memory).wantRefused(t, id, 0, 0, ErrRevoked)
		memory.Stop()
		must(t, n.Revoke(t.Context(), id)) // which this process knows
	})
}
