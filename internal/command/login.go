package command

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/caddygrant/caddy-grant/internal/oauthclient"
	"github.com/caddygrant/caddy-grant/internal/tokenstore"
)

// keptHelp ends the help texts of the commands that keep tokens.
const keptHelp = `
Tokens are kept in your keyring. Where there is none, as on a server, or where
they are too long for it, they are kept in a file that only you can read, below
your configuration directory.`

func newLoginCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "login URL [-- COMMAND [ARGUMENT...]]",
		Short: "Logs in at a token endpoint, and keeps the tokens",
		Long: `
Logs in with a username and a password, and keeps the tokens. The URL is that of
the site, whose metadata names the token endpoint, or of the token endpoint
itself. A site without metadata has it at /token.

The password is asked for on the terminal, or read from stdin if that is not a
terminal. It is never an argument, and it is not kept.

With a command, the session of an earlier login is used, and refreshed if need
be. You are asked for the password only if there is none, on the terminal: stdin
is the command's. The command gets the access token in the environment variable
CADDY_GRANT_TOKEN. A command named curl also sends it, as if it had
--oauth2-bearer, without the token in its arguments, where other users could see
it. The exit status is that of the command.
` + keptHelp,
		Example: `  caddy grant login https://app.example.com --username alice
  caddy grant login https://login.example.com/token --client-id web --client-secret-file web.secret
  caddy grant login https://app.example.com -- curl https://app.example.com/api/contacts
  caddy grant login https://app.example.com -- ./import.py contacts.csv`,
		Args: rangeArgs("name the site", 1, -1),
		RunE: runLogin,
	}
	cmd.Flags().StringP("username", "u", "", "username (default: asked for)")
	cmd.Flags().String("client-id", "", "client_id (default: the server's default client)")
	cmd.Flags().String("client-secret-file", "", "file with the client's secret, which each refresh reads (default: asked for, if there is a client_id)")
	cmd.Flags().StringArray("scope", nil, "scopes to ask for, with spaces between them (can be repeated; default: the client's)")
	addStoreFlags(cmd)
	return cmd
}

// addStoreFlags adds the flags of all commands that use kept tokens.
func addStoreFlags(cmd *cobra.Command) {
	cmd.Flags().Bool("no-keyring", false, "keep tokens in a file, even if there is a keyring")
	cmd.Flags().Bool("insecure-http", false, "send passwords and tokens over plain http to another machine")
}

// tokenStore opens the store and a client, as the flags say.
func tokenStore(cmd *cobra.Command) (*tokenstore.Store, *oauthclient.Client, error) {
	noKeyring, err := cmd.Flags().GetBool("no-keyring")
	if err != nil {
		return nil, nil, err
	}
	insecure, err := cmd.Flags().GetBool("insecure-http")
	if err != nil {
		return nil, nil, err
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return nil, nil, fmt.Errorf("looking for your configuration directory: %w", err)
	}
	store, err := tokenstore.Open(filepath.Join(dir, "caddy-grant"), !noKeyring)
	return store, &oauthclient.Client{AllowHTTP: insecure}, err
}

func runLogin(cmd *cobra.Command, args []string) error {
	command := args[1:]
	if dash := cmd.ArgsLenAtDash(); len(command) > 0 && dash != 1 {
		return errors.New("the command comes after --, as in \"caddy grant login https://app.example.com -- curl https://app.example.com/\"")
	}
	store, client, err := tokenStore(cmd)
	if err != nil {
		return err
	}
	u, err := client.Parse(args[0])
	if err != nil {
		return err
	}
	if len(command) == 0 {
		session, err := logIn(cmd, store, client, u, false)
		if err != nil {
			return err
		}
		printSession(cmd, session)
		return nil
	}
	program, err := lookPath(command[0])
	if err != nil {
		return exit(cmd, 127, err)
	}
	session, err := freshSession(cmd, store, client, u)
	if err != nil {
		return err
	}
	return runWithToken(cmd, program, command, session.Tokens.Access)
}

// freshSession uses the kept session, unless there is none, it is over, or the flags ask
// for another one.
func freshSession(cmd *cobra.Command, store *tokenstore.Store, client *oauthclient.Client, u *url.URL) (tokenstore.Session, error) {
	session, err := wait(cmd, func(ctx context.Context) (tokenstore.Session, error) {
		return store.Fresh(ctx, client, u.String())
	})
	none := errors.Is(err, tokenstore.ErrNone) || errors.Is(err, tokenstore.ErrOver)
	if err == nil {
		var fits bool
		if fits, err = fitsFlags(cmd, session); fits || err != nil {
			return session, err
		}
		none = true
	}
	if none {
		return logIn(cmd, store, client, u, true)
	}
	return session, err
}

