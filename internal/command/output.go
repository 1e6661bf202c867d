package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"

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

// printJSON prints a value as JSON on stdout, indented. What could control a terminal is
// escaped.
func printJSON(cmd *cobra.Command, value any) error {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return err
	}
	var printed strings.Builder
	for _, r := range encoded.String() {
		if r == '\n' || unicode.IsPrint(r) {
			printed.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) { // it is in a string
			fmt.Fprintf(&printed, `\u%04x`, unit)
		}
	}
	_, err := io.WriteString(cmd.OutOrStdout(), printed.String())
	return err
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
