package directory

import (
	"context"
	"errors"
	"iter"
	"sync"

	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/password"
)

// survey is what a source that has to be asked says of all its entries when a config is
// loaded, if it can list them.
type survey[T any] struct {
	entries []*T // admitted, without what is not needed
	refused int
	reason  error // why the first of them is refused
	end     error // why it ended before all were listed
}

// list goes through all entries of a source, for as long as a look-up may take. What
// came before it ended counts.
func list[T any](ctx context.Context, b *bound, all func(context.Context) iter.Seq2[*T, error], admit func(*T) (*T, error), slim func(*T) *T) survey[T] {
	var mu sync.Mutex // a source that does not heed its context goes on
	var s survey[T]
	_, err := call(ctx, b, func(ctx context.Context) (struct{}, error) {
		for raw, err := range all(ctx) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return struct{}{}, err
			}
			if raw == nil {
				continue
			}
			entry, err := admit(raw)
			mu.Lock()
			s.add(entry, err, slim)
			mu.Unlock()
		}
		return struct{}{}, ctx.Err() // it may end early without an error
	})
	mu.Lock()
	defer mu.Unlock()
	listed := s
	listed.end = err
	return listed
}

// add takes in an entry, or why it is refused.
func (s *survey[T]) add(entry *T, err error, slim func(*T) *T) {
	if err == nil {
		s.entries = append(s.entries, slim(entry))
		return
	}
	if s.refused++; s.refused == 1 {
		s.reason = err
	}
}

// log says what is wrong with a source that was listed.
func (s survey[T]) log(logger *zap.Logger, source, what string) {
	if s.end != nil {
		logger.Warn("a source could not be listed to its end: what is wrong with its "+what+" is found when they are looked up",
			zap.String("source", source), zap.Error(s.end))
	}
	if s.refused > 0 {
		logger.Error(what+" of a source are refused with 503", zap.String("source", source),
			zap.Int("count", s.refused), zap.NamedError("first", s.reason))
	}
}

// surveyUsers looks at the sources that have to be asked, as far as they tell of
// themselves. It is an error if one does not tell its hashes for decoys, or they cannot
// be parsed.
func surveyUsers(ctx context.Context, d *UserDirectory) error {
	seen := surveyed{owners: make(map[string]int), names: make(map[string]int)}
	for i, source := range d.sources {
		if source.live == nil {
			continue
		}
		calls := source.bounds.on("survey")
		if hashed, ok := source.Users.(Hashed); ok {
			if err := source.live.costs.sample(ctx, calls, hashed, d.settings.Options); err != nil {
				return err
			}
		}
		lister, ok := source.Users.(Lister)
		if !ok {
			continue
		}
		listed := list(ctx, calls, lister.All, source.live.bySubject.admit, func(u *User) *User {
			return &User{Username: u.Username, ID: u.ID, PasswordHash: u.PasswordHash}
		})
		if errors.Is(listed.end, errors.ErrUnsupported) {
			continue
		}
		listed.log(d.settings.Logger, source.name, "users")
		source.live.costs.setComplete(listed.end == nil)
		advice := make(HashAdvice)
		for n, user := range listed.entries {
			if hash, err := password.Parse(user.PasswordHash, true); err == nil {
				advice.add(hash.Params(), n+1)
			}
			owner, owned := seen.owners[user.Subject()]
			if !owned {
				seen.owners[user.Subject()] = i
			}
			if _, there := seen.names[user.Username]; !there {
				seen.names[user.Username] = i
			}
			if seen.hides(user, i, d) {
				continue
			}
			if owned {
				d.logClash(duplicate(user, source, d.sources[owner]))
			}
			if owner := d.ownerInMemory(user, i); owner != nil {
				d.logClash(duplicate(user, source, owner))
			}
		}
		advice.Log(d.settings.Logger.With(zap.String("source", source.name)), "entries")
	}
	surveyMemory(d, seen)
	return nil
}

// surveyed is the first source, by its index, that listed a subject or a name.
type surveyed struct {
	owners, names map[string]int
}

// hides tells whether a source before index i has a user of that name.
func (s surveyed) hides(user *User, i int, d *UserDirectory) bool {
	first, there := s.names[user.Username]
	return there && first < i || d.hiddenInMemory(user, i)
}

// surveyMemory finds users in memory whose subject was listed by an earlier source.
func surveyMemory(d *UserDirectory, seen surveyed) {
	if len(seen.owners) == 0 {
		return
	}
	for i, source := range d.sources {
		if source.memory == nil {
			continue
		}
		set, _ := source.snapshot()
		for _, user := range set.users {
			owner, there := seen.owners[user.Subject()]
			if there && owner < i && !seen.hides(user, i, d) {
				d.logClash(duplicate(user, source, d.sources[owner]))
			}
		}
	}
}

// surveyClients is the same for clients.
func surveyClients(ctx context.Context, d *ClientDirectory) error {
	for _, source := range d.sources {
		if source.live == nil {
			continue
		}
		calls := source.bounds.on("survey")
		if hashed, ok := source.Clients.(Hashed); ok {
			if err := source.live.costs.sample(ctx, calls, hashed, d.settings.Options); err != nil {
				return err
			}
		}
		lister, ok := source.Clients.(ClientLister)
		if !ok {
			continue
		}
		listed := list(ctx, calls, lister.All, source.live.byID.admit, func(c *Client) *Client {
			return &Client{Public: c.Public, hash: c.hash}
		})
		if errors.Is(listed.end, errors.ErrUnsupported) {
			continue
		}
		listed.log(d.settings.Logger, source.name, "clients")
		source.live.costs.setComplete(listed.end == nil)
		advice := make(HashAdvice)
		for n, client := range listed.entries {
			if !client.Public {
				advice.add(client.hash.Params(), n+1)
			}
		}
		advice.Log(d.settings.Logger.With(zap.String("source", source.name)), "entries")
	}
	return nil
}
