package command

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

func newStatusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Shows the authorization servers of a running Caddy",
		Long: `
Shows the authorization servers of a running Caddy: their keys and files, how many
users and clients are loaded, how busy password checks are, and how many accounts
and addresses have to wait after wrong passwords. Below them are the outside issuers
whose tokens are taken, with their keys.

With --json, the output is a list of all servers, or with --server an object. Outside
issuers are not in it: --issuers shows them alone, with --json as a list.
` + webHelp + addressHelp,
		Example: `  caddy grant status
  caddy grant status --address unix//run/caddy-admin.sock
  caddy grant status --server default --json
  caddy grant status --issuers --json
  caddy grant status --web --open`,
		Args: noArgs,
		RunE: runStatus,
	}
	addNodesFlags(cmd)
	cmd.Flags().String("server", "", "name of the server (default: all)")
	cmd.Flags().Bool("issuers", false, "show the outside issuers alone")
	addWebFlags(cmd)
	addJSONFlag(cmd)
	cmd.MarkFlagsMutuallyExclusive("issuers", "server")
	cmd.MarkFlagsMutuallyExclusive("issuers", "web")
	return cmd
}

func runStatus(cmd *cobra.Command, _ []string) error {
	switch web, err := wantsWeb(cmd); {
	case err != nil:
		return err
	case web:
		return runStatusWeb(cmd)
	}
	if err := oneNode(cmd, "--web, or caddy grant top"); err != nil {
		return err
	}
	client, err := adminClient(cmd)
	if err != nil {
		return err
	}
	switch alone, err := cmd.Flags().GetBool("issuers"); {
	case err != nil:
		return err
	case alone:
		return showIssuers(cmd, client)
	}
	if name := flagValue(cmd, "server"); name != "" {
		status, err := wait(cmd, client.Server(name).Status)
		if err != nil {
			return err
		}
		if wantsJSON(cmd) {
			return printJSON(cmd, status)
		}
		return printStatus(cmd.OutOrStdout(), status, time.Now())
	}
	statuses, err := wait(cmd, client.Servers)
	switch {
	case err != nil:
		return err
	case wantsJSON(cmd):
		return printJSON(cmd, statuses)
	case len(statuses) == 0:
		cmd.PrintErrln("The running config has no token_endpoint.")
	}
	issuers, err := issuersOf(cmd, client)
	if err != nil {
		return err
	}
	for i, status := range statuses {
		if i > 0 {
			fmt.Fprintln(cmd.OutOrStdout())
		}
		if err := printStatus(cmd.OutOrStdout(), status, time.Now()); err != nil {
			return err
		}
	}
	if len(issuers) == 0 {
		return nil
	}
	if len(statuses) > 0 {
		fmt.Fprintln(cmd.OutOrStdout())
	}
	return printIssuers(cmd.OutOrStdout(), issuers, time.Now())
}

// printStatus prints a server for people.
func printStatus(w io.Writer, s adminapi.Status, now time.Time) error {
	name := "Server " + printable(s.Name)
	if s.Issuer != "" {
		name += ", " + printable(s.Issuer)
	}
	fmt.Fprintln(w, name)
	offers := strings.Join(s.Grants, ", ")
	if s.LoginPage {
		offers += ", login page"
	}
	throttle := fmt.Sprintf("%s, %s from one source, %s", english.Plural(s.Throttle.Accounts, "account", ""),
		english.Plural(s.Throttle.Pairs, "account", ""), english.Plural(s.Throttle.Addresses, "address", "addresses"))
	if s.Throttle.Off {
		throttle = "off"
	}
	rows := [][]string{
		{"config", "since " + ago(s.StartedAt, now)},
		{"offers", offers},
		{"users", counted(s.Users)},
		{"clients", clients(s)},
		{"password checks", fmt.Sprintf("%d of %d running, %d of %d waiting", s.Checks.Running, s.Checks.Concurrency, s.Checks.Waiting, s.Checks.Queue)},
		{"throttled", throttle},
		{"revoked", revoked(s.Sessions, now)},
	}
	rows = append(rows, engines(s.Sessions, now)...)
	if err := table(w, "  ", rows...); err != nil {
		return err
	}
	if err := printKeys(w, s.Keys, now); err != nil {
		return err
	}
	if len(s.Files) > 0 {
		fmt.Fprintln(w)
		if err := printFiles(w, s.Files, now); err != nil {
			return err
		}
	}
	if len(s.Ended) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	rows = [][]string{{"SESSIONS OF", "NAME", "REVOKED"}}
	shown := s.Ended[:min(len(s.Ended), mostEnded)]
	for _, mark := range shown {
		rows = append(rows, []string{mark.Scope, mark.Of, ago(mark.At, now)})
	}
	if err := table(w, "  ", rows...); err != nil {
		return err
	}
	if more := len(s.Ended) - len(shown); more > 0 {
		fmt.Fprintf(w, "  and %d older ones, see --json\n", more)
	}
	return nil
}

