package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

func newUnlockCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "unlock [USER]",
		Short: "Lets a user, a client or an address log in again after wrong passwords",
		Long: `
Forgets the failed logins of a user, a client or an IP address, so that they no
longer have to wait. What others failed at from the same address still counts for
the address: to unlock a user and the place that they log in from, name both.
` + addressHelp,
		Example: `  caddy grant unlock alice
  caddy grant unlock alice --ip 192.0.2.7
  caddy grant unlock --client mobile
  caddy grant unlock --ip 2001:db8::7`,
		Args: rangeArgs("", 0, 1),
		RunE: runUnlock,
	}
	cmd.Flags().String("client", "", "client id, instead of a user")
	cmd.Flags().String("ip", "", "IP address that logins come from")
	addAdminFlags(cmd)
	addServerFlag(cmd)
	addJSONFlag(cmd)
	return cmd
}

func runUnlock(cmd *cobra.Command, args []string) error {
	request := adminapi.UnlockRequest{Client: flagValue(cmd, "client"), Address: flagValue(cmd, "ip")}
	if len(args) == 1 {
		request.User = args[0]
	}
	switch {
	case request == (adminapi.UnlockRequest{}):
		return errors.New("name a user, a client with --client, or an IP address with --ip")
	case request.User != "" && request.Client != "":
		return errors.New("name a user or a client, not both")
	}
	_, server, err := adminServer(cmd)
	if err != nil {
		return err
	}
	unlocked, err := wait(cmd, func(ctx context.Context) (adminapi.Unlocked, error) { return server.Unlock(ctx, request) })
	if err != nil {
		return err
	}
	if wantsJSON(cmd) {
		return printJSON(cmd, unlocked)
	}
	var whose []string
	if request.User != "" {
		whose = append(whose, "user "+request.User)
	}
	if request.Client != "" {
		whose = append(whose, "client "+request.Client)
	}
	if request.Address != "" {
		whose = append(whose, "address "+request.Address)
	}
	if unlocked.Unknown {
		cmd.PrintErrf("Warning: there is no %s; failed logins under that name are forgotten all the same.\n", printable(whose[0]))
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Unlocked %s. %s\n", printable(strings.Join(whose, " and ")), otherNodes(unlocked.Within))
	return nil
}
