package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/suggestion"
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

// onlyCommands refuses an argument of a command that only has commands below it.
func onlyCommands(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownCommand(cmd, args[0])
	}
	return nil
}

// flagError says that a command is unknown where a flag is only because of that: the
// flags of a mistyped command are looked for in the one above it.
func flagError(cmd *cobra.Command, err error) error {
	if cmd.HasSubCommands() && cmd.Flags().NArg() > 0 {
		return unknownCommand(cmd, cmd.Flags().Arg(0))
	}
	return err
}

func unknownCommand(cmd *cobra.Command, word string) error {
	var known []string
	for _, below := range cmd.Commands() {
		if below.IsAvailableCommand() {
			known = append(known, below.Name())
		}
	}
	if meant := suggestion.Nearest(word, known); meant != "" {
		return fmt.Errorf("unknown command %q for %q: did you mean %s?", word, cmd.CommandPath(), meant)
	}
	return fmt.Errorf("unknown command %q for %q: there are %s", word, cmd.CommandPath(), strings.Join(known, ", "))
}
