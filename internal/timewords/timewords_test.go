package timewords

import (
	"testing"
	"time"
)

func TestATimeIsSaidWithoutLosingHalfOfIt(t *testing.T) {
	const (
		h = time.Hour
		m = time.Minute
	)
	now := time.Now()
	for d, want := range map[time.Duration]string{
		0:                      "now",
		time.Second - 1:        "now",
		time.Second:            "1 second",
		59*time.Second + 400e6: "59 seconds",
		m - 1:                  "1 minute",
		90 * time.Second:       "2 minutes",
		10*m - 1:               "10 minutes",
		h - 1:                  "1 hour",
		h + 20*m:               "1 hour 20 minutes",
		2*h - time.Second:      "2 hours",
		2*h - 59*time.Second:   "1 hour 59 minutes",
		day - 1:                "1 day",
		day + 3*h:              "1 day 3 hours",
		7*day - 1:              "7 days",
		6*day + 23*h:           "6 days 23 hours",
		14*day - time.Second:   "14 days",
		13*day + 11*h:          "13 days",
		400 * day:              "400 days",
	} {
		future, past := want+" from now", want+" ago"
		if want == "now" {
			future, past = want, want
		}
		if got := Ago(now.Add(d), now); got != future {
			t.Errorf("in %v: %q, want %q", d, got, future)
		}
		if got := Ago(now.Add(-d), now); got != past {
			t.Errorf("%v ago: %q, want %q", d, got, past)
		}
	}
}
