package throttle

import "testing"

// An account that is looked up in a database is counted before it is known what the
// secret is compared with.
func TestAWrongSecretIsRecognizedAfterItWasReserved(t *testing.T) {
	w := newWorld(t, Limits{})
	full := guess(from("192.0.2.1", "alice"), "typo")
	blank := full
	blank.Fingerprint = Fingerprint{}

	first := w.reserve(blank)
	if first.Recognize(full.Fingerprint, Fingerprint{}) {
		t.Fatal("it was not wrong before")
	}
	first.Fail()
	for range 10 {
		again := w.reserve(blank)
		if !again.Recognize(full.Fingerprint, Fingerprint{}) || !again.Repeated() || !again.Recognize(full.Fingerprint, Fingerprint{}) {
			t.Fatal("it is not recognized")
		}
		again.Fail() // counts nothing
	}
	if !w.again(full) {
		t.Error("it is not remembered like an attempt that was reserved with its fingerprint")
	}
	for _, limit := range []*table{w.pairs, w.accounts, w.addresses} {
		for _, e := range limit.entries[1:] {
			if e.failures != 1 || e.inFlight != 0 {
				t.Errorf("%+v", e.counter)
			}
		}
	}
	if w.inFlight.Len() != 0 || len(w.guesses) != 0 {
		t.Error("something is in flight")
	}
}

func TestAGuessThatIsRecognizedLeavesTheOthersInFlight(t *testing.T) {
	w := newWorld(t, Limits{})
	full := guess(from("192.0.2.1", "alice"), "typo")
	w.fails(1, full)
	blank := full
	blank.Fingerprint = Fingerprint{}
	one, two := w.reserve(blank), w.reserve(blank)
	if !one.Recognize(full.Fingerprint, Fingerprint{}) || w.inFlight.Len() != 1 {
		t.Errorf("%d in flight", w.inFlight.Len())
	}
	two.Fail()
	if w.inFlight.Len() != 0 {
		t.Error("something is in flight")
	}
}
