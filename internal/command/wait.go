package command

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// wait asks a running Caddy. If the answer takes long, it says so on a terminal.
func wait[T any](cmd *cobra.Command, ask func(context.Context) (T, error)) (T, error) {
	if stderr, ok := cmd.ErrOrStderr().(*os.File); ok && term.IsTerminal(int(stderr.Fd())) {
		const line = "Waiting for Caddy..."
		said := make(chan bool, 1)
		timer := time.AfterFunc(time.Second, func() {
			fmt.Fprint(stderr, line)
			said <- true
		})
		defer func() {
			if !timer.Stop() && <-said {
				fmt.Fprint(stderr, "\r\x1b[K") // erases the line
			}
		}()
	}
	value, err := ask(cmd.Context())
	return value, withHint(err)
}
