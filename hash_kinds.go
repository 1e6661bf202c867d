package caddygrant

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/password"
)

// Unknown names take as long as known ones, some as long as each kind of hash that there is.
// But where few have a kind, so do few of all the names that a stranger can think of: a name
// that takes that long is most likely one of the few.

// hashKinds is what a server has warned of. Its sources may all be of one kind, and differ.
type hashKinds struct {
	mu     sync.Mutex
	warned map[string]string // who → the kinds
}

// warnOfHashKinds says which kinds of hashes there are if there are several, unless it has
// said the same before.
func (s *Server) warnOfHashKinds() {
	s.hashKinds.mu.Lock()
	defer s.hashKinds.mu.Unlock()
	s.warnOfKinds("users", "passwords", s.users.Hashes())
	s.warnOfKinds("clients", "secrets", s.clients.Hashes())
}

func (s *Server) warnOfKinds(who, what string, mixes []*password.Mix) {
	kinds := countKinds(mixes)
	if kinds == s.hashKinds.warned[who] {
		return
	}
	if s.hashKinds.warned == nil {
		s.hashKinds.warned = make(map[string]string)
	}
	s.hashKinds.warned[who] = kinds
	if kinds != "" {
		s.logger.Warn(what+" take different times to check", zap.String("of", who), zap.String("kinds", kinds),
			zap.String("advice", "how long a wrong one takes tells a stranger which kind it is, and a name of a rare kind most likely exists: "+
				"make new hashes until all are of one kind"))
	}
}

// countKinds is how many hashes there are of each kind, the most frequent first, or "" if
// there is one kind only.
func countKinds(mixes []*password.Mix) string {
	counts := make(map[string]int)
	for _, mix := range mixes {
		for params, n := range mix.All() {
			counts[params.Kind()] += n
		}
	}
	if len(counts) < 2 {
		return ""
	}
	kinds := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	for i, kind := range kinds {
		kinds[i] = fmt.Sprintf("%s: %d", kind, counts[kind])
	}
	return strings.Join(kinds, ", ")
}

// kindWatchers are the servers that look again when a followed file has changed.
var kindWatchers = struct {
	sync.Mutex
	servers map[*Server]struct{}
}{servers: make(map[*Server]struct{})}

// watchHashKinds warns now, and whenever a file changes until unwatchHashKinds is called.
func (s *Server) watchHashKinds() {
	kindWatchers.Lock()
	defer kindWatchers.Unlock()
	kindWatchers.servers[s] = struct{}{}
	s.warnOfHashKinds()
}

func (s *Server) unwatchHashKinds() {
	kindWatchers.Lock()
	defer kindWatchers.Unlock()
	delete(kindWatchers.servers, s)
}

// lookAtHashKinds is for a file whose new version has become active, whichever servers read
// it: those that do not have nothing new to say.
func lookAtHashKinds() {
	kindWatchers.Lock()
	defer kindWatchers.Unlock()
	for s := range kindWatchers.servers {
		s.warnOfHashKinds()
	}
}
