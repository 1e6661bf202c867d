package password

import (
	"testing"
	"time"
)

// A secret that can be read in two ways is right if either reading is, and is
// remembered by that reading: the other reading alone was never right.
func TestTwoReadingsAreOneAttempt(t *testing.T) {
	v := newTestVerifier(time.Minute)
	bcrypt := hashed(t, horse)
	digest := Digest(testKey, horse)
	mix := new(Mix)
	mix.Add(bcrypt.Params())
	decoy := Decoy(testKey, "nobody", mix)
	for _, test := range []struct {
		name          string
		first, second Hash
		one, two      string
		matches, or   bool
	}{
		{"the first is right", bcrypt, bcrypt, horse, "b", true, false},
		{"the second is right", bcrypt, bcrypt, "a", horse, true, true},
		{"neither is", bcrypt, bcrypt, "a", "b", false, false},
		{"the second belongs to another name", decoy, bcrypt, horse, horse, true, true},
		{"the first is a name, the second none", bcrypt, decoy, "a", horse, false, false},
		{"digests: the first is right", digest, digest, horse, "b", true, false},
		{"digests: the second is right", digest, digest, "a", horse, true, true},
		{"digests: neither is", digest, digest, "a", "b", false, false},
		{"a digest that is right, and a hash", digest, bcrypt, horse, "b", true, false},
		{"a hash, and a digest that is right", bcrypt, digest, "a", horse, true, true},
		{"a digest, and a hash that is right", digest, bcrypt, "a", horse, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			or := Attempt{Kind: "client", Name: test.name + "2", Hash: test.second, Password: test.two, Keep: true}
			a := Attempt{Kind: "client", Name: test.name, Hash: test.first, Password: test.one, Keep: true, Or: &or}
			for range 2 {
				r, err := v.Verify(t.Context(), a)
				if err != nil || r.Matches != test.matches || r.Or != test.or {
					t.Fatalf("%+v, %v", r, err)
				}
			}
			// what matched is remembered alone, and the other reading is not
			a.Or = nil
			for _, single := range []Attempt{a, or} {
				right := test.matches && (single.Name == or.Name) == test.or
				if r, known := v.AtOnce(single); r.Matches != right || known != (right || single.Hash.Params().Cheap()) {
					t.Errorf("%s alone: %+v, known %t", single.Name, r, known)
				}
			}
			idle(t, v.gate)
		})
	}
}

// A user who must not be let in by a match is not let in by the other reading's memory
// either.
func TestAReadingThatDoesNotCountIsNotRemembered(t *testing.T) {
	v := newTestVerifier(time.Minute)
	or := Attempt{Kind: "client", Name: "web", Hash: hashed(t, horse), Password: horse}
	a := Attempt{Kind: "client", Name: "web", Hash: or.Hash, Password: "a", Keep: true, Or: &or}
	if r, err := v.Verify(t.Context(), a); err != nil || !r.Matches || v.cache.matched.Len() != 0 {
		t.Errorf("%+v, %v, %d remembered", r, err, v.cache.matched.Len())
	}
}

// Attempts share a hash only if both of their readings are the same.
func TestReadingsMakeAnotherDigest(t *testing.T) {
	v := newTestVerifier(time.Minute)
	h := hashed(t, horse)
	attempt := func(one, two string) Attempt {
		return Attempt{Kind: "client", Name: "web", Hash: h, Password: one, Or: &Attempt{Kind: "client", Name: "web", Hash: h, Password: two}}
	}
	seen := map[attemptDigest]bool{v.digest(Attempt{Kind: "client", Name: "web", Hash: h, Password: "a"}): true}
	for _, a := range []Attempt{attempt("a", "a"), attempt("a", "b"), attempt("b", "a"), attempt("ab", ""), attempt("", "ab")} {
		d := v.digest(a)
		if seen[d] {
			t.Errorf("%q and %q are another attempt", a.Password, a.Or.Password)
		}
		seen[d] = true
	}
}
