package command

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/apikey"
	"github.com/caddygrant/caddy-grant/internal/useredit"
)

func newKeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key COMMAND",
		Short: "Makes, lists and revokes API keys",
		Long: `
Edits a file of API keys, which scripts send in place of a token. All else in the
file stays as it is. The file is replaced as a whole or not at all, and only by one
that Caddy accepts.
` + keyFileHelp,
		Args: onlyCommands,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newKeyAddCommand(), newKeyListCommand(), newKeyRevokeCommand())
	return cmd
}

const keyFileHelp = `
The file is that of --file, or else the one that the config names with api_keys. A
new file is JSON if its name ends in .json, and has one key a line if not.`

func newKeyAddCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Makes a key, and prints it",
		Long: `
Makes a random key of 256 bits, adds its hash to a file, and creates the file if there
is none. The key is printed on stdout, once, and everything else on stderr. The file
has no key, so one that is lost cannot be shown again.

A key has one owner, a user or a client, and never more scopes than its owner has. A
user with an id is named by it: with --user, the command finds the id if the config
or the file says it.

The config also tells which scopes the owner can have, and which names other files of
the server have. So name it with --config beside --file if it has several files.
` + keyFileHelp,
		Example: `  caddy grant key add deploy --user alice --scopes contacts.read --expires 90d
  KEY=$(caddy grant key add nightly --client batch --file keys.txt --scopes reports.write)`,
		Args: exactArgs("name the key", 1),
		RunE: func(cmd *cobra.Command, args []string) error { return addKey(cmd, args[0]) },
	}
	addFileAndConfigFlags(cmd, useredit.Keys)
	flags := cmd.Flags()
	flags.String("user", "", "the user who owns the key, by name")
	flags.String("user-id", "", "the user who owns the key, by id")
	flags.String("client", "", "the client that owns the key")
	flags.StringSlice("scopes", nil, "the scopes of the key (default: none)")
	flags.StringSlice("audience", nil, "the audiences of the key (default: those of the client, or of the server)")
	flags.String("expires", "", "when the key ends: after a while, such as 90d, or at a date, such as 2027-01-31 (default: never)")
	flags.String("note", "", "what the key is for")
	cmd.MarkFlagsMutuallyExclusive("user", "user-id", "client")
	return cmd
}

func addKey(cmd *cobra.Command, name string) error {
	if err := apikey.ValidateKeyName(name); err != nil {
		return err
	}
	f, err := findFile(cmd, useredit.Keys)
	if err != nil {
		return err
	}
	key, err := keyOfFlags(cmd, name)
	if err != nil {
		return err
	}
	servers, err := f.servers(cmd)
	if err != nil {
		return err
	}
	if err := servers.haveName(name); err != nil {
		return err
	}
	said, err := f.ownKey(servers, key)
	if err != nil {
		return err
	}
	secret := apikey.Make()
	key.Hash = apikey.DigestOf(secret).Hash()
	owner, whose := key.Owner()
	done := []string{fmt.Sprintf("Added the key %s of the %s to %s.", name, ownerWords(owner, whose), f.path)}
	if said != "" {
		done = append(done, said)
	}
	if _, err := os.Stat(f.path); err == nil { // a running Caddy does not have a new file either
		if said := servers.ofInlineOwner(key); said != "" {
			done = append(done, said)
		}
	}
	if len(key.Scopes) == 0 {
		done = append(done, "It has no scopes, so it passes only where none are asked for.")
	}
	err = f.editKeys(cmd, true, func(file *useredit.KeyFile) error { return file.Add(key) }, done...)
	if err != nil {
		return withAdvice(err, useredit.ErrExists, `choose another name, or end that key with "caddy grant key revoke"`)
	}
	for _, warning := range servers.warnings(key) {
		cmd.PrintErrln(warning)
	}
	if _, err := fmt.Fprintln(cmd.OutOrStdout(), secret); err != nil {
		return fmt.Errorf("the key could not be printed, and is lost: run \"caddy grant key revoke %s\"", name)
	}
	return nil
}

