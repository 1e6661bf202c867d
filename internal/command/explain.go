package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
	"github.com/caddygrant/caddy-grant/internal/explain"
	"github.com/caddygrant/caddy-grant/internal/oauthclient"
)

// newExplainCommand is `caddy grant explain`.
func newExplainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "Says why a token is accepted or refused",
		Long: `
Reads a token from stdin, or asks for it on a terminal without showing it, and
says what each check of it found, in order, up to the first that fails, and what
to do about it. It takes an access token, also one of an outside issuer, a
refresh token or an API key, also as it stands in a header or in the answer of the
token endpoint. The token is never printed.

A running Caddy is asked over its admin API what a bearer_auth would say: by
itself, or one that asks for --scope and --audience. With --jwks the token is
verified as an app would that knows nothing but the public keys. With --offline
it is verified with what the config of --config says, without a running Caddy
and without its storage: the keys, users and clients that are configured.

The exit status is 0 if the token is good, or, with --offline, as good as the
config can tell; 1 if it is refused, and 2 if that could not be told.
` + addressHelp,
		Example: `  caddy grant explain < token.txt
  caddy grant explain --server staff --scope contacts.write
  caddy grant explain --jwks https://login.example.com/token/jwks --issuer https://login.example.com
  caddy grant explain --offline --config /etc/caddy/Caddyfile`,
		Args: noArgs,
		RunE: runExplain,
	}
	addAdminFlags(cmd)
	cmd.Flags().String("server", "", "name of the server (default: the one that issued it)")
	cmd.Flags().StringArray("scope", nil, "scopes that a bearer_auth asks for, with spaces between them (can be repeated)")
	cmd.Flags().StringArray("audience", nil, "audience that a bearer_auth asks for (can be repeated)")
	cmd.Flags().String("jwks", "", "URL or file of a key set to verify with, in place of a running Caddy")
	cmd.Flags().String("issuer", "", "iss that an app asks for; with --jwks")
	cmd.Flags().Duration("leeway", time.Minute, "how far clocks may differ; with --jwks")
	cmd.Flags().Bool("insecure-http", false, "get the key set over plain http from another machine")
	cmd.Flags().Bool("offline", false, "verify with the config of --config, in place of a running Caddy")
	addJSONFlag(cmd)
	cmd.MarkFlagsMutuallyExclusive("jwks", "offline")
	cmd.MarkFlagsMutuallyExclusive("jwks", "server")
	cmd.MarkFlagsMutuallyExclusive("jwks", "address")
	cmd.MarkFlagsMutuallyExclusive("offline", "address")
	return cmd
}

func runExplain(cmd *cobra.Command, _ []string) error {
	input, err := secretFromStdin(cmd, "Token: ", longestToken)
	if err != nil {
		return exit(cmd, 2, err)
	}
	raw := explain.Clean(input)
	if raw == "" {
		return exit(cmd, 2, errors.New("there is no token: write it to stdin"))
	}
	answer, err := explained(cmd, raw)
	if err != nil {
		return exit(cmd, 2, err)
	}
	if wantsJSON(cmd) {
		err = printJSON(cmd, answer)
	} else {
		err = answer.print(cmd.OutOrStdout())
	}
	switch {
	case err != nil:
		return exit(cmd, 2, err)
	case !answer.Active && !answer.fails():
		return exit(cmd, 2, nil) // it was printed
	case !answer.Active:
		cmd.SilenceErrors = true // it was printed
		return errRefusedToken
	}
	return nil
}

// scopesFlag are the scopes of all --scope, which are also separated by spaces, as in a
// request.
func scopesFlag(cmd *cobra.Command) ([]string, error) {
	values, err := cmd.Flags().GetStringArray("scope")
	return strings.Fields(strings.Join(values, " ")), err
}

// explainedToken is an explanation and who gave it.
type explainedToken struct {
	adminapi.Explanation
	By         string           `json:"by"`
	Unverified *unverifiedToken `json:"unverified,omitempty"`
}

// unverifiedToken is what a token says that no check confirmed.
type unverifiedToken struct {
	Header map[string]any `json:"header"`
	Claims map[string]any `json:"claims"`
}

