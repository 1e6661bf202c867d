package command

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// plainFlagErrors has the commands below cmd say in words which flags exclude each other
// or are missing. Cobra would say so too, but as a list of its groups.
func plainFlagErrors(cmd *cobra.Command) {
	for _, below := range cmd.Commands() {
		plainFlagErrors(below)
	}
	checkArgs := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if checkArgs != nil {
			if err := checkArgs(cmd, args); err != nil {
				return err
			}
		}
		return inWords(cmp.Or(cmd.ValidateRequiredFlags(), cmd.ValidateFlagGroups()))
	}
}

// inWords is an error of cobra about flags in plain words, and any other as it is.
func inWords(err error) error {
	if err == nil {
		return nil
	}
	if found := missingFlags.FindStringSubmatch(err.Error()); found != nil {
		names := strings.Split(strings.Trim(found[1], `"`), `", "`)
		if len(names) > 1 {
			return fmt.Errorf("%s are missing", asFlags(names))
		}
		return fmt.Errorf("%s is missing", asFlags(names))
	}
	if found := exclusiveFlags.FindStringSubmatch(err.Error()); found != nil {
		return fmt.Errorf("%s cannot be used together", asFlags(strings.Fields(found[1])))
	}
	return err
}

func asFlags(names []string) string {
	text := "--" + names[len(names)-1]
	if others := names[:len(names)-1]; len(others) > 0 {
		text = "--" + strings.Join(others, ", --") + " and " + text
	}
	return text
}

// what cobra says
var (
	missingFlags   = regexp.MustCompile(`^required flag\(s\) (".*") not set`)
	exclusiveFlags = regexp.MustCompile(`none of the others can be; \[(.*)\] were all set`)
)
