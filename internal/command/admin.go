package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

// addressHelp ends the help text of the commands that speak to a running Caddy.
const addressHelp = `
The address of Caddy's admin endpoint is that of --address, or the one in the
config of --config, or the default: localhost:2019, or $CADDY_ADMIN. A Caddyfile
in this directory is read only if --config names it. The address can be a Unix
socket, such as unix//run/caddy-admin.sock. For remote admin it is a URL, such as
https://edge.example.com:2021, and --cert and --key are those of a certificate
that the config permits.`

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
	cmd.Flags().String("server", "", "name of the server (default: the only one)")
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
	address, err := adminAddress(cmd, flagValue(cmd, "address"))
	if err != nil {
		return nil, err
	}
	return adminapi.NewClient(adminapi.Endpoint{
		Address: address, Certificate: flagValue(cmd, "cert"), Key: flagValue(cmd, "key"), Authorities: flagValue(cmd, "ca"),
	})
}

// adminAddress is the address that was given, or else that of the config, or the default.
func adminAddress(cmd *cobra.Command, given string) (string, error) {
	path := flagValue(cmd, "config")
	if given != "" || path == "" {
		return caddycmd.DetermineAdminAPIAddress(given, nil, "", "")
	}
	quiet()
	const looking = "looking for the address of the admin endpoint: %w"
	content, _, _, err := caddycmd.LoadConfig(path, flagValue(cmd, "adapter"))
	if err != nil {
		return "", fmt.Errorf(looking, err)
	}
	var config struct {
		Admin struct {
			Disabled bool `json:"disabled"`
		} `json:"admin"`
	}
	if err := json.Unmarshal(content, &config); err != nil {
		return "", fmt.Errorf(looking, err)
	}
	if config.Admin.Disabled {
		return "", fmt.Errorf("%s turns the admin endpoint off, with \"admin off\" or \"disabled\": this command needs it. Give it a Unix socket instead, such as \"admin unix//run/caddy/admin.sock|0600\", and restart Caddy", path)
	}
	address, err := caddycmd.DetermineAdminAPIAddress("", content, path, "")
	if err != nil {
		return "", fmt.Errorf(looking, err)
	}
	return address, nil
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
	switch {
	case !errors.As(err, &silent), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w\nRun the command as a user who may use the socket, such as with sudo", err)
	default:
		return fmt.Errorf("%w\nIs it running, and is this the address of its admin endpoint? Name it with --address, or the config with --config", err)
	}
}

var errNoServer = errors.New("the running config has no token_endpoint")
