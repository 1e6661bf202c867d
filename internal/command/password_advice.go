package command

import "github.com/spf13/cobra"

// warnOfPassword warns of a password that is guessed soon.
func warnOfPassword(*cobra.Command, string, string) {}
