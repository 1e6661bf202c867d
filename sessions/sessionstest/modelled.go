package sessionstest

import (
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/caddygrant/caddy-grant/sessions"
)

// modelled is what is known of a session from what its operations have returned.
type modelled struct {
	id         sessions.ID
	generation uint64 // the newest that was seen
	answer     string

	// swaps that have failed, and may yet take effect: the answers by the generation
	unknown map[uint64][]string

	winners map[uint64]string // the answers that have won
	back    bool              // a late write has taken it back, see Storage

	revoked, maybe bool // for certain, and perhaps
	announced      bool // Revoke has returned nil
}

// see takes in a state that was returned.
func (w *modelWorld) see(t *rapid.T, s *modelled, st sessions.State) {
	switch {
	case st.Over:
		t.Fatal("a session is over too soon")
	case st.Revoked && !s.maybe:
		t.Fatal("a session is revoked that was never revoked")
	case st.Revoked:
		s.revoked = true
		return
	case s.revoked:
		t.Fatalf("a revoked session is at %s", describe(st))
	case s.back:
		return
	}
	if !s.reaches(st) {
		if !w.Storage || !slices.Contains(s.unknown[st.Generation], st.Answer) {
			t.Fatalf("a session is at %s; it was at generation %d by %q, and these swaps may have taken effect since: %v", describe(st), s.generation, s.answer, s.unknown)
		}
		s.back = true
	}
	s.generation, s.answer = st.Generation, st.Answer
	if !w.Storage {
		maps.DeleteFunc(s.unknown, func(next uint64, _ []string) bool { return next <= st.Generation })
	}
}

// reaches tells whether the session can have come to a state by swaps that may have
// taken effect, each under its condition.
func (s *modelled) reaches(st sessions.State) bool {
	if st.Generation <= s.generation {
		return st.Generation == s.generation && st.Answer == s.answer
	}
	for next := s.generation + 1; next < st.Generation; next++ {
		if len(s.unknown[next]) == 0 {
			return false
		}
	}
	return slices.Contains(s.unknown[st.Generation], st.Answer)
}
