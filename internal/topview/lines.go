package topview

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/caddygrant/caddy-grant/internal/statusview"
)

// The colours are those that the terminal's owner chose. What they say, a word says too.
var (
	strong = ansi.Style{}.Bold()
	quiet  = ansi.Style{}.Faint()
	levels = map[statusview.Level]ansi.Style{
		statusview.Notice: ansi.Style{}.ForegroundColor(ansi.Yellow),
		statusview.Bad:    ansi.Style{}.Bold().ForegroundColor(ansi.Red),
	}
)

const help = `Logins, refreshes and requests are counted since Caddy started; a reload keeps the counts. "Per second" is between the last two answers of a node, "last minute" at most since this view began. A 429 counts twice: as an error, and under "too many" by its limit.

The reasons are codes of docs/errors.md and docs/checking-tokens.md. Which request, user and address it was, the log says.

q, Ctrl-C    quit
s            show the next server alone, then all again
+ -          ask less often, more often
up down      scroll; also PgUp, PgDn, Home, End
?            this help, and back`

func (m *model) header() string {
	what := "all servers"
	if m.server != "" {
		what = "server " + m.server
	}
	line := strong.Styled("caddy grant top") + "  " + what
	if n := len(m.view.Nodes); n > 1 {
		line += fmt.Sprintf(", %d nodes", n)
	}
	if text := m.view.ProblemsText(); text != "" {
		line += "  " + levels[statusview.Bad].Styled(text)
	}
	if last := m.view.LastAnswer(); last != "" {
		return right(line, last, m.width)
	}
	return line
}

func (m *model) footer(first, all int) string {
	keys := fmt.Sprintf("q quit  s server  ? help  +- every %v", m.watcher.Interval())
	if all <= m.bodyHeight() {
		return quiet.Styled(keys)
	}
	return right(quiet.Styled(keys), quiet.Styled(fmt.Sprintf("up/down: lines %d-%d of %d", first+1, min(all, first+m.bodyHeight()), all)), m.width)
}

// body is all that there is to show. More of it may be there than fits.
func (m *model) body() (lines []string) {
	if m.help {
		for _, line := range strings.Split(help, "\n") {
			lines = append(lines, strings.Split(ansi.Wrap(line, m.width, ""), "\n")...)
		}
		return lines
	}
	if len(m.view.Nodes) > 1 {
		lines = append(lines, m.overview()...)
	}
	for i, node := range m.view.Nodes {
		if i > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, m.node(node)...)
	}
	return lines
}

// overview has a line for each node, since their sections may not fit.
func (m *model) overview() []string {
	lines := []string{m.row(strong.Styled("nodes"), "logins/s", "refused/s", "problems")}
	for _, node := range m.view.Nodes {
		switch {
		case !node.Asked:
			lines = append(lines, right("  "+node.Address, "asking ...", m.width))
		case node.Error != "":
			lines = append(lines, right("  "+node.Address, levels[statusview.Bad].Styled("NO ANSWER"), m.width))
		default:
			logins, refused := m.sums(node)
			lines = append(lines, m.row("  "+node.Address, logins.PerSecondText(), refused.PerSecondText(), strconv.Itoa(node.Problems())))
		}
	}
	return append(lines, "")
}

// sums adds up the servers of a node that are shown.
func (m *model) sums(node statusview.Node) (logins, refused statusview.Count) {
	for _, server := range node.Servers {
		if m.server != "" && m.server != server.Name {
			continue
		}
		for _, count := range server.Done {
			switch count.Label {
			case statusview.Logins:
				logins.Known, logins.PerSecond = count.Known, logins.PerSecond+count.PerSecond
			case statusview.Refused:
				refused.Known, refused.PerSecond = count.Known, refused.PerSecond+count.PerSecond
			}
		}
	}
	return logins, refused
}

func (m *model) node(node statusview.Node) []string {
	title := strong.Styled(node.Address)
	switch {
	case !node.Asked:
		return []string{title + "  asking ..."}
	case node.Error != "":
		return append([]string{title + "  " + levels[statusview.Bad].Styled("NO ANSWER")},
			m.fact(statusview.Fact{Label: "Why", Text: node.Why(), Level: statusview.Bad})...)
	}
	lines := []string{title}
	for _, fact := range node.Facts {
		lines = append(lines, m.fact(fact)...)
	}
	if node.Warning != "" {
		lines = append(lines, m.fact(statusview.Fact{Label: "Metrics", Text: node.Warning, Level: statusview.Notice})...)
	}
	if len(node.Servers) == 0 {
		lines = append(lines, "  its config has no token_endpoint")
	}
	shown := false
	for _, server := range node.Servers {
		if m.server == "" || m.server == server.Name {
			shown = true
			lines = append(lines, m.serverLines(server)...)
		}
	}
	if !shown && len(node.Servers) > 0 {
		lines = append(lines, "  it has no server "+m.server)
	}
	return lines
}

// serverLines begins with what is broken.
func (m *model) serverLines(server statusview.Server) (lines []string) {
	title := strong.Styled("server " + server.Name)
	if len(server.Done) == 0 {
		lines = append(lines, title)
	} else {
		lines = append(lines, m.row(title, "per second", "last minute", "total"))
	}
	for _, fact := range server.Broken() {
		lines = append(lines, m.fact(fact)...)
	}
	for _, count := range server.Done {
		lines = append(lines, m.count("  ", count))
	}
	for _, count := range server.Refused {
		lines = append(lines, m.count("    ", count))
	}
	if server.Issuer != "" {
		lines = append(lines, m.fact(statusview.Fact{Label: "Issuer", Text: server.Issuer})...)
	}
	for _, fact := range server.Sound() {
		lines = append(lines, m.fact(fact)...)
	}
	return lines
}

func (m *model) count(indent string, c statusview.Count) string {
	return m.row(indent+c.Label, c.PerSecondText(), c.LastMinuteText(), c.TotalText())
}

// row has as many columns as there is room for.
func (m *model) row(label string, perSecond, minute, total string) string {
	const column, labels = 13, 26
	var values string
	switch room := m.width - labels; {
	case room >= 3*column:
		values = fmt.Sprintf("%*s%*s%*s", column, perSecond, column, minute, column, total)
	case room >= 2*column:
		values = fmt.Sprintf("%*s%*s", column, perSecond, column, total)
	default:
		values = perSecond
	}
	return right(label, values, m.width)
}

// fact is a label and a text, which is wrapped beside it.
func (m *model) fact(fact statusview.Fact) (lines []string) {
	const indent = 13
	style, styled := levels[fact.Level]
	label := fmt.Sprintf("  %-*s", indent-2, fact.Label)
	width := m.width - indent
	if width < 20 { // too little beside the label
		label, width = "  "+fact.Label+": ", m.width-4
		lines = append(lines, label)
		label = "    "
	}
	for line := range strings.SplitSeq(ansi.Wrap(fact.Text, max(1, width), "/"), "\n") {
		if styled {
			line = style.Styled(line)
		}
		lines = append(lines, label+line)
		label = strings.Repeat(" ", ansi.StringWidth(label))
	}
	return lines
}

// right puts a text at the right end of a line, which is cut if both have no room.
func right(line, text string, width int) string {
	room := width - ansi.StringWidth(text)
	if room < 1 {
		return line
	}
	line = cut(line, room-1)
	return line + strings.Repeat(" ", room-ansi.StringWidth(line)) + text
}

func cut(line string, width int) string { return ansi.Truncate(line, max(0, width), "…") }
