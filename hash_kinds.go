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

// Unknown names take as long as known ones, some as long as each kind of hash that
// there is. But where few have a kind, so do few of all the names that a stranger can
// think of: a name that takes that long is most likely one of the few.

// hashKinds warns of them for a server. Its sources may all be of one kind, and differ.
type hashKinds struct {
	logger         *zap.Logger
	users, clients func() []*password.Mix
	unwatch        func()

	mu     sync.Mutex
	warned map[string]string // who → the kinds
}

// watchHashKinds warns now, and whenever a file changes until it is closed.
func watchHashKinds(logger *zap.Logger, users, clients func() []*password.Mix) *hashKinds {
	k := &hashKinds{logger: logger, users: users, clients: clients, warned: make(map[string]string)}
	k.unwatch = watchFiles(k.warn) // whichever file: one of another server has nothing new to say
	k.warn()
	return k
}

func (k *hashKinds) close() { k.unwatch() }

// warn says which kinds of hashes there are if there are several, unless it has said
// the same before.
func (k *hashKinds) warn() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.warnOf("users", "passwords", k.users())
	k.warnOf("clients", "secrets", k.clients())
}

func (k *hashKinds) warnOf(who, what string, mixes []*password.Mix) {
	kinds := countKinds(mixes)
	if kinds == k.warned[who] {
		return
	}
	k.warned[who] = kinds
	if kinds != "" {
		k.logger.Warn(what+" take different times to check", zap.String("of", who), zap.String("kinds", kinds),
			zap.String("advice", "how long a wrong one takes tells a stranger which kind it is, and a name of a rare kind most likely exists: "+
				"make new hashes until all are of one kind"))
	}
}

// countKinds is how many hashes there are of each kind, the most frequent first, or ""
// if there is one kind only.
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
