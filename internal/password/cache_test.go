package password

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"
)

func TestAMatchIsRememberedForItsTimeHoweverOftenItIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache()
		c.setTTL(time.Minute)
		d := attemptDigest{1}
		if c.has(d) {
			t.Error("it is there before")
		}
		c.add(d)
		for range 59 {
			time.Sleep(time.Second)
			if !c.has(d) || c.has(attemptDigest{2}) {
				t.Fatal("it is not there, or another is")
			}
		}
		time.Sleep(time.Second - 1)
		if !c.has(d) {
			t.Error("it is forgotten a nanosecond too early")
		}
		time.Sleep(time.Nanosecond)
		if c.has(d) || c.matched.Len() != 0 {
			t.Error("it is not forgotten after its minute")
		}
		c.add(d)
		time.Sleep(50 * time.Second)
		c.add(d) // compared again
		time.Sleep(59 * time.Second)
		if !c.has(d) || c.matched.Len() != 1 {
			t.Error("another match does not count anew")
		}
	})
}

func TestACacheThatIsOffRemembersNothing(t *testing.T) {
	c := newCache()
	c.add(attemptDigest{1})
	if c.has(attemptDigest{1}) || c.matched.Len() != 0 {
		t.Error("off is not the default")
	}
	c.setTTL(time.Hour)
	for i := range byte(10) {
		c.add(attemptDigest{i})
	}
	c.setTTL(0)
	if c.matched.Len() != 0 {
		t.Error("off does not drop what was there")
	}
	c.add(attemptDigest{1})
	c.setTTL(time.Hour)
	if c.has(attemptDigest{1}) {
		t.Error("what came while it was off is there")
	}
}

func TestAShorterTimeAppliesToWhatIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache()
		c.setTTL(time.Hour)
		c.add(attemptDigest{1})
		time.Sleep(time.Minute)
		c.setTTL(2 * time.Minute)
		if !c.has(attemptDigest{1}) {
			t.Error("forgotten by a change of the time")
		}
		c.setTTL(time.Minute)
		if c.has(attemptDigest{1}) {
			t.Error("still there for as long as it was told before")
		}
	})
}

func TestAFullCacheForgetsWhatWasNotUsedForLongest(t *testing.T) {
	c := newCache()
	c.setTTL(time.Hour)
	nth := func(i int) (d attemptDigest) {
		binary.BigEndian.PutUint64(d[:], uint64(i))
		return d
	}
	for i := range maxCached {
		c.add(nth(i))
	}
	if !c.has(nth(0)) || !c.has(nth(maxCached-1)) {
		t.Fatal("it has no place for as many as it should")
	}
	for i := range 100 {
		c.add(nth(maxCached + i))
	}
	if c.matched.Len() != maxCached {
		t.Errorf("%d entries, want %d", c.matched.Len(), maxCached)
	}
	if !c.has(nth(0)) {
		t.Error("an entry that was just used is forgotten")
	}
	for i := 1; i <= 100; i++ {
		if c.has(nth(i)) {
			t.Fatalf("number %d is still there", i)
		}
	}
	if !c.has(nth(101)) || !c.has(nth(maxCached+99)) {
		t.Error("more is forgotten than has to be")
	}
}
