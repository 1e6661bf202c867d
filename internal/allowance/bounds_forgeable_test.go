package allowance

import "testing"

// What an app with a secret of HS256 signs uses up nothing of what the server's own tokens have.
func TestForgeableRevocationsAreAnAccountOfTheirOwn(t *testing.T) {
	bounds := NewBounds()
	forgeable := bounds.RevocationBy(Owner{Client: "web", Subject: "alice", Forgeable: true})
	own := bounds.RevocationBy(Owner{Client: "web", Subject: "alice"})
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
	if err := bounds.RevocationBy(Owner{Client: "web", Subject: "bob", Forgeable: true}).Take(); err != nil {
		t.Error(err)
	}
}
