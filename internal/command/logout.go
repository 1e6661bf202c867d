package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/oauthclient"
	"github.com/caddygrant/caddy-grant/internal/tokenstore"
)

func newLogoutCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "logout [URL]",
		Short: "Revokes the tokens of a login, and forgets them",
		Long: `
Revokes the session of 'caddy grant login', so that no token of it is good any
longer, and forgets its tokens. The URL can be left out if there is one session.

If the server gives no answer, the tokens are kept, so that you can try again.
With --forget they are forgotten without being revoked.`,
		Example: `  caddy grant logout
  caddy grant logout https://app.example.com`,
		Args: rangeArgs("", 0, 1),
		RunE: runLogout,
	}
	cmd.Flags().Bool("forget", false, "forget the tokens without revoking them")
	addStoreFlags(cmd)
	return cmd
}

func runLogout(cmd *cobra.Command, args []string) error {
	store, client, url, err := keptSession(cmd, args)
	if err != nil {
		return err
	}
	forget, err := cmd.Flags().GetBool("forget")
	if err != nil {
		return err
	}
	unlock, err := store.Lock(cmd.Context(), url)
	if err != nil {
		return err
	}
	defer unlock()
	session, err := store.Load(url)
	if err != nil && !(forget && session.URL != "") {
		return err
	}
	if !forget {
		_, err := wait(cmd, func(ctx context.Context) (struct{}, error) { return struct{}{}, revokeSession(ctx, client, session) })
		if err != nil {
			return fmt.Errorf("%w\nThe tokens are kept. Try again, or forget them with --forget", err)
		}
	}
	if err := store.Delete(session); err != nil {
		return err
	}
	if forget {
		cmd.PrintErrf("Forgot the tokens of %s. They are not revoked.\n", url)
	} else {
		cmd.PrintErrf("Logged out at %s.\n", url)
	}
	return nil
}

func revokeSession(ctx context.Context, client *oauthclient.Client, session tokenstore.Session) error {
	if session.Endpoints.Revocation == "" {
		return errors.New("the server has no revocation endpoint")
	}
	credentials, err := session.Credentials()
	if err != nil {
		return err
	}
	return client.Revoke(ctx, session.Endpoints, credentials, session.Tokens)
}

// keptSession is the URL of the session that the arguments name, and what it takes to
// use it.
func keptSession(cmd *cobra.Command, args []string) (*tokenstore.Store, *oauthclient.Client, string, error) {
	store, client, err := tokenStore(cmd)
	if err != nil {
		return nil, nil, "", err
	}
	url, err := sessionURL(store, client, args)
	return store, client, url, err
}

// sessionURL is the one that an argument names, or that of the only session.
func sessionURL(store *tokenstore.Store, client *oauthclient.Client, args []string) (string, error) {
	if len(args) > 0 {
		u, err := client.Parse(args[0])
		if err != nil {
			return "", err
		}
		return u.String(), nil
	}
	sessions, err := store.List()
	if err != nil {
		return "", err
	}
	var urls []string
	for _, session := range sessions {
		urls = append(urls, printable(session.URL))
	}
	switch len(urls) {
	case 0:
		return "", tokenstore.ErrNone
	case 1:
		return sessions[0].URL, nil
	}
	return "", fmt.Errorf("you are logged in at %d URLs: say which one, of %s", len(urls), strings.Join(urls, ", "))
}
