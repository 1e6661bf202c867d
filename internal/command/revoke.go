package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

func newRevokeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke (--session ID | --user NAME | --subject ID | --client ID | --all)",
		Short: "Revokes sessions",
		Long: `
Revokes a session, all sessions of a user or of a client, or all sessions of a
server. No token of these sessions is accepted after that: at this node from now
on, at other nodes within the revocation_poll of their config. It does not keep
anyone from logging in again: disable the user or change the password first. A
login at a node that has not learned of it yet is revoked too.

Apps that verify access tokens themselves do not learn of it. They accept them
until they expire.
` + addressHelp,
		Example: `  caddy grant revoke --user alice
  caddy grant revoke --session 20270131-8f2b...
  caddy grant revoke --client mobile --server default
  caddy grant revoke --all --yes`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return errors.New("name what to revoke with a flag, such as --user alice")
			}
			return nil
		},
		RunE: runRevoke,
	}
	addAdminFlags(cmd)
	addServerFlag(cmd)
	flags := cmd.Flags()
	flags.String("session", "", "id of a session (sid in tokens)")
	flags.String("user", "", "username")
	flags.String("subject", "", "subject (sub in tokens), also of a user who is no longer there")
	flags.String("client", "", "client id")
	flags.Bool("all", false, "all sessions of the server")
	addYesFlag(cmd)
	addJSONFlag(cmd)
	cmd.MarkFlagsMutuallyExclusive("session", "user", "subject", "client", "all")
	return cmd
}

func runRevoke(cmd *cobra.Command, _ []string) error {
	all, err := cmd.Flags().GetBool("all")
	if err != nil {
		return err
	}
	request := adminapi.RevokeRequest{
		Session: flagValue(cmd, "session"), User: flagValue(cmd, "user"), Subject: flagValue(cmd, "subject"),
		Client: flagValue(cmd, "client"), All: all,
	}
	if request == (adminapi.RevokeRequest{}) {
		return errors.New("name what to revoke, with --session, --user, --subject, --client or --all")
	}
	name, server, err := adminServer(cmd)
	if err != nil {
		return err
	}
	if all {
		if err := confirm(cmd, fmt.Sprintf("Revoke all sessions of server %s?", printable(name))); err != nil {
			return err
		}
	}
	revoked, err := wait(cmd, func(ctx context.Context) (adminapi.Revoked, error) { return server.Revoke(ctx, request) })
	if err != nil {
		return err
	}
	if wantsJSON(cmd) {
		return printJSON(cmd, revoked)
	}
	what, loginsToo := "session "+request.Session, " Logins there until then are revoked too: log in again after that."
	switch {
	case all:
		what = "all sessions of server " + name
	case request.User != "":
		what = "all sessions of user " + request.User
	case request.Subject != "":
		what = "all sessions of subject " + request.Subject
	case request.Client != "":
		what = "all sessions of client " + request.Client
	default:
		loginsToo = "" // a login begins another session
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Revoked %s. %s%s\n", printable(what), otherNodes(revoked.Within), loginsToo)
	return nil
}