// explained asks whom the flags say.
func explained(cmd *cobra.Command, raw string) (answer explainedToken, err error) {
	request := adminapi.ExplainRequest{Token: raw}
	if request.Scopes, err = scopesFlag(cmd); err != nil {
		return answer, err
	}
	if request.Audience, err = cmd.Flags().GetStringArray("audience"); err != nil {
		return answer, err
	}
	offline, err := cmd.Flags().GetBool("offline")
	switch place := flagValue(cmd, "jwks"); {
	case err != nil:
		return answer, err
	case place != "":
		answer, err = explainedByKeySet(cmd, place, request)
	case offline:
		answer, err = explainedOffline(cmd, request)
	default:
		answer, err = explainedByCaddy(cmd, request)
	}
	if err == nil && answer.Claims == nil {
		if said := explain.Decode(raw); said.Header != nil {
			answer.Unverified = &unverifiedToken{said.Header, said.Claims}
		}
	}
	return answer, err
}

// explainedByCaddy asks the server of a running Caddy that --server names, or the one
// that knows most about the token.
func explainedByCaddy(cmd *cobra.Command, request adminapi.ExplainRequest) (best explainedToken, err error) {
	client, err := adminClient(cmd)
	if err != nil {
		return best, err
	}
	names := []string{flagValue(cmd, "server")}
	if names[0] == "" {
		if answer, ok, err := explainedByIssuers(cmd, client, request); ok {
			return answer, err
		}
		statuses, err := wait(cmd, client.Servers)
		if err != nil {
			return best, err
		}
		issuers, err := issuerURLs(cmd, client)
		if err != nil {
			return best, err
		}
		if x, ok := explain.OfNoIssuer(request.Token, issuers, len(statuses) == 0); ok {
			return explainedToken{Explanation: x, By: "the running config"}, nil
		}
		if len(statuses) == 0 {
			return best, errNoServer
		}
		names = nil
		for _, status := range statuses {
			names = append(names, status.Name)
		}
	}
	for _, name := range names {
		found, err := wait(cmd, func(ctx context.Context) (adminapi.Explanation, error) {
			return client.Server(name).Explain(ctx, request)
		})
		if err != nil {
			return best, err
		}
		if answer := (explainedToken{Explanation: found, By: "the server " + name}); best.By == "" || answer.knowsMoreThan(best) {
			best = answer
		}
	}
	return best, nil
}

// explainedByIssuers asks about a token of an outside issuer. ok is false if it is not one
// of those that the running config takes.
func explainedByIssuers(cmd *cobra.Command, client *adminapi.Client, request adminapi.ExplainRequest) (answer explainedToken, ok bool, err error) {
	found, err := wait(cmd, func(ctx context.Context) (adminapi.Explanation, error) { return client.Issuers().Explain(ctx, request) })
	if answered, is := errors.AsType[*adminapi.Error](err); is && answered.Status == http.StatusNotFound {
		return answer, false, nil // also of a Caddy that knows no outside issuers
	}
	said, _ := explain.Decode(request.Token).Claims["iss"].(string)
	return explainedToken{Explanation: found, By: "the running config for the outside issuer " + said}, true, err
}

// issuerURLs are the outside issuers that the running config takes.
func issuerURLs(cmd *cobra.Command, client *adminapi.Client) (urls []string, err error) {
	issuers, err := issuersOf(cmd, client)
	for _, one := range issuers {
		urls = append(urls, one.URL)
	}
	slices.Sort(urls)
	return slices.Compact(urls), err
}

// fails tells whether a check fails, and not only none could tell.
func (x explainedToken) fails() bool {
	return slices.ContainsFunc(x.Checks, func(check adminapi.CheckResult) bool { return !check.Passed && !check.Skipped })
}

// verdict is the first line for people.
func (x explainedToken) verdict() string {
	kind := map[string]string{"access_token": "Access token", "refresh_token": "Refresh token", "api_key": "API key"}[x.Kind]
	if kind == "" {
		kind = "Token"
	}
	by := printable(x.By)
	switch skips := slices.ContainsFunc(x.Checks, func(check adminapi.CheckResult) bool { return check.Skipped }); {
	case x.Active && skips:
		return kind + ", good, as far as " + by + " tells."
	case x.Active:
		return kind + ", good according to " + by + "."
	case x.fails():
		return kind + ", refused according to " + by + "."
	}
	return kind + ": " + by + " does not tell whether it is good."
}

