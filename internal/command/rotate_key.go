package command

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

func newRotateKeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate-key",
		Short: "Begins the rotation of a generated signing key now",
		Long: `
Generates the next signing key now, without waiting for rotate_every. Rotation has
stages, at all nodes: the next key is published first, so that apps can fetch it;
then it signs; the previous key verifies tokens until the last of them has expired.
No token becomes invalid, so this is not the remedy for a key that leaked.

A key that the config names is not rotated: see the docs on nodes and keys.
` + addressHelp,
		Example: `  caddy grant rotate-key
  caddy grant rotate-key --server default --json`,
		Args: noArgs,
		RunE: runRotateKey,
	}
	addAdminFlags(cmd)
	addServerFlag(cmd)
	addJSONFlag(cmd)
	return cmd
}

func runRotateKey(cmd *cobra.Command, _ []string) error {
	_, server, err := adminServer(cmd)
	if err != nil {
		return err
	}
	keys, err := wait(cmd, server.RotateKey)
	if err != nil {
		return err
	}
	if wantsJSON(cmd) {
		return printJSON(cmd, keys)
	}
	out, now := cmd.OutOrStdout(), time.Now()
	for _, key := range keys {
		if key.Stage == adminapi.StagePublished && key.Until != nil {
			fmt.Fprintf(out, "The next key is published, and signs %s.\n", ago(*key.Until, now))
		}
	}
	return printKeys(out, keys, now)
}
