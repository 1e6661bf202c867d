package command

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// progress is a line on a terminal that says how far something is, once it has taken a
// second.
type progress struct {
	terminal *os.File // nil: there is none
	what     string
	total    int
	start    time.Time
	shown    bool
}

func newProgress(cmd *cobra.Command, what string, total int) *progress {
	p := &progress{what: what, total: total, start: time.Now()}
	if stderr, ok := cmd.ErrOrStderr().(*os.File); ok && term.IsTerminal(int(stderr.Fd())) {
		p.terminal = stderr
	}
	return p
}

// at shows how many are done.
func (p *progress) at(done int) {
	if p.terminal == nil || time.Since(p.start) < time.Second {
		return
	}
	p.shown = true
	fmt.Fprintf(p.terminal, "\r%s: %d of %d", p.what, done, p.total)
}

// end erases the line.
func (p *progress) end() {
	if p.shown {
		fmt.Fprint(p.terminal, "\r\x1b[K")
	}
}