// fitsFlags tells whether a session is the one that the flags ask for.
func fitsFlags(cmd *cobra.Command, session tokenstore.Session) (bool, error) {
	scopes, err := scopesFlag(cmd)
	if err != nil {
		return false, err
	}
	for flag, has := range map[string]string{"username": session.Username, "client-id": session.ClientID} {
		if wanted := flagValue(cmd, flag); wanted != "" && wanted != has {
			return false, nil
		}
	}
	granted := strings.Fields(session.Tokens.Scope)
	return !slices.ContainsFunc(scopes, func(scope string) bool { return !slices.Contains(granted, scope) }), nil
}

// logIn begins a session and keeps it. stdin that belongs to a command is not read.
func logIn(cmd *cobra.Command, store *tokenstore.Store, client *oauthclient.Client, u *url.URL, forCommand bool) (session tokenstore.Session, err error) {
	scopes, err := scopesFlag(cmd)
	if err != nil {
		return session, err
	}
	session = tokenstore.Session{
		URL: u.String(), Username: flagValue(cmd, "username"),
		ClientID: flagValue(cmd, "client-id"), SecretFile: flagValue(cmd, "client-secret-file"),
	}
	if session.SecretFile != "" {
		if session.ClientID == "" {
			return session, errors.New("--client-secret-file needs --client-id")
		}
		if session.SecretFile, err = filepath.Abs(session.SecretFile); err != nil {
			return session, err
		}
	}
	session.Endpoints, err = wait(cmd, func(ctx context.Context) (oauthclient.Endpoints, error) { return client.Discover(ctx, u) })
	if err != nil {
		return session, err
	}
	credentials, err := session.Credentials() // before anyone types a password
	if err != nil {
		return session, err
	}
	asked, err := askForLogin(cmd, &session, forCommand)
	if err != nil {
		return session, err
	}
	credentials.Secret += session.ClientSecret // at most one of them is there
	session.Tokens, err = wait(cmd, func(ctx context.Context) (oauthclient.Tokens, error) {
		return client.LogIn(ctx, session.Endpoints, credentials, session.Username, asked, scopes)
	})
	if err != nil {
		return session, ofClient(err, credentials)
	}
	unlock, err := store.Lock(cmd.Context(), session.URL)
	if err != nil {
		return session, err
	}
	defer unlock()
	replaced, err := store.Load(session.URL)
	if err == nil {
		// no one could revoke it later; if this fails, it ends on its own
		defer func() { _ = revokeSession(cmd.Context(), client, replaced) }()
		if replaced.URL != session.URL {
			_ = store.Delete(replaced)
		}
	}
	return session, store.Save(&session)
}

// ofClient says which flag is missing where the server does not know the client.
func ofClient(err error, sent oauthclient.Credentials) error {
	refused, ok := errors.AsType[*oauthclient.Error](err)
	switch {
	case !ok || refused.Code != "invalid_client":
		return err
	case sent.ID == "":
		return fmt.Errorf("%s has no default client: add --client-id, and --client-secret-file if the client has a secret", refused.Endpoint)
	case sent.Secret == "":
		return fmt.Errorf("%w; if the client has a secret, add --client-secret-file", err)
	}
	return err
}

// askForLogin asks for what the flags leave open, and returns the password.
func askForLogin(cmd *cobra.Command, session *tokenstore.Session, forCommand bool) (password string, err error) {
	terminal, ok := cmd.InOrStdin().(*os.File)
	if isTerminal := ok && term.IsTerminal(int(terminal.Fd())); !isTerminal {
		if !forCommand {
			if session.Username == "" {
				return "", errors.New("stdin is not a terminal, so it has the password: name the user with --username")
			}
			password, err := secretFromStdin(cmd, "", longestPassword)
			return strings.TrimRight(password, "\r\n"), err
		}
		if terminal, err = openTerminal(); err != nil {
			return "", fmt.Errorf("%w, and there is no terminal to ask for the password: log in first, with caddy grant login %s", tokenstore.ErrNone, session.URL)
		}
		defer terminal.Close()
	}
	if session.Username == "" {
		if session.Username, err = ask(cmd, terminal, "Username: "); err != nil {
			return "", err
		}
	}
	if session.ClientID != "" && session.SecretFile == "" {
		prompt := fmt.Sprintf("Secret of the client %s (empty if it is public): ", printable(session.ClientID))
		if session.ClientSecret, err = askWithoutEcho(cmd, terminal, prompt); err != nil {
			return "", err
		}
	}
	return askWithoutEcho(cmd, terminal, fmt.Sprintf("Password of %s at %s: ", printable(session.Username), session.URL))
}

// printSession says who is logged in, on stderr: a login has no data.
func printSession(cmd *cobra.Command, session tokenstore.Session) {
	kept := "your keyring"
	if session.KeptIn != "keyring" {
		kept = session.KeptIn
	}
	how := "valid until the access token ends"
	if session.Tokens.Refresh != "" {
		how = "refreshed when needed"
	}
	cmd.PrintErrf("Logged in at %s as %s. The tokens are kept in %s, and %s.\n", session.URL, printable(session.Username), kept, how)
}

const longestPassword = 4096