// knowsMoreThan tells which of two servers has to do with a token.
func (x explainedToken) knowsMoreThan(other explainedToken) bool {
	if x.Active != other.Active {
		return x.Active
	}
	if known, otherKnown := x.Claims != nil, other.Claims != nil; known != otherKnown {
		return known
	}
	return len(x.Checks) > len(other.Checks)
}

// explainedByKeySet verifies as an app does.
func explainedByKeySet(cmd *cobra.Command, place string, request adminapi.ExplainRequest) (answer explainedToken, err error) {
	verifier := explain.Verifier{Issuer: flagValue(cmd, "issuer"), Audience: request.Audience, Scopes: request.Scopes}
	if verifier.Leeway, err = cmd.Flags().GetDuration("leeway"); err != nil {
		return answer, err
	}
	insecure, err := cmd.Flags().GetBool("insecure-http")
	if err != nil {
		return answer, err
	}
	if strings.Contains(place, "://") {
		client := oauthclient.Client{AllowHTTP: insecure}
		u, err := client.ParseKeySetURL(place)
		if err != nil {
			return answer, fmt.Errorf("--jwks: %w", err)
		}
		verifier.Keys, err = wait(cmd, func(ctx context.Context) (jose.JSONWebKeySet, error) { return client.KeySet(ctx, u) })
		if err != nil {
			return answer, err
		}
	} else if verifier.Keys, err = readKeySet(place); err != nil {
		return answer, err
	}
	return explainedToken{Explanation: verifier.Token(request.Token), By: "the key set " + place}, nil
}

func readKeySet(path string) (set jose.JSONWebKeySet, err error) {
	file, err := os.Open(path)
	if err != nil {
		return set, fmt.Errorf("reading the key set: %w", err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, longestKeySet))
	if err != nil {
		return set, fmt.Errorf("reading the key set: %w", err)
	}
	return oauthclient.ParseKeySet(path, content)
}

// print prints an explanation for people.
func (x explainedToken) print(w io.Writer) error {
	fmt.Fprint(w, x.verdict(), "\n\n")
	remedy := ""
	var rows [][]string
	for _, check := range x.Checks {
		mark := "ok"
		switch {
		case check.Skipped:
			mark, remedy = "?", check.Remedy
		case !check.Passed:
			mark, remedy = "FAILS", check.Remedy
		}
		rows = append(rows, []string{mark, check.Check, check.Found})
	}
	if err := table(w, "  ", rows...); err != nil {
		return err
	}
	if remedy != "" {
		fmt.Fprintf(w, "\nWhat to do: %s.\n", printable(remedy))
	}
	if x.Claims != nil {
		fmt.Fprint(w, "\nIts claims:\n")
		return table(w, "  ", claimRows(x.Claims)...)
	}
	if x.Unverified == nil {
		return nil
	}
	fmt.Fprint(w, "\nWhat it says of itself, which anyone can write:\n")
	return table(w, "  ", append(claimRows(x.Unverified.Header), claimRows(x.Unverified.Claims)...)...)
}

// claimRows are claims as JSON, dates also in words.
func claimRows(claims map[string]any) (rows [][]string) {
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		encoded, err := json.Marshal(claims[name])
		if err != nil {
			continue
		}
		value := string(encoded)
		if len(value) > longestClaim {
			value = strings.ToValidUTF8(value[:longestClaim], "") + "..."
		}
		if slices.Contains([]string{"exp", "nbf", "iat", "session_exp", "expire_time"}, name) {
			if seconds, err := json.Number(value).Int64(); err == nil && seconds > 0 && seconds < 1<<40 {
				value += " (" + ago(time.Unix(seconds, 0), time.Now()) + ")"
			}
		}
		rows = append(rows, []string{name, value})
	}
	return rows
}

var errRefusedToken = errors.New("the token is refused")

const (
	longestToken  = 256 << 10 // or of the answer that it is in
	longestKeySet = 1 << 20
	longestClaim  = 500
)
