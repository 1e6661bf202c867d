package keyring

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"
)

// maxAtOnce is how many keys of an algorithm may be in use for one more to be made by
// hand: tokens that live for months would otherwise keep any number of keys.
const maxAtOnce = 50

// ErrNotGenerated says that the key that signs is not generated.
var ErrNotGenerated = errors.New("the signing key is not generated, it is in the config: list the next key second there, after 15 minutes first, and alone when the last token of the previous one has expired")

// NotNowError says why no key is made, although storage answers.
type NotNowError struct{ reason string }

func (e *NotNowError) Error() string { return e.reason }

// RotateNow makes the next key of each algorithm that is generated, as a rotation that
// is due does, with the same stages: the key is published for publishFor, so that
// verifiers with a cached key set have it, then signs; the key before it verifies until
// its last token has expired, and retires. Other nodes publish it within FollowEvery.
// RotateEvery does not matter.
//
// It returns the keys that it made. Where a key is published already and waits to sign,
// none is made: another call, or another node, has begun the same rotation. On an error
// tokens are signed and verified as before. A key may have been made nevertheless, if
// storage did not answer; a further call finds it. The error is ErrNotGenerated or a
// *NotNowError, or storage is to blame.
//
// A key that has leaked verifies forged tokens until it retires. To end that at once,
// call RotateNow, then delete the object of the leaked key from storage, see
// [Stage.Object]: within FollowEvery the new key signs on every node, and no token of
// the old one is valid. Verifiers with a cached key set refuse the new tokens until they
// fetch it again. There is no call for this, which by mistake would end every access
// token: a leaked key has to be taken out of storage and its backups in any case.
func (f *Follower) RotateNow(ctx context.Context) (made []*Key, err error) {
	if len(f.options.Algorithms) == 0 {
		return nil, ErrNotGenerated
	}
	err = f.inTurn(ctx, func(ctx context.Context) error {
		_, known := f.options.Memory.known()
		noSecret := func(context.Context) (*Secret, error) { return nil, nil } // the known one stays
		return f.update(ctx, noSecret, func(ctx context.Context, a Algorithm) ([]generatedKey, error) {
			keys, next, err := f.options.Store.rotateKey(ctx, a, known[a], f.options.Lifetime())
			if next != nil {
				made = append(made, next)
			}
			return keys, err
		})
	})
	return made, err
}

// rotateKey is ensureKey for a rotation before its time. The keys that are known must
// be there, so that a storage that has lost some does not get another.
func (s *Store) rotateKey(ctx context.Context, a Algorithm, known []generatedKey, lifetime time.Duration) ([]generatedKey, *Key, error) {
	if len(known) == 0 {
		return nil, nil, &NotNowError{fmt.Sprintf("the signing key for %s has not been read from storage yet: try again when the log has no more errors of it", a)}
	}
	load := func(ctx context.Context) ([]generatedKey, error) { return s.keepKeys(ctx, a, known) }
	var notNow error
	keys, made, err := s.ensure(ctx, a, load, func(keys []generatedKey) bool {
		newest, at := keys[len(keys)-1], now()
		switch ahead := time.Unix(newest.created, 0).Sub(at); {
		case ahead > handover:
			notNow = &NotNowError{fmt.Sprintf(
				"signing key %s was made by a clock that is %s ahead: set the clocks, then delete the key's object %s from storage",
				newest.id, ahead.Round(time.Second), path.Join(s.keyFolder(a), keyName(newest.Key)))}
		case nextWaits(keys, at):
			notNow = nil
		case len(inUse(keys, lifetime)) >= maxAtOnce:
			notNow = &NotNowError{fmt.Sprintf("%d signing keys for %s are in use, since their tokens have not expired: wait for some to retire", maxAtOnce, a)}
		default:
			notNow = nil
			return false
		}
		return true
	})
	if err == nil {
		err = notNow
	}
	if err == nil && made != nil && !slices.ContainsFunc(keys, func(k generatedKey) bool { return k.id == made.id }) {
		err = fmt.Errorf("signing key %s was stored, but the storage does not list it: try again", made.id)
	}
	if err != nil {
		return nil, nil, err
	}
	return keys, made, nil
}
