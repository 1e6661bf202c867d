package statusview

import (
	"fmt"
	"math"
	"time"

	"github.com/dustin/go-humanize"
)

// PerSecondText is a dash until there are two samples.
func (c Count) PerSecondText() string {
	if !c.Known {
		return "-"
	}
	return fmt.Sprintf("%.2f", c.PerSecond)
}

// LastMinuteText is a whole number.
func (c Count) LastMinuteText() string { return humanize.Comma(int64(math.Round(c.LastMinute))) }

// TotalText has commas.
func (c Count) TotalText() string { return humanize.Commaf(c.Total) }

// Why says why a node does not answer, and since when.
func (n Node) Why() string {
	if n.Last.IsZero() {
		return n.Error + ". It has not answered yet"
	}
	return n.Error + ". Its last answer was at " + n.Last.Format(time.TimeOnly)
}

// LastAnswer is the time of the last answer of any node, or empty.
func (v View) LastAnswer() string {
	var last time.Time
	for _, node := range v.Nodes {
		if node.Last.After(last) {
			last = node.Last
		}
	}
	if last.IsZero() {
		return ""
	}
	return last.Format(time.TimeOnly)
}

// ProblemsText is empty if there are none.
func (v View) ProblemsText() string {
	if n := v.Problems(); n > 0 {
		return plural(n, "problem")
	}
	return ""
}
