package caddygrant

import "testing"

// What an app with a secret of HS256 signs uses up nothing of what the server's own tokens have.
func TestForgeableRevocationsAreAnAccountOfTheirOwn(t *testing.T) {
	bounds := newStorageBounds()
	forgeable := bounds.revocationBy(sessionOwner{client: "web", subject: "alice", forgeable: true})
	own := bounds.revocationBy(sessionOwner{client: "web", subject: "alice"})
	taken := 0
	for forgeable.Take() == nil {
		taken++
	}
	if taken < maxWritesAtOnce {
		t.Errorf("%d were taken", taken)
	}
	if err := own.Take(); err != nil {
		t.Error(err)
	}
	if err := bounds.revocationBy(sessionOwner{client: "web", subject: "bob", forgeable: true}).Take(); err != nil {
		t.Error(err)
	}
}
