package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

func newSessionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sessions USER",
		Short: "Lists the sessions of a user",
		Long: `
Lists the sessions of a user that storage knows of, newest first. A login writes
nothing, so a session is known from its first refresh on. To end sessions, also
those that are not listed, use 'caddy grant revoke --user'.

If some could not be read, because the engine in which they live does not answer,
the others are listed, and the exit status is 2.
` + addressHelp,
		Example: `  caddy grant sessions alice
  caddy grant sessions --subject 7d3f2c --server default
  caddy grant sessions alice --json`,
		Args: rangeArgs("", 0, 1),
		RunE: runSessions,
	}
	addAdminFlags(cmd)
	addServerFlag(cmd)
	cmd.Flags().String("subject", "", "the user's subject (sub in tokens), also of a user who is no longer there")
	addJSONFlag(cmd)
	return cmd
}

func runSessions(cmd *cobra.Command, args []string) error {
	query := adminapi.SessionsQuery{Subject: flagValue(cmd, "subject")}
	if len(args) == 1 {
		query.User = args[0]
	}
	if (query.User == "") == (query.Subject == "") {
		return errors.New("name a user, or a subject with --subject")
	}
	_, server, err := adminServer(cmd)
	if err != nil {
		return err
	}
	found, err := wait(cmd, func(ctx context.Context) (adminapi.Sessions, error) { return server.Sessions(ctx, query) })
	if err != nil {
		return err
	}
	if wantsJSON(cmd) {
		err = printJSON(cmd, found)
	} else {
		err = printSessions(cmd.OutOrStdout(), found, time.Now())
	}
	if err != nil || len(found.Unread) == 0 {
		return err
	}
	return exit(cmd, exitUnread, unread(found))
}

// exitUnread is the exit status of a list that lacks something.
const exitUnread = 2

// printSessions prints a list for people.
func printSessions(out io.Writer, found adminapi.Sessions, now time.Time) error {
	if len(found.Sessions)+len(found.Unread) == 0 {
		fmt.Fprintf(out, "No known sessions of subject %s.\n", printable(found.Subject))
	} else {
		rows := [][]string{{"SESSION", "CLIENT", "REFRESHED", "REFRESHES", "ENDS", "STATE"}}
		for _, session := range found.Sessions {
			rows = append(rows, sessionRow(session, now))
		}
		for _, session := range found.Unread {
			rows = append(rows, []string{session.ID, session.Client, "", "", session.Ends, "unknown: in " + session.Engine})
		}
		if err := table(out, "", rows...); err != nil {
			return err
		}
	}
	if found.More {
		fmt.Fprintln(out, "There are more.")
	}
	if found.Note != "" {
		fmt.Fprintln(out, printable(found.Note))
	}
	return nil
}

// unread says how many sessions could not be read, and why: once for each engine and
// reason.
func unread(found adminapi.Sessions) error {
	type reason struct{ engine, text string }
	var reasons []reason
	for _, session := range found.Unread {
		if of := (reason{session.Engine, session.Error}); !slices.Contains(reasons, of) {
			reasons = append(reasons, of)
		}
	}
	text := fmt.Sprintf("%d of %d sessions could not be read", len(found.Unread), len(found.Unread)+len(found.Sessions))
	for _, of := range reasons {
		text += "\n" + printable(of.engine+": "+of.text)
	}
	return errors.New(text)
}

// sessionRow is a line of the table. Of a session that was revoked itself, only that is
// known.
func sessionRow(session adminapi.Session, now time.Time) []string {
	state, refreshed, refreshes := "active", "-", "-"
	switch {
	case session.Ended:
		state = "revoked with others"
	case session.Revoked:
		state = "revoked"
	}
	if !session.RefreshedAt.IsZero() {
		refreshed, refreshes = ago(session.RefreshedAt, now), fmt.Sprint(session.Refreshes)
	}
	return []string{session.ID, cmp.Or(session.Client, "-"), refreshed, refreshes, session.Ends, state}
}