// revoked is how many revoked sessions the node knows, and since when.
func revoked(k adminapi.Knowledge, now time.Time) string {
	text := english.Plural(k.Revoked, "session", "")
	switch fails := k.OtherError(); {
	case fails != "":
		return text + ", the last read failed: " + fails
	case k.ReadAt != nil:
		return text + ", read " + ago(*k.ReadAt, now)
	case len(k.Engines) > 0:
		return text + ", not all read yet"
	}
	return text + ", not read from storage yet"
}

// engines are rows that say where sessions live, if that is not the storage alone.
func engines(k adminapi.Knowledge, now time.Time) (rows [][]string) {
	for i, engine := range k.Engines {
		text := engine.Name
		if i == 0 {
			text += ", where sessions begin"
		}
		switch {
		case engine.Error == "":
			text += ", answers"
		case engine.FailingSince != nil:
			text += ", fails since " + ago(*engine.FailingSince, now) + ": " + engine.Error
		default:
			text += ", fails: " + engine.Error
		}
		rows = append(rows, []string{"engine", text})
	}
	return rows
}

// mostEnded is how many of the latest are shown: they are never deleted.
const mostEnded = 20

// printKeys prints the signing keys after an empty line.
func printKeys(w io.Writer, keys []adminapi.Key, now time.Time) error {
	fmt.Fprintln(w)
	rows := [][]string{{"KEY", "ALGORITHM", "STAGE", "SINCE", "UNTIL"}}
	for _, key := range keys {
		rows = append(rows, []string{key.ID, key.Algorithm, key.Stage, agoIfKnown(key.Since, now), agoIfKnown(key.Until, now)})
	}
	return table(w, "  ", rows...)
}

// printFiles prints the files of users and clients, and below them their errors.
func printFiles(w io.Writer, files []adminapi.File, now time.Time) error {
	rows := [][]string{{"FILE", "READS", "ENTRIES", "LOADED"}}
	for _, file := range files {
		rows = append(rows, []string{file.Path, file.Reads, fmt.Sprint(file.Entries), ago(file.LoadedAt, now)})
	}
	if err := table(w, "  ", rows...); err != nil {
		return err
	}
	for _, file := range files {
		if file.Error != "" {
			fmt.Fprintf(w, "  %s was changed and is not active: %s\n", printable(file.Path), printable(file.Reason()))
		}
		if file.Conflict != "" {
			fmt.Fprintf(w, "  Keys are refused: %s\n", printable(file.Conflict))
		}
	}
	return nil
}

func counted(c adminapi.Count) string {
	if c.Partial {
		return fmt.Sprintf("%d, and those of sources that cannot list them", c.Count)
	}
	return fmt.Sprint(c.Count)
}

// clients counts the login page apart: it is a client, but is in no file.
func clients(s adminapi.Status) string {
	listed, page := s.ListedClients()
	if page {
		return counted(listed) + ", and the login page"
	}
	return counted(listed)
}
