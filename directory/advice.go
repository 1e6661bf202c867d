package directory

import (
	"maps"
	"slices"

	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/password"
)

// HashAdvice is the hashes of a source that should be replaced, by the reason.
type HashAdvice map[string]*advisedHashes

type advisedHashes struct {
	count int
	first []int // where they are: lines of a file, places in a list
}

// add takes in a hash, if it should be replaced.
func (a HashAdvice) add(params password.Params, at int) {
	reason := params.Advice()
	if reason == "" {
		return
	}
	if a[reason] == nil {
		a[reason] = new(advisedHashes)
	}
	if a[reason].count++; len(a[reason].first) < maxAdvised {
		a[reason].first = append(a[reason].first, at)
	}
}

// Log warns once for each reason. The places are called by what they are.
func (a HashAdvice) Log(logger *zap.Logger, places string) {
	for _, reason := range slices.Sorted(maps.Keys(a)) {
		logger.Warn("hashes that should be replaced",
			zap.Int("count", a[reason].count), zap.Ints(places, a[reason].first), zap.String("advice", reason))
	}
}

// maxAdvised is how many places are named: enough to find what the rest is like.
const maxAdvised = 10
