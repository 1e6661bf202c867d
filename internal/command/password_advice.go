package command

import (
	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/passwordadvice"
)

// warnOfPassword warns of a password that is guessed soon.
func warnOfPassword(cmd *cobra.Command, name, password string) {
	if reason, weak := passwordadvice.Weak(password, name); weak {
		cmd.PrintErrln("Warning: the password is weak: " + reason + ".")
	}
}
