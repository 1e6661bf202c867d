package command

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/caddygrant/caddy-grant/internal/topview"
)

func newTopCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watches running Caddys in the terminal",
		Long: `
Watches one or several running Caddys in the terminal: logins, refused requests by
reason, accounts that have to wait, password hashing, files of users and clients
with what is wrong with them, signing keys with their stage, and revoked sessions.

Keys: q quits, s shows the next server, + and - change the interval, ? has more.
A node that does not answer is shown with the reason.
` + addressHelp,
		Example: `  caddy grant top
  caddy grant top --address 10.0.0.2:2019 --address 10.0.0.3:2019
  caddy grant top --interval 10s`,
		Args: noArgs,
		RunE: runTop,
	}
	addNodesFlags(cmd)
	cmd.Flags().Duration("interval", 2*time.Second, "time between two looks at a node")
	return cmd
}

func runTop(cmd *cobra.Command, _ []string) error {
	interval, err := cmd.Flags().GetDuration("interval")
	if err != nil {
		return err
	}
	if interval < time.Second {
		return fmt.Errorf("--interval is %v, and must be at least 1s", interval)
	}
	targets, err := nodes(cmd)
	if err != nil {
		return err
	}
	out, ok := cmd.OutOrStdout().(*os.File)
	if !ok || !term.IsTerminal(int(out.Fd())) || os.Getenv("TERM") == "dumb" {
		return errors.New("this is not a terminal that can be drawn on: use 'caddy grant status', which prints the state once, with --json for programs")
	}
	return topview.Run(cmd.Context(), cmd.InOrStdin(), out, targets, interval)
}
