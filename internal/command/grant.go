// Package command is `caddy grant`: the commands that edit files of users, clients and
// API keys, check a config, look into tokens, and speak to a running Caddy. A command here reads
// its flags and arguments, asks on the terminal and prints; what it does is in a
// package of its own.
package command

import (
	"strings"

	"github.com/spf13/cobra"
)

// Long is the help text of `caddy grant`.
const Long = `
Edits files of users, clients and API keys, checks a config, looks into tokens, and
speaks to a running Caddy over its admin API.

Commands that print data take --json. Errors are written to stderr, with a
nonzero exit status.`

// Build adds the commands to `caddy grant`.
func Build(grant *cobra.Command) {
	grant.Args = onlyCommands
	grant.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	grant.AddCommand(newUserCommand())
	grant.AddCommand(newClientCommand())
	grant.AddCommand(newKeyCommand())
	grant.AddCommand(newCheckCommand())
	grant.AddCommand(newStatusCommand())
	grant.AddCommand(newSessionsCommand())
	grant.AddCommand(newRevokeCommand())
	grant.AddCommand(newUnlockCommand())
	grant.AddCommand(newRotateKeyCommand())
	grant.AddCommand(newReloadCommand())
	grant.AddCommand(newTopCommand())
	grant.AddCommand(newExplainCommand())
	grant.AddCommand(newLoginCommand())
	grant.AddCommand(newLogoutCommand())
	grant.AddCommand(newWhoamiCommand())
	grant.SetFlagErrorFunc(flagError)
	plainFlagErrors(grant)
	oneUsageLine(grant)
}

// oneUsageLine leaves out the line of a command that does nothing without one below it.
func oneUsageLine(grant *cobra.Command) {
	grant.SetUsageTemplate(strings.Replace(grant.UsageTemplate(), "{{if .Runnable}}",
		"{{if and .Runnable (not .HasAvailableSubCommands)}}", 1))
}
