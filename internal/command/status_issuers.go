package command

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
	"github.com/caddygrant/caddy-grant/internal/statusview"
)

// showIssuers shows the outside issuers alone.
func showIssuers(cmd *cobra.Command, client *adminapi.Client) error {
	issuers, err := issuersOf(cmd, client)
	switch {
	case err != nil:
		return err
	case wantsJSON(cmd):
		return printJSON(cmd, append([]adminapi.Issuer{}, issuers...))
	case len(issuers) == 0:
		cmd.PrintErrln("The running config takes no tokens of outside issuers.")
		return nil
	}
	return printIssuers(cmd.OutOrStdout(), issuers, time.Now())
}

// issuersOf are the outside issuers of a running Caddy, none if it is of a version without
// them.
func issuersOf(cmd *cobra.Command, client *adminapi.Client) ([]adminapi.Issuer, error) {
	issuers, err := wait(cmd, client.Issuers().List)
	if answered, is := errors.AsType[*adminapi.Error](err); is && answered.Status == http.StatusNotFound {
		return nil, nil
	}
	return issuers, err
}

// printIssuers prints outside issuers for people.
func printIssuers(w io.Writer, issuers []adminapi.Issuer, now time.Time) error {
	rows := [][]string{{"OUTSIDE ISSUER", "KEYS", "FETCHED"}}
	var failures []string
	names := adminapi.IssuerNames(issuers)
	for i, issuer := range issuers {
		keys, fetched := "no keys yet", "-"
		if issuer.FetchedAt != nil {
			keys, fetched = english.Plural(issuer.Keys, "key", ""), ago(*issuer.FetchedAt, now)
			if issuer.Keys == 0 {
				keys = "withdrawn"
			}
		}
		if issuer.Error != "" {
			fetched = strings.TrimPrefix(fetched+", the last attempt failed", "-, ")
			failures = append(failures, printable(names[i])+": "+statusview.Printable(issuer.Error))
		}
		rows = append(rows, []string{printable(names[i]), keys, fetched})
	}
	if err := table(w, "", rows...); err != nil {
		return err
	}
	for _, failure := range failures {
		fmt.Fprintln(w, "  "+failure)
	}
	return nil
}
