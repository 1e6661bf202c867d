package directory

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

// HashKinds warns of the kinds of hashes that a server has. Its sources may all be of
// one kind, and differ.
type HashKinds struct {
	logger  *zap.Logger
	users   *UserDirectory
	clients *ClientDirectory

	mu     sync.Mutex
	warned map[string]string // who → the kinds
}

// NewHashKinds returns what has not warned yet.
func NewHashKinds(logger *zap.Logger, users *UserDirectory, clients *ClientDirectory) *HashKinds {
	return &HashKinds{logger: logger, users: users, clients: clients, warned: make(map[string]string)}
}

// Warn says which kinds of hashes there are if there are several, unless it has said
// the same before.
func (k *HashKinds) Warn() {
	k.mu.Lock()
	defer k.mu.Unlock()
	users := countKinds(k.users.Hashes())
	for _, source := range k.users.sources {
		if n := source.checked(); n > 0 {
			users["checked by "+source.name] += n
		}
	}
	k.warnOf("users", "passwords", listKinds(users))
	k.warnOf("clients", "secrets", listKinds(countKinds(k.clients.Hashes())))
}

func (k *HashKinds) warnOf(who, what, kinds string) {
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

// countKinds is how many hashes there are of each kind.
func countKinds(mixes []*password.Mix) map[string]int {
	counts := make(map[string]int)
	for _, mix := range mixes {
		for params, n := range mix.All() {
			counts[params.Kind()] += n
		}
	}
	return counts
}

// listKinds names the kinds, the most frequent first, or is "" if there is one kind
// only.
func listKinds(counts map[string]int) string {
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
