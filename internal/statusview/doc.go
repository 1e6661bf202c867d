// Package statusview is what an operator sees of one or several nodes at a glance: the
// state that the admin API tells, and the counters of the metrics with how fast they
// rise. `caddy grant top` and the status page show the same view.
package statusview

import (
	"context"
	"time"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

// Source is the admin endpoint of a node.
type Source interface {
	Servers(context.Context) ([]adminapi.Status, error)
	Get(ctx context.Context, path string) ([]byte, error)
}

// Target is a node to look at.
type Target struct {
	Address string // as the operator wrote it
	Source  Source
}

// View is what all nodes looked like. Every text in it is safe to print: see [Printable].
type View struct {
	Nodes []Node
}

// Node is a node, or why there is nothing to show of it.
type Node struct {
	Address string
	Asked   bool      // false until there is a first answer or error
	Error   string    // why it does not answer; the rest is then empty
	Last    time.Time // the last answer; zero: never
	Warning string    // why there are no counters
	Facts   []Fact    // of the process
	Servers []Server
}

// Server is an authorization server of a node.
type Server struct {
	Name    string
	Issuer  string
	Done    []Count // what was answered
	Refused []Count // what was not, as far as there is any; the latest first
	Facts   []Fact
}

// Count is a counter.
type Count struct {
	Label      string
	Known      bool    // whether there are two samples to compare
	PerSecond  float64 // between the last two samples
	LastMinute float64 // or since the first sample
	Total      float64 // since the process started
}

// Fact is a sentence about a state.
type Fact struct {
	Label string
	Text  string
	Level Level
}

// Level says how much a fact should stand out.
type Level int

const (
	Normal Level = iota
	Notice       // such as accounts that have to wait
	Bad          // something is broken
)

// Names are the names of all servers, in the order of their first node.
func (v View) Names() (names []string) {
	seen := make(map[string]bool)
	for _, node := range v.Nodes {
		for _, server := range node.Servers {
			if !seen[server.Name] {
				seen[server.Name] = true
				names = append(names, server.Name)
			}
		}
	}
	return names
}

// Problems is how many there are at all nodes.
func (v View) Problems() (n int) {
	for _, node := range v.Nodes {
		n += node.Problems()
	}
	return n
}

// Problems is 1 if the node does not answer, and else how many facts are bad.
func (n Node) Problems() int {
	if n.Error != "" {
		return 1
	}
	problems := bad(n.Facts)
	for _, server := range n.Servers {
		problems += bad(server.Facts)
	}
	return problems
}

// Broken are the facts that are bad, which are shown first.
func (s Server) Broken() []Fact { return s.only(true) }

// Sound are the others.
func (s Server) Sound() []Fact { return s.only(false) }

func (s Server) only(broken bool) (facts []Fact) {
	for _, fact := range s.Facts {
		if (fact.Level == Bad) == broken {
			facts = append(facts, fact)
		}
	}
	return facts
}

func bad(facts []Fact) (n int) {
	for _, fact := range facts {
		if fact.Level == Bad {
			n++
		}
	}
	return n
}
