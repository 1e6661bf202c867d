package command

import (
	"cmp"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/explain"
	"github.com/caddygrant/caddy-grant/internal/tokenstore"
)

func newWhoamiCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "whoami [URL]",
		Short: "Shows who is logged in, and with which scopes",
		Long: `
Shows the session of 'caddy grant login': the user, the scopes, and when the
access token ends. The URL can be left out if there is one session.

An access token that has ended is refreshed first, which tells whether the
session goes on. Until then the server is not asked, and may have revoked it.
--check asks now, by a refresh.`,
		Example: `  caddy grant whoami
  caddy grant whoami --check
  caddy grant whoami https://app.example.com --json`,
		Args: rangeArgs("", 0, 1),
		RunE: runWhoami,
	}
	cmd.Flags().Bool("check", false, "refresh the tokens, to learn whether the session goes on")
	addStoreFlags(cmd)
	addJSONFlag(cmd)
	return cmd
}

// login is a session without its secrets.
type login struct {
	URL      string     `json:"url"`
	Username string     `json:"username"`
	Subject  string     `json:"sub,omitempty"`
	Client   string     `json:"client_id,omitempty"`
	Scopes   []string   `json:"scopes"`
	Expires  *time.Time `json:"expires,omitempty"` // of the access token
	Refresh  bool       `json:"refreshes"`         // whether it goes on after that
	Checked  *time.Time `json:"checked,omitempty"` // when the server last gave tokens
	KeptIn   string     `json:"kept_in"`
}

func runWhoami(cmd *cobra.Command, args []string) error {
	store, client, url, err := keptSession(cmd, args)
	if err != nil {
		return err
	}
	check, err := cmd.Flags().GetBool("check")
	if err != nil {
		return err
	}
	load := store.Fresh
	if check {
		load = store.Checked
	}
	session, err := wait(cmd, func(ctx context.Context) (tokenstore.Session, error) { return load(ctx, client, url) })
	if errors.Is(err, tokenstore.ErrOver) {
		return errors.New(tokenstore.ErrOver.Error() + ", with caddy grant login " + url)
	}
	if err != nil {
		return err
	}
	if check && session.Tokens.Refresh == "" {
		return errors.New("there is no refresh token to check the session with: log in again, or ask an app")
	}
	shown := loginOf(session)
	if wantsJSON(cmd) {
		return printJSON(cmd, shown)
	}
	return shown.print(cmd.OutOrStdout())
}

// loginOf takes what a token says of itself for what it is: the server gave it.
func loginOf(session tokenstore.Session) login {
	claims := explain.Decode(session.Tokens.Access).Claims
	text := func(name string) string { text, _ := claims[name].(string); return text }
	x := login{
		URL: session.URL, Username: cmp.Or(text("username"), session.Username), Subject: text("sub"),
		Client: cmp.Or(session.ClientID, text("client_id")), Scopes: strings.Fields(session.Tokens.Scope),
		Refresh: session.Tokens.Refresh != "", KeptIn: session.KeptIn,
	}
	if !session.Tokens.Expires.IsZero() {
		expires := session.Tokens.Expires.UTC().Truncate(time.Second)
		x.Expires = &expires
	}
	if !session.Tokens.Given.IsZero() {
		given := session.Tokens.Given.UTC().Truncate(time.Second)
		x.Checked = &given
	}
	return x
}

func (x login) print(w io.Writer) error {
	rows := [][]string{{"URL", x.URL}, {"user", x.Username}}
	if x.Subject != "" && x.Subject != x.Username {
		rows = append(rows, []string{"sub", x.Subject})
	}
	rows = append(rows, []string{"client", x.Client}, []string{"scopes", strings.Join(x.Scopes, " ")})
	if x.Expires != nil {
		then := ", then you have to log in again"
		if x.Refresh {
			then = ", then it is refreshed"
		}
		rows = append(rows, []string{"access token", "ends " + ago(*x.Expires, time.Now()) + then})
	}
	if x.Checked != nil {
		rows = append(rows, []string{"checked", ago(*x.Checked, time.Now()) + ", when the server gave the tokens"})
	}
	return table(w, "", append(rows, []string{"kept in", x.KeptIn})...)
}
