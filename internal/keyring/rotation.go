package keyring

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"
)

const (
	// PublishFor is how long a new key is published before it signs: ten minutes for those who keep the key set as
	// long as they may, and time for every node to read the key from storage.
	PublishFor = 15 * time.Minute

	// keepRetired is how long a retired key stays in storage, for nodes whose clocks are behind.
	keepRetired = 24 * time.Hour
)

// InUse arranges generated keys for a ring: first the one that signs, then those that verify. It goes by what is
// stored and by the time alone, so that every node finds the same:
//
//   - the newest that was published for PublishFor signs, or the oldest as long as there is none;
//   - a key whose successor has signed for the lifetime of a token is retired: whatever it signed has expired.
//
// The keys are those of one algorithm, oldest first, as LoadKeys returns them.
func InUse(keys []GeneratedKey, lifetime time.Duration) []*Key {
	signer := signerIndex(keys)
	var out []*Key
	for i, k := range keys {
		if i == signer {
			out = slices.Insert(out, 0, k.Key)
		} else if !retired(keys, i, lifetime) {
			out = append(out, k.Key)
		}
	}
	return out
}

// DeleteRetired removes keys from storage that have been retired for a day. Several nodes may do so at once.
func (s *Store) DeleteRetired(ctx context.Context, a Algorithm, keys []GeneratedKey, lifetime time.Duration) error {
	for i, k := range keys {
		if !retired(keys, i, lifetime+keepRetired) {
			continue
		}
		name := path.Join(s.keyFolder(a), keyName(k.Key))
		if err := s.storage.Delete(ctx, name); err != nil {
			return fmt.Errorf("deleting retired signing key %s: %w", name, err)
		}
	}
	return nil
}

func signerIndex(keys []GeneratedKey) int {
	signer := 0
	for i := range keys {
		if i > 0 && !now().Before(signsFrom(keys[i])) {
			signer = i
		}
	}
	return signer
}

// retired tells whether the key after this one has signed for long enough.
func retired(keys []GeneratedKey, i int, lifetime time.Duration) bool {
	return i+1 < len(keys) && !now().Before(signsFrom(keys[i+1]).Add(lifetime))
}

func signsFrom(k GeneratedKey) time.Time { return time.Unix(k.created, 0).Add(PublishFor) }

// fresh tells whether there is a key that is new enough.
func fresh(keys []GeneratedKey, rotateEvery time.Duration) bool {
	if len(keys) == 0 {
		return false
	}
	newest := time.Unix(keys[len(keys)-1].created, 0)
	return rotateEvery == 0 || now().Before(newest.Add(rotateEvery))
}
