package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

// addressHelp ends the help text of the commands that speak to a running Caddy.
const addressHelp = `
The address of Caddy's admin endpoint is found as by 'caddy reload': it is that
of --address, or the one in the config of --config, or the default one. It can
be a Unix socket, such as unix//run/caddy-admin.sock. For remote admin it is a
URL, such as https://edge.example.com:2021, and --cert and --key are those of a
certificate that the config permits.`

// addAdminFlags adds the flags that say which Caddy to ask.
func addAdminFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.String("address", "", "address of Caddy's admin endpoint")
	flags.StringP("config", "c", "", "config in which to look for that address")
	flags.StringP("adapter", "a", "", "name of the config's adapter")
	flags.String("cert", "", "your certificate for remote admin, in PEM")
	flags.String("key", "", "key of the certificate of --cert, in PEM")
	flags.String("ca", "", "certificate of the authority behind the endpoint of remote admin, in PEM")
}

// addServerFlag adds the flag that says which of its servers.
func addServerFlag(cmd *cobra.Command) {
	cmd.Flags().String("server", "", "name of the authorization server (default: the only one)")
}

// flagValue is the value of a flag that the command has.
func flagValue(cmd *cobra.Command, name string) string {
	value, err := cmd.Flags().GetString(name)
	if err != nil {
		panic(err)
	}
	return value
}

// adminClient asks the Caddy that the flags name.
func adminClient(cmd *cobra.Command) (*adminapi.Client, error) {
	address, err := caddycmd.DetermineAdminAPIAddress(flagValue(cmd, "address"), nil, flagValue(cmd, "config"), flagValue(cmd, "adapter"))
	if err != nil {
		return nil, fmt.Errorf("looking for the address of the admin endpoint: %w", err)
	}
	return adminapi.NewClient(adminapi.Endpoint{
		Address: address, Certificate: flagValue(cmd, "cert"), Key: flagValue(cmd, "key"), Authorities: flagValue(cmd, "ca"),
	})
}

// adminServer asks which servers there are, and returns the one that --server names or
// the only one.
func adminServer(cmd *cobra.Command) (name string, server adminapi.Server, err error) {
	client, err := adminClient(cmd)
	if err != nil {
		return "", nil, err
	}
	if name = flagValue(cmd, "server"); name != "" {
		return name, client.Server(name), nil
	}
	statuses, err := wait(cmd, client.Servers)
	if err != nil {
		return "", nil, err
	}
	names := make([]string, len(statuses))
	for i, status := range statuses {
		names[i] = status.Name
	}
	switch len(names) {
	case 0:
		return "", nil, errNoServer
	case 1:
		return names[0], client.Server(names[0]), nil
	}
	return "", nil, fmt.Errorf("there are %d servers: say which one, with --server %s", len(names), strings.Join(names, " or --server "))
}

// withHint says in an error what to do where the flags may be at fault.
func withHint(err error) error {
	var silent *adminapi.Unreachable
	if errors.As(err, &silent) && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w\nIs it running, and is this the address of its admin endpoint? Name it with --address, or the config with --config", err)
	}
	return err
}

var errNoServer = errors.New("the running config has no authorization server: no site of it has a token_endpoint")
