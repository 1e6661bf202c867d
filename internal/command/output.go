package command

import (
	"encoding/json"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// addJSONFlag adds --json, for commands whose output is data.
func addJSONFlag(cmd *cobra.Command) {
	cmd.Flags().Bool("json", false, "print JSON")
}

// wantsJSON tells whether --json was given.
func wantsJSON(cmd *cobra.Command) bool {
	wants, err := cmd.Flags().GetBool("json")
	return err == nil && wants
}

// printJSON prints a value as JSON on stdout, indented.
func printJSON(cmd *cobra.Command, value any) error {
	encoder := json.NewEncoder(cmd.OutOrStdout())
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// exit ends the command with a status other than 1, which is that of any error. It
// prints the error, if there is one, as cobra would.
func exit(cmd *cobra.Command, status int, err error) error {
	if err != nil {
		cmd.PrintErrln("Error:", err)
	}
	cmd.SilenceErrors = true
	return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return status, nil })(cmd, nil)
}
