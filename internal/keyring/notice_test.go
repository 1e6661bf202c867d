package keyring

import (
	"slices"
	"testing"
	"time"
)

// The owner of the store is told what was generated, and not what was read.
func TestNoticeOfWhatIsGenerated(t *testing.T) {
	t.Cleanup(func() { now = time.Now })
	clock := time.Now()
	now = func() time.Time { return clock }
	_, storage := newStore(t)
	var got []string
	node := func(name string) *Store {
		return NewStore(storage, testPrefix).WithNotice(func(key *Key, first bool) {
			what := name + " secret"
			if key != nil {
				what = name + " " + string(key.Algorithm())
			}
			if first {
				what += " first"
			}
			got = append(got, what)
		})
	}
	a, b := node("a"), node("b")
	step := func(s *Store) {
		t.Helper()
		if _, err := s.ensureSecret(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ensureKey(t.Context(), "EdDSA", time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	step(a)
	step(b)
	clock = clock.Add(2 * time.Hour)
	step(b)
	step(a)
	if want := []string{"a secret first", "a EdDSA first", "b EdDSA"}; !slices.Equal(got, want) {
		t.Errorf("told of %q, want %q", got, want)
	}
}
