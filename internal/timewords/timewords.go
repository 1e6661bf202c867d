// Package timewords says how far away a time is, as people do.
package timewords

import (
	"time"

	"github.com/dustin/go-humanize/english"
)

// Ago is a time such as "3 hours ago", "1 hour 59 minutes from now" or "13 days from
// now". It is rounded to the last unit that it shows.
func Ago(t, now time.Time) string {
	switch distance := t.Sub(now); {
	case distance.Abs() < time.Second:
		return "now"
	case distance > 0:
		return about(distance) + " from now"
	default:
		return about(-distance) + " ago"
	}
}

// about has one unit below an hour and from a week on, and two between.
func about(d time.Duration) string {
	if seconds := d.Round(time.Second); seconds < time.Minute {
		return count(seconds, time.Second, "second")
	}
	if minutes := d.Round(time.Minute); minutes < time.Hour {
		return count(minutes, time.Minute, "minute")
	} else if minutes < day {
		return two(minutes, time.Hour, "hour", time.Minute, "minute")
	}
	if hours := d.Round(time.Hour); hours < 7*day {
		return two(hours, day, "day", time.Hour, "hour")
	}
	return count(d.Round(day), day, "day")
}

func two(d, large time.Duration, word string, small time.Duration, rest string) string {
	text := count(d, large, word)
	if d %= large; d > 0 {
		text += " " + count(d, small, rest)
	}
	return text
}

func count(d, unit time.Duration, word string) string {
	return english.Plural(int(d/unit), word, "")
}

const day = 24 * time.Hour
