package session

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A volume that is no longer mounted looks like a storage in which nothing has happened
// yet: tokens that are spent would be good again, and revocations would go astray.
func TestAStorageWithoutItsWitnessIsNotBelieved(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		mounted, elsewhere := newShelf(), newShelf()
		const witness = testPrefix + "/secret"
		must(t, mounted.Store(t.Context(), witness, []byte("x")))
		n := newNode(mounted)
		n.WithWitness(witness)
		id := NewID(time.Now().Add(time.Hour))
		n.wantRotated(t, id, 0, 0, 1)
		synctest.Wait()

		n.storage.Storage = elsewhere
		for name, err := range map[string]error{
			"Check":                        n.check(t.Context(), id, 0, 0),
			"Revoke":                       n.Revoke(t.Context(), id),
			"Rotate":                       func() error { _, err := n.Rotate(t.Context(), id, 0, 0, false); return err }(),
			"Rotate of a later generation": func() error { _, err := n.Rotate(t.Context(), id, 1, 0, false); return err }(),
			"Revoked":                      func() error { _, err := n.Revoked(t.Context(), id); return err }(),
		} {
			if !errors.Is(err, ErrUnavailable) {
				t.Errorf("%s: %v, want ErrUnavailable", name, err)
			}
		}
		if left := elsewhere.keys(""); len(left) > 0 {
			t.Errorf("written there: %v", left)
		}

		n.storage.Storage = mounted
		n.wantRotated(t, id, 1, 0, 2)
	})
}
