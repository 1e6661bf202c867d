package main

import (
	"fmt"
	"slices"
	"strings"
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

// printTable prints the table of docs/capacity.md.
func printTable(all []*measurement) {
	names := []string{""}
	for _, m := range all {
		names = append(names, m.title)
	}
	line := func(cells ...string) { fmt.Println("| " + strings.Join(cells, " | ") + " |") }
	fmt.Print("\n\n")
	line(names...)
	line(slices.Repeat([]string{"---"}, len(names))...)
	row := func(what string, of string, show func(cost) string) {
		cells := []string{what}
		for _, m := range all {
			c, measured := m.costs[of]
			if !measured {
				cells = append(cells, "–")
				continue
			}
			cells = append(cells, show(c))
		}
		line(cells...)
	}
	rate := func(c cost) string { return rounded(c.rate) }
	engine := func(c cost) string { return micro(c.engine) }
	node := func(c cost) string { return micro(c.node) }
	kept := func(c cost) string { return rounded(c.kept) + " bytes" }
	written := func(c cost) string { return rounded(c.written) + " bytes" }
	busy := refreshBy(clientNumbers[len(clientNumbers)-1])
	for _, clients := range clientNumbers {
		row(fmt.Sprintf("refreshes a second, %d at a time", clients), refreshBy(clients), rate)
	}
	row("the same, 32 at a time over two nodes", twoNodes, rate)
	row("script calls or transactions of a refresh", busy, func(c cost) string { return fmt.Sprintf("%.1f", c.asked) })
	row("CPU of the engine for a refresh, *c*", busy, engine)
	row("CPU of the engine for the first refresh of a session, *f*", firstRefresh, engine)
	row("CPU of the engine for a revocation, *v*", revocation, engine)
	row("CPU of the engine for a poll without news, *q*", poll, engine)
	row("CPU of the node for a refresh, tokens aside", busy, node)
	row("CPU of the node for a poll without news", poll, node)
	row("CPU of the node for each revocation read at a start", readAtStart, node)
	row("kept for a session that was refreshed, *b*", firstRefresh, kept)
	row("kept for a revocation, beyond that", revocation, kept)
	row("log that a refresh writes, *w*", busy, written)
	row("memory of a node for a revocation", inView, kept)
}

// rounded is a number with two digits that count.
func rounded(n float64) string {
	text := fmt.Sprintf("%.0f", max(0, n))
	if len(text) > 2 {
		digits := []byte(text)
		if digits[2] >= '5' {
			return rounded(n + 5*pow10(len(text)-3))
		}
		for i := 2; i < len(digits); i++ {
			digits[i] = '0'
		}
		text = string(digits)
	}
	if len(text) > 3 {
		text = text[:len(text)-3] + "," + text[len(text)-3:]
	}
	return text
}

func pow10(n int) float64 {
	p := 1.0
	for range n {
		p *= 10
	}
	return p
}

// micro is microseconds as the docs write them, in milliseconds.
func micro(n float64) string {
	if n < 1 {
		return "none"
	}
	return fmt.Sprintf("%.3f ms", n/1000)
}
