package command

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
)

// exactArgs asks for n arguments. If some are missing, the error begins with usage, such
// as "name the user", and shows the command with its arguments.
func exactArgs(usage string, n int) cobra.PositionalArgs { return rangeArgs(usage, n, n) }

// noArgs refuses any argument.
func noArgs(cmd *cobra.Command, args []string) error { return rangeArgs("", 0, 0)(cmd, args) }

// rangeArgs asks for at least least and at most most arguments; -1 is any number. An
// argument is never shown: it may be a password that does not belong there.
func rangeArgs(usage string, least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return errors.New(usage + ": " + usageOf(cmd))
		case most >= 0 && len(args) > most && most == 0:
			return errors.New("it takes no arguments: " + usageOf(cmd))
		case most >= 0 && len(args) > most:
			return errors.New("too many arguments: " + usageOf(cmd))
		}
		return nil
	}
}

// usageOf is a command with its arguments, "caddy grant user add NAME".
func usageOf(cmd *cobra.Command) string {
	_, args, _ := strings.Cut(cmd.Use, " ")
	return strings.TrimSpace(cmd.CommandPath() + " " + args)
}
