package command

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func newReloadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Reloads the files of users and clients now",
		Long: `
Reads the files of users, clients and API keys now, where Caddy runs. Caddy also
follows them by itself, and takes a change within seconds; this command is for those
who do not want to wait, or want to know that it was taken. A file with an error is
not taken: then its previous version stays active, and the exit status is 1.

The config is not reloaded: for that there is 'caddy reload'.
` + addressHelp,
		Example: `  caddy grant reload
  caddy grant reload --server default --json`,
		Args: noArgs,
		RunE: runReload,
	}
	addAdminFlags(cmd)
	addServerFlag(cmd)
	addJSONFlag(cmd)
	return cmd
}

func runReload(cmd *cobra.Command, _ []string) error {
	name, server, err := adminServer(cmd)
	if err != nil {
		return err
	}
	files, err := wait(cmd, server.Reload)
	if err != nil {
		return err
	}
	failed := 0
	for _, file := range files {
		if file.Error != "" {
			failed++
		}
	}
	switch {
	case wantsJSON(cmd):
		err = printJSON(cmd, files)
	case len(files) == 0:
		fmt.Fprintf(cmd.OutOrStdout(), "Server %s follows no files.\n", printable(name))
	default:
		err = printFiles(cmd.OutOrStdout(), files, time.Now())
	}
	if err == nil && failed > 0 {
		err = errors.New("not all files were taken; their previous versions stay active")
	}
	return err
}
