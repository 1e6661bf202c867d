package session

import (
	"errors"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
)

// A volume that is not mounted any more looks like a storage in which nothing has happened
// yet: tokens that are spent would be good again, and revocations would go astray.
func TestAStorageWithoutItsWitnessIsNotBelieved(t *testing.T) {
	files := &certmagic.FileStorage{Path: t.TempDir()}
	elsewhere := &certmagic.FileStorage{Path: t.TempDir()}
	const witness = testPrefix + "/secret"
	if err := files.Store(t.Context(), witness, []byte("x")); err != nil {
		t.Fatal(err)
	}
	n := newNode(files)
	n.WithWitness(witness)
	id := NewID(time.Now().Add(time.Hour))
	if generation, err := n.Rotate(t.Context(), id, 0, 0, false); generation != 1 || err != nil {
		t.Fatalf("generation %d, %v", generation, err)
	}

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
	if left, _ := elsewhere.List(t.Context(), testPrefix, true); len(left) > 0 {
		t.Errorf("written there: %v", left)
	}

	n.storage.Storage = files
	if generation, err := n.Rotate(t.Context(), id, 1, 0, false); generation != 2 || err != nil {
		t.Errorf("when it is back: generation %d, %v", generation, err)
	}
}
