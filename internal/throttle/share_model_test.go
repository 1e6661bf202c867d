package throttle

import (
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// event is a failure of an account at a node.
type event struct {
	node *member
	name string
	id   int
}

type events map[event]bool

func (e events) any(is func(event) bool) bool {
	for one := range e {
		if is(one) {
			return true
		}
	}
	return false
}

// modelMember is what a node must know: sets of failures rather than numbers.
type modelMember struct {
	failed   events // of this node
	own      events // of these, not forgiven as far as it knows
	forgave  events // of others, by its own successes
	heard    map[*member]modelTold
	toldLast modelTold
}

type modelTold struct{ own, forgave events }

// seen are the failures of which a node knows.
func (m *modelMember) seen(name string) events {
	seen := maps.Clone(m.own)
	for _, told := range m.heard {
		maps.Copy(seen, told.own)
	}
	maps.DeleteFunc(seen, func(e event, _ bool) bool { return e.name != name })
	return seen
}

// counts are those of which it does not know that they are forgiven.
func (m *modelMember) counts(name string) events {
	counted := m.seen(name)
	maps.DeleteFunc(counted, func(e event, _ bool) bool {
		for _, told := range m.heard {
			if told.forgave[e] {
				return true
			}
		}
		return m.forgave[e]
	})
	return counted
}

// Each failure counts at every node that has heard of it until a success at a node that
// had heard of it, and never again after that.
func TestEachFailureIsForgivenByASuccessThatHasSeenIt(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := newServer(t, Limits{Failures: 10_000, AccountCeiling: 10_000}, 3)
		model := make(map[*member]*modelMember)
		for _, m := range s.nodes {
			model[m] = &modelMember{failed: make(events), own: make(events), forgave: make(events), heard: make(map[*member]modelTold)}
		}
		names := []string{"alice", "bob"}
		ids := 0
		node := rapid.SampledFrom(s.nodes)
		forgiven := make(events) // by a success that had seen them
		check := func() {
			for i, m := range s.nodes {
				for _, name := range names {
					most := model[m].counts(name)
					least := model[m].seen(name)
					maps.DeleteFunc(least, func(e event, _ bool) bool { return forgiven[e] })
					if got := m.counted(name); got < len(least) || got > len(most) {
						r.Fatalf("node %d counts %d failures of %s, want %d to %d", i, got, name, len(least), len(most))
					}
				}
			}
		}
		publish := func(m *member) {
			m.publish()
			model[m].toldLast = modelTold{maps.Clone(model[m].own), maps.Clone(model[m].forgave)}
		}
		hear := func(m, from *member) {
			m.hear(from)
			of := model[m]
			of.heard[from] = model[from].toldLast
			for e := range model[from].toldLast.forgave {
				delete(of.own, e)
			}
			for _, name := range names { // it is told no longer when its node tells none of it
				theirs := func(e event) bool { return e.node == from && e.name == name }
				if !of.forgave.any(func(e event) bool { return theirs(e) && of.heard[from].own[e] }) {
					maps.DeleteFunc(of.forgave, func(e event, _ bool) bool { return theirs(e) })
				}
			}
		}
		r.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) { check() },
			"fail": func(r *rapid.T) {
				m, name := node.Draw(r, "node"), rapid.SampledFrom(names).Draw(r, "name")
				ids++
				m.fails(1, from(nth(ids), name))
				model[m].failed[event{m, name, ids}] = true
				model[m].own[event{m, name, ids}] = true
			},
			"succeed": func(r *rapid.T) {
				m, name := node.Draw(r, "node"), rapid.SampledFrom(names).Draw(r, "name")
				m.succeeds(from("198.51.100.1", name))
				for e := range model[m].counts(name) {
					if e.node != m {
						model[m].forgave[e] = true // it is not told again what another node tells
					}
				}
				for e := range model[m].seen(name) {
					forgiven[e] = true
					delete(model[m].own, e)
				}
			},
			"publish": func(r *rapid.T) { publish(node.Draw(r, "node")) },
			"hear": func(r *rapid.T) {
				m, from := node.Draw(r, "node"), node.Draw(r, "from")
				if m != from {
					hear(m, from)
				}
			},
			"time passes": func(*rapid.T) { s.clock.pass(time.Second) },
		})
		for range 3 {
			for _, m := range s.nodes {
				publish(m)
			}
			for _, m := range s.nodes {
				for _, from := range s.nodes {
					if m != from {
						hear(m, from)
					}
				}
			}
			check()
		}
		for _, m := range s.nodes {
			for of, upTo := range m.shared.cleared {
				r.Fatalf("still told to be forgiven when all have heard of it: %+v up to %d", of, upTo)
			}
			for _, name := range names {
				want := 0
				for _, other := range s.nodes {
					for e := range model[other].failed {
						if e.name == name && !forgiven[e] {
							want++
						}
					}
				}
				if got := m.counted(name); got != want {
					r.Fatalf("when all have told each other everything, %d failures of %s count, want %d", got, name, want)
				}
			}
		}
	})
}
