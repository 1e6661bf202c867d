package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
)

// cost is that of one of something.
type cost struct {
	rate         float64 // how many there were in a second
	engine, node float64 // microseconds of CPU
	asked        float64 // scripts or transactions
	written      float64 // bytes of the engine's log
	kept         float64 // bytes
}

// What is measured.
const (
	login        = "a login"
	firstRefresh = "first refresh, 32 clients"
	twoNodes     = "a refresh, 32 clients, two nodes"
	check        = "an access token is checked"
	poll         = "a poll without news"
	revocation   = "a revocation, 32 clients"
	readAtStart  = "a revocation read at a start"
	inView       = "a revocation that is known"
)

var clientNumbers = []int{1, 8, 32}

func refreshBy(clients int) string { return fmt.Sprintf("a refresh, %d clients", clients) }

// costTable is the first table of docs/capacity.md: what one of each costs.
func costTable(all []*measurement) string {
	t := table{head: []string{""}}
	for _, m := range all {
		t.head = append(t.head, m.title)
	}
	row := func(what string, of string, show func(cost) string) {
		cells := []string{what}
		for _, m := range all {
			cells = append(cells, show(m.costs[of]))
		}
		t.rows = append(t.rows, cells)
	}
	rate := func(c cost) string { return rounded(c.rate) }
	engine := func(c cost) string { return micro(c.engine) }
	node := func(c cost) string { return micro(c.node) }
	kept := func(c cost) string { return rounded(c.kept) + " bytes" }
	written := func(c cost) string {
		if c.written < 1 {
			return none
		}
		return rounded(c.written) + " bytes"
	}
	asked := func(c cost) string {
		switch {
		case c.asked < 0.01:
			return none
		case c.asked < 0.95:
			return fmt.Sprintf("%.2f", c.asked)
		}
		return fmt.Sprintf("%.1f", c.asked)
	}
	for _, clients := range clientNumbers {
		row(fmt.Sprintf("refreshes a second, %d at a time", clients), refreshBy(clients), rate)
	}
	row("the same, 32 at a time over two nodes", twoNodes, rate)
	row("script calls or transactions of a refresh, 32 at a time", busy, asked)
	row("the engine's CPU for a refresh, 32 at a time, *c*", busy, engine)
	row("… for a refresh that comes alone, *a*", alone, engine)
	row("… for the first refresh of a session, *f*", firstRefresh, engine)
	row("… for a revocation, *v*", revocation, engine)
	row("… for a poll without news, *p*", poll, engine)
	row("a node's CPU for a refresh, 32 at a time, tokens aside", busy, node)
	row("… for a refresh that comes alone", alone, node)
	row("… for a poll without news", poll, node)
	row("… for each revocation that is read at a start", readAtStart, node)
	row("kept for a session that was refreshed, *b*", firstRefresh, kept)
	row("kept for a revocation, beyond that, *e*", revocation, kept)
	row("log that a refresh writes, *w*", busy, written)
	row("a node's memory for a revocation, *m*", inView, kept)
	return t.String()
}

var (
	alone = refreshBy(clientNumbers[0])
	busy  = refreshBy(clientNumbers[len(clientNumbers)-1])
)

// The load of the second table: of each session.
const (
	refreshEvery = 15 * 60      // seconds
	lasts        = 30           // days
	overAfter    = 8            // days, for which a record stays after the session's end
	endsEarly    = 0.1          // of all sessions, by a logout
	day          = 24 * 60 * 60 // seconds
	nodes        = 100
	pollEvery    = 2.0 // seconds
	mostPolls    = 5.0 // of a node in a second, however often it is woken
)

// exampleTable is the second one: what numbers of live sessions come to, by the formula.
// Where the engine is the storage itself there is no separate CPU.
func exampleTable(all []*measurement) string {
	t := table{head: []string{"live sessions", "refreshes a second"}}
	for _, m := range all {
		if m.server != nil {
			t.head = append(t.head, m.title+": CPU of one core", "data", "log a day")
		}
	}
	for _, live := range []float64{10_000, 100_000, 1_000_000, 10_000_000} {
		begin := live / (lasts * day) // in a second
		refresh := live / refreshEvery
		cells := []string{rounded(live), rounded(refresh)}
		for _, m := range all {
			if m.server == nil {
				continue
			}
			f, v, p := m.costs[firstRefresh].engine, m.costs[revocation].engine, m.costs[poll].engine
			polls := 1 / pollEvery
			if m.wakes {
				polls = min(polls+endsEarly*begin, mostPolls)
			}
			core := func(of string) float64 {
				c := m.costs[of].engine
				return (refresh*c + begin*max(0, f-c) + endsEarly*begin*v + nodes*polls*p) / 1e6
			}
			records := begin * day * (lasts + overAfter)
			data := records * (m.costs[firstRefresh].kept + endsEarly*m.costs[revocation].kept)
			cells = append(cells, percents(core(busy), core(alone)), bytesOf(data), bytesOf(refresh*day*m.costs[busy].written))
		}
		t.rows = append(t.rows, cells)
	}
	return t.String()
}

// table is one in Markdown.
type table struct {
	head []string
	rows [][]string
}

func (t table) String() string {
	var text strings.Builder
	line := func(cells []string) { fmt.Fprintf(&text, "| %s |\n", strings.Join(cells, " | ")) }
	line(t.head)
	line(slices.Repeat([]string{"---"}, len(t.head)))
	for _, row := range t.rows {
		line(row)
	}
	return text.String()
}

// withTables is a page with other tables in the place of its own.
func withTables(page string, tables []string) (string, error) {
	var text strings.Builder
	left, inside := tables, false
	for line := range strings.Lines(page) {
		is := strings.HasPrefix(line, "|")
		switch {
		case is && !inside && len(left) == 0:
			return "", fmt.Errorf("it has more than %d tables", len(tables))
		case is && !inside:
			text.WriteString(left[0])
			left = left[1:]
		case !is:
			text.WriteString(line)
		}
		inside = is
	}
	if len(left) > 0 {
		return "", fmt.Errorf("it has fewer than %d tables", len(tables))
	}
	return text.String(), nil
}

// none is shown where nothing is used.
const none = "none"

// rounded is a number with two digits that count.
func rounded(n float64) string {
	n = max(0, n)
	if n >= 100 {
		unit := math.Pow10(int(math.Log10(n)) - 1)
		n = math.Round(n/unit) * unit
	}
	return humanize.Comma(int64(math.Round(n)))
}

// micro is a number of microseconds.
func micro(n float64) string {
	if n < 1 {
		return none
	}
	return fmt.Sprintf("%.3f ms", n/1000)
}

// percent is a part of 1, with two digits that count.
func percent(part float64) string {
	if part < 0.1 {
		return fmt.Sprintf("%.1f %%", 100*part)
	}
	return rounded(100*part) + " %"
}

// percents are two parts of 1.
func percents(low, high float64) string {
	from, to := percent(low), percent(high)
	if from == to {
		return to
	}
	return strings.TrimSuffix(from, " %") + " to " + to
}

// bytesOf is a number of bytes in the largest unit.
func bytesOf(n float64) string {
	for _, unit := range []string{"bytes", "KB", "MB", "GB", "TB"} {
		if n < 1000 || unit == "TB" {
			if n < 10 {
				return fmt.Sprintf("%.1f %s", n, unit)
			}
			return rounded(n) + " " + unit
		}
		n /= 1000
	}
	return ""
}
