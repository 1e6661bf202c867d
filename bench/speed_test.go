package main

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEveryOtherPassGoesBackwards(t *testing.T) {
	var order strings.Builder
	do := func(name string) func() error {
		return func() error { order.WriteString(name); return nil }
	}
	for number := range 3 {
		if err := pass(number, do("a"), do("b"), do("c")); err != nil {
			t.Fatal(err)
		}
	}
	if got := order.String(); got != "abccbaabc" {
		t.Errorf("the order was %s", got)
	}
}

func TestAPassEndsWithTheFirstError(t *testing.T) {
	broken := errors.New("broken")
	err := pass(0, func() error { return broken }, func() error { t.Error("it went on"); return nil })
	if err != broken {
		t.Errorf("error %v", err)
	}
}

func TestSlotsHaveTurnsOfTwoKinds(t *testing.T) {
	for _, c := range []struct {
		slot, length  time.Duration
		slots, passes int
	}{
		{4 * time.Second, 250 * time.Millisecond, 1, 8},
		{4 * time.Second, time.Second, 1, 2},
		{4 * time.Second, time.Second, 3, 6},
		{time.Second, time.Second, 1, 1},
		{time.Second, time.Second, 3, 3},
	} {
		b := &bench{options: options{slot: c.slot}}
		if got := b.passes(c.length, c.slots); got != c.passes {
			t.Errorf("%d slots of %s have %d passes in turns of %s, want %d", c.slots, c.slot, got, c.length, c.passes)
		}
	}
}

// testReading is one in which a thousand answers came within a second.
func testReading(cpu, share float64) reading {
	o := outcome{Answers: []uint64{1000}, Seconds: 1, P50: time.Millisecond, P99: 2 * time.Millisecond}
	return reading{outcome: o, cpu: cpu, resident: 50, share: share}
}

func testEntry(name string, shares ...float64) entry {
	e := newEntry(target{name: name, group: groupOurs})
	for _, share := range shares {
		e.add([]reading{testReading(10/share, share)})
	}
	return e
}

func TestARoundIsTheMedianOfItsTurns(t *testing.T) {
	e := newEntry(target{name: "x", group: groupOurs})
	e.add([]reading{testReading(20, 0.5), testReading(90, 0.1), testReading(30, 0.4)})
	e.add([]reading{testReading(10, 0.8)})
	if want := []float64{0.4, 0.8}; !slices.Equal(e.Share.Values, want) {
		t.Errorf("the shares are %v, want %v", e.Share.Values, want)
	}
	if want := []float64{30, 10}; !slices.Equal(e.CPU.Values, want) || e.CPU.Median != 20 {
		t.Errorf("the CPU times are %v with the median %g, want %v with 20", e.CPU.Values, e.CPU.Median, want)
	}
	if e.PerSecond.Median != 1000 || e.P50.Median != 1 || e.P99.Median != 2 || e.Resident.Median != 50 {
		t.Errorf("the entry is %+v", e)
	}
}

func TestTimesIsByShares(t *testing.T) {
	if got := times(testEntry("slow", 0.1, 0.2), testEntry("fast", 0.4, 0.4)); !slices.Equal(got, []float64{4, 2}) {
		t.Errorf("slow takes %v times as much", got)
	}
}

func TestWhatRespondAnswersIsJSONAsLongAsATokenResponse(t *testing.T) {
	body := limitJSON()
	var t1 tokens
	if len(body) != limitBytes || json.Unmarshal([]byte(body), &t1) != nil || t1.Access == "" {
		t.Errorf("%d bytes: %s", len(body), body)
	}
}

func TestThePeerOnExpressIsTakenAtItsBest(t *testing.T) {
	entries := []entry{
		testEntry("respond", 1), testEntry("HS256", 0.6), testEntry("go-oauth2 HS256", 0.5),
		testEntry("jmondi HS256", 0.05), testEntry("jmondi HS256, key object", 0.1), testEntry("jmondi HS256, fast", 0.3),
	}
	figures := passwordFigures(entries)
	last := figures[len(figures)-1]
	if !strings.Contains(last.Name, "key object") || math.Abs(last.Median-6) > 1e-9 || last.verdict() != "yes" {
		t.Errorf("the last figure is %+v", last)
	}
	if n := len(passwordFigures(entries[:2])); n != 1 {
		t.Errorf("without peers there are %d figures", n)
	}
}