// keyOfFlags is a key without its hash.
func keyOfFlags(cmd *cobra.Command, name string) (*apikey.Key, error) {
	k := &apikey.Key{Name: name}
	flags := cmd.Flags()
	var errs [7]error
	k.User, errs[0] = flags.GetString("user")
	k.UserID, errs[1] = flags.GetString("user-id")
	k.Client, errs[2] = flags.GetString("client")
	k.Scopes, errs[3] = flags.GetStringSlice("scopes")
	k.Audience, errs[4] = flags.GetStringSlice("audience")
	expires, err := flags.GetString("expires")
	errs[5] = err
	k.Note, errs[6] = flags.GetString("note")
	if err := firstError(append(errs[:], checkListFlag("scopes", k.Scopes))...); err != nil {
		return nil, err
	}
	if k.User == "" && k.UserID == "" && k.Client == "" {
		return nil, errors.New("say whose key it is with --user, --user-id or --client")
	}
	switch {
	case !flags.Changed("audience"):
		k.Audience = nil // an empty list would be no audience at all
	case len(k.Audience) == 0:
		return nil, errors.New("--audience is empty: leave it out for the audiences of the owner")
	}
	if flags.Changed("expires") && expires == "" {
		return nil, errors.New("--expires is empty: leave it out for a key that does not end")
	}
	k.Note = strings.TrimSpace(k.Note)
	end, err := keyEnd(expires, time.Now())
	if err != nil {
		return nil, err
	}
	k.Expires = apikey.End(end)
	tried := *k
	tried.Hash = apikey.DigestOf("").Hash() // until there is a key
	return k, tried.Validate()
}

// keyEnd is when a key ends, as a file has it: --expires is how long, or a date.
func keyEnd(expires string, now time.Time) (string, error) {
	if expires == "" {
		return "", nil
	}
	if lasts, err := caddy.ParseDuration(expires); err == nil {
		if lasts <= 0 {
			return "", errors.New("--expires: it must be longer than nothing, such as 90d")
		}
		return now.Add(lasts).UTC().Format(time.RFC3339), nil
	}
	switch end, err := apikey.ParseEnd(expires); {
	case err != nil:
		return "", errors.New("--expires: write how long, such as 90d, or a date: 2027-01-31, which is midnight UTC, or 2027-01-31T18:00:00Z")
	case !end.After(now):
		return "", errors.New("--expires: that is over already")
	}
	return expires, nil
}

func newKeyRevokeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke NAME",
		Short: "Ends a key",
		Long: `
Removes a key from a file. It is refused as soon as Caddy applies the change. To
change a key without an outage, make a second one, move the script to it, and revoke
the first one.
` + keyFileHelp,
		Example:           `  caddy grant key revoke deploy --file /etc/caddy/keys.txt`,
		Args:              exactArgs("name the key", 1),
		ValidArgsFunction: completeKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := findFile(cmd, useredit.Keys)
			if err != nil {
				return err
			}
			err = f.editKeys(cmd, false, func(file *useredit.KeyFile) error { return file.Remove(args[0]) },
				fmt.Sprintf("Revoked the key %s of %s.", args[0], f.path))
			return withAdvice(err, useredit.ErrNone, `"caddy grant key list" shows the names`)
		},
	}
	addFileFlags(cmd, useredit.Keys)
	return cmd
}

// editKeys changes a file of API keys, and says on stderr what was done.
func (f entriesFile) editKeys(cmd *cobra.Command, create bool, change func(*useredit.KeyFile) error, done ...string) error {
	return f.rewrite(cmd, create, func(old []byte) ([]byte, error) {
		return useredit.EditKeys(old, f.format, change)
	}, done...)
}

// keys reads a file of API keys.
func (f entriesFile) keys() (*apikey.Set, error) {
	data, err := f.read()
	if err != nil {
		return nil, err
	}
	keys, err := useredit.ReadKeys(data, f.format)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	return keys, nil
}

// completeKeys completes the first argument with the names of the keys.
func completeKeys(cmd *cobra.Command, args []string, _ string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
	f, err := findFile(cmd, useredit.Keys)
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if keys, err := f.keys(); err == nil {
		for k := range keys.All() {
			names = append(names, k.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
