package session

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// endedKeys are the API keys that ended in this process, by their fingerprints. They are
// ended here at once, also across a reload, and elsewhere once storage has the notice.
type endedKeys struct {
	mu     sync.Mutex
	untold map[string]bool

	telling sync.Mutex // one at a time: notices have an order
}

// EndKey ends an API key in this process, for good. It returns false if the key has ended
// before. [Store.TellEndedKeys] tells the other nodes.
func (m *Memory) EndKey(fingerprint string) bool {
	if ended, _ := m.KeyEnded(fingerprint); ended {
		return false
	}
	m.endedKeys.mu.Lock()
	defer m.endedKeys.mu.Unlock()
	if m.endedKeys.untold[fingerprint] { // meanwhile
		return false
	}
	if m.endedKeys.untold == nil {
		m.endedKeys.untold = make(map[string]bool)
	}
	m.endedKeys.untold[fingerprint] = true
	return true
}

// untoldKeys are those of which storage has no notice yet.
func (m *Memory) untoldKeys() []string {
	m.endedKeys.mu.Lock()
	defer m.endedKeys.mu.Unlock()
	return slices.Sorted(maps.Keys(m.endedKeys.untold))
}

// isUntold tells whether a key ended here, and storage has no notice yet.
func (m *Memory) isUntold(fingerprint string) bool {
	m.endedKeys.mu.Lock()
	defer m.endedKeys.mu.Unlock()
	return m.endedKeys.untold[fingerprint]
}

// TellEndedKeys makes notices of the keys that ended in this process, one after the
// other. What fails is left for the next call.
func (s *Store) TellEndedKeys(ctx context.Context) error {
	s.memory.endedKeys.telling.Lock()
	defer s.memory.endedKeys.telling.Unlock()
	for _, of := range s.memory.untoldKeys() {
		if err := ctx.Err(); err != nil {
			return unavailable("storing that API keys have ended", err)
		}
		if _, err := s.Tell(ctx, EndKey, of); err != nil {
			return err
		}
		s.memory.endedKeys.mu.Lock()
		delete(s.memory.endedKeys.untold, of)
		s.memory.endedKeys.mu.Unlock()
	}
	return nil
}
