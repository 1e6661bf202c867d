package command

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/caddygrant/caddy-grant/internal/timewords"
)

// table prints rows with aligned columns, indented. An empty cell is a dash.
func table(w io.Writer, indent string, rows ...[]string) error {
	tabs := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			if cells[i] = printable(cell); cell == "" {
				cells[i] = "-"
			}
		}
		fmt.Fprintln(tabs, indent+strings.Join(cells, "\t"))
	}
	return tabs.Flush()
}

// printable is a text from elsewhere, quoted if it could control the terminal.
func printable(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

// ago is a time as people say it: see [timewords.Ago].
func ago(t, now time.Time) string { return timewords.Ago(t, now) }

// agoIfKnown is empty for a time that is not known.
func agoIfKnown(t *time.Time, now time.Time) string {
	if t == nil {
		return ""
	}
	return ago(*t, now)
}

// otherNodes says when a change is known everywhere.
func otherNodes(within int64) string {
	return fmt.Sprintf("Other nodes learn of it within %s.", time.Duration(within)*time.Second)
}
