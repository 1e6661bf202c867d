package command

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
	"github.com/caddygrant/caddy-grant/internal/statusview"
)

// addNodesFlags adds the flags of addAdminFlags to a command that can ask several nodes.
func addNodesFlags(cmd *cobra.Command) {
	addAdminFlags(cmd)
	cmd.Flags().Lookup("address").Usage += "; repeat it for several nodes"
	cmd.Flags().Lookup("address").Value = new(addresses)
}

// addresses are the values of --address.
type addresses []string

func (a *addresses) Type() string { return "string" }

func (a *addresses) String() string {
	if len(*a) == 0 {
		return ""
	}
	return (*a)[len(*a)-1]
}

func (a *addresses) Set(address string) error {
	if address == "" {
		return errors.New("the address is empty")
	}
	*a = append(*a, address)
	return nil
}

// oneNode is an error if the flags name several.
func oneNode(cmd *cobra.Command, instead string) error {
	if all, ok := cmd.Flags().Lookup("address").Value.(*addresses); ok && len(*all) > 1 {
		return fmt.Errorf("there are %d addresses, and this asks one node: for several use %s", len(*all), instead)
	}
	return nil
}

// nodes are those that the flags name.
func nodes(cmd *cobra.Command) (targets []statusview.Target, err error) {
	named := *cmd.Flags().Lookup("address").Value.(*addresses)
	if len(named) == 0 {
		named = addresses{""} // the one of the config
	}
	seen := make(map[string]bool)
	for _, address := range named {
		if address, err = adminAddress(cmd, address); err != nil {
			return nil, err
		}
		if seen[address] {
			return nil, fmt.Errorf("duplicate address %s", address)
		}
		seen[address] = true
		client, err := adminapi.NewClient(adminapi.Endpoint{
			Address: address, Certificate: flagValue(cmd, "cert"), Key: flagValue(cmd, "key"), Authorities: flagValue(cmd, "ca"),
		})
		if err != nil {
			return nil, err
		}
		targets = append(targets, statusview.Target{Address: address, Source: client})
	}
	return targets, nil
}
