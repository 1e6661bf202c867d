package loginpage

import (
	"strconv"
	"strings"
	"time"
)

// WaitWords say when, at the end or in the middle of a sentence. {n} is the number.
type WaitWords struct {
	Moment  string // nothing to wait for
	Seconds string // 5, 10, 15, …
	Minute  string
	Minutes string
	Hour    string // about one
	Hours   string // about two or more
}

// in rounds up, so that nobody comes back too early, and to numbers that people say.
func (w WaitWords) in(wait time.Duration) string {
	up := func(to time.Duration) time.Duration {
		rounded := wait.Truncate(to)
		if rounded < wait {
			rounded += to
		}
		return rounded
	}
	count := func(text string, rounded, of time.Duration) string {
		return strings.ReplaceAll(text, "{n}", strconv.FormatInt(int64(rounded/of), 10))
	}
	switch {
	case wait <= 0:
		return w.Moment
	case wait <= 55*time.Second:
		return count(w.Seconds, up(5*time.Second), time.Second)
	case wait <= time.Minute:
		return w.Minute
	case wait <= 10*time.Minute:
		return count(w.Minutes, up(time.Minute), time.Minute)
	case wait > 55*time.Minute && wait <= time.Hour:
		return w.Hour
	case wait <= 90*time.Minute:
		return count(w.Minutes, up(5*time.Minute), time.Minute)
	case wait > 1000*time.Hour: // also guards the sum in up
		return count(w.Hours, 1000*time.Hour, time.Hour)
	}
	return count(w.Hours, up(time.Hour), time.Hour)
}
