package keyring

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"
)

const (
	// publishFor is how long a new key is published before it signs: ten minutes for
	// verifiers that cache the key set as long as allowed, and time for every node to
	// read the key from storage.
	publishFor = 15 * time.Minute

	// handover is how late a node may be to sign with the next key: nodes arrange their
	// keys every 20 seconds, later while storage is slow, and their clocks differ.
	handover = 5 * time.Minute

	// keepRetired is how long a retired key stays in storage. A node whose clock is
	// further ahead than that deletes keys with which other nodes still sign.
	keepRetired = 24 * time.Hour
)

// inUse arranges generated keys for a ring: first the one that signs, then those that
// verify, oldest first. It depends only on what is stored and on the time, so that
// every node finds the same:
//
//   - the newest key that was published for publishFor signs, or the oldest while there
//     is none;
//   - a key whose successor has signed for the lifetime of a token, and for the time
//     that nodes need to follow, is retired: whatever it signed has expired.
//
// The keys are those of one algorithm, oldest first, as loadKeys returns them. The
// lifetime is that of the longest-lived token. Making it shorter than that of tokens
// already signed ends such tokens when their key retires.
func inUse(keys []generatedKey, lifetime time.Duration) []*Key {
	if len(keys) == 0 {
		return nil
	}
	at := now()
	signer := signerIndex(keys, at)
	out := []*Key{keys[signer].Key}
	for i, k := range keys {
		if i != signer && !retired(keys, i, lifetime, at) {
			out = append(out, k.Key)
		}
	}
	return out
}

// deleteRetired removes keys from storage that have been retired for a day. Several
// nodes may do so at once.
func (s *Store) deleteRetired(ctx context.Context, a Algorithm, keys []generatedKey, lifetime time.Duration) error {
	at := now()
	for i, k := range keys {
		if !retired(keys, i, lifetime+keepRetired, at) {
			continue
		}
		name := path.Join(s.keyFolder(a), keyName(k.Key))
		err := s.storage.Delete(ctx, name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // some storages miss what another node has deleted
			return fmt.Errorf("deleting retired signing key %s: %w", name, err)
		}
	}
	return nil
}

// signerIndex finds the key that signs among at least one.
func signerIndex(keys []generatedKey, at time.Time) int {
	for i := len(keys) - 1; i > 0; i-- {
		if !at.Before(signsFrom(keys[i])) {
			return i
		}
	}
	return 0
}

// retired tells whether the next key has been able to sign for long enough.
func retired(keys []generatedKey, i int, lifetime time.Duration, at time.Time) bool {
	return i+1 < len(keys) && !at.Before(signsFrom(keys[i+1]).Add(handover+lifetime))
}

func signsFrom(k generatedKey) time.Time { return time.Unix(k.created, 0).Add(publishFor) }

// nextWaits tells whether a rotation has begun: the newest of at least one key does not
// sign yet.
func nextWaits(keys []generatedKey, at time.Time) bool {
	return len(keys) > 1 && at.Before(signsFrom(keys[len(keys)-1]))
}

// fresh tells whether there is a key that is new enough.
func fresh(keys []generatedKey, rotateEvery time.Duration) bool {
	if len(keys) == 0 {
		return false
	}
	newest := time.Unix(keys[len(keys)-1].created, 0)
	return rotateEvery <= 0 || now().Before(newest.Add(rotateEvery))
}
