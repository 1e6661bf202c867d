package directory

import (
	"context"
	"fmt"
	"sync"

	"github.com/caddygrant/caddy-grant/internal/password"
)

// costs is what checking the passwords of a source costs, as far as it is known: by the
// samples that the source gave, or else by the users and clients that it returned. An
// unknown name has to take as long as those.
type costs struct {
	mu       sync.Mutex
	sampled  bool   // by DecoyHashes: what is returned does not count
	complete bool   // all were noted
	most     uint64 // memory of a comparison, in bytes
	of       map[string]password.Params
	counts   map[password.Params]int
	mix      *password.Mix   // of counts; nil if it has to be made again
	own      map[string]bool // those that the source checks itself
}

func newCosts() *costs {
	return &costs{of: make(map[string]password.Params), counts: make(map[password.Params]int), own: make(map[string]bool)}
}

// sample takes the hashes that stand for those of a source, which says nothing if it
// has none. The errors name the source, and hold no hash.
func (c *costs) sample(ctx context.Context, b *bound, source Hashed, options Options) error {
	sampled, err := call(ctx, b, func(ctx context.Context) ([]password.Params, error) {
		var sampled []password.Params
		for text := range source.DecoyHashes() {
			hash, err := password.Parse(text, options.AllowWeakHashes)
			if err != nil {
				return nil, fmt.Errorf("a hash for decoys: %w", err)
			}
			if sampled = append(sampled, hash.Params()); len(sampled) == maxCounted {
				break
			}
		}
		return sampled, nil
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sampled = len(sampled) > 0
	for _, params := range sampled {
		c.counts[params]++
	}
	return nil
}

// setComplete says whether all users or clients of the source were counted.
func (c *costs) setComplete(complete bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.complete = complete
}

// isComplete tells whether all users or clients of the source were counted, and
// counting did not stop before.
func (c *costs) isComplete() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.complete && len(c.own) < maxCounted
}

// note counts a user, instead of what was counted for the same user before.
func (c *costs) note(u *User) {
	if u.PasswordHash == "" {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.own) < maxCounted {
			c.own[u.Subject()] = true
		}
		return
	}
	if hash, err := password.Parse(u.PasswordHash, true); err == nil {
		c.noteHash(u.Subject(), hash.Params())
	}
}

// noteHash is note by key.
func (c *costs) noteHash(key string, params password.Params) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.most = max(c.most, params.Memory())
	before, there := c.of[key]
	if c.sampled || there && before == params || !there && len(c.of) >= maxCounted {
		return
	}
	if there {
		if c.counts[before]--; c.counts[before] == 0 {
			delete(c.counts, before)
		}
	}
	delete(c.own, key)
	c.of[key] = params
	c.counts[params]++
	c.mix = nil
}

// hashes is the counts as a mix, which is not changed once it is handed out.
func (c *costs) hashes() *password.Mix {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mix == nil {
		c.mix = new(password.Mix)
		for params, n := range c.counts {
			for range n {
				c.mix.Add(params)
			}
		}
	}
	return c.mix
}

// checked is how many the source checks itself: at least one, if all that is known is
// that it does.
func (c *costs) checked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(1, len(c.own))
}

// largest is the most memory that a comparison takes, in bytes.
func (c *costs) largest() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.complete {
		return max(c.most, largestHash)
	}
	return c.most
}

func largestOf(mix *password.Mix) uint64 {
	var most uint64
	for params := range mix.All() {
		most = max(most, params.Memory())
	}
	return most
}

const (
	// maxCounted is how many users or samples of a source are counted: enough for the
	// proportions.
	maxCounted = 10_000

	// largestHash is what the largest hash that is allowed takes, in bytes.
	largestHash = 256 << 20
)
