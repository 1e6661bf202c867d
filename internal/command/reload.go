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
not taken: then its previous version stays active, and the exit status is 1. It is 1
too if keys are refused because two files have them.

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
	failed, conflict := false, false
	for _, file := range files {
		failed = failed || file.Error != ""
		conflict = conflict || file.Conflict != ""
	}
	switch {
	case wantsJSON(cmd):
		err = printJSON(cmd, files)
	case len(files) == 0:
		fmt.Fprintf(cmd.OutOrStdout(), "Server %s follows no files.\n", printable(name))
	default:
		err = printFiles(cmd.OutOrStdout(), files, time.Now())
	}
	switch {
	case err != nil:
		return err
	case failed:
		return errors.New("not all files were taken; their previous versions stay active")
	case conflict:
		return errors.New("two files have the same API keys, which are refused; Caddy would not start with these files")
	}
	return nil
}
