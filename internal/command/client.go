package command

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/caddygrant/caddy-grant/internal/password"
	"github.com/caddygrant/caddy-grant/internal/useredit"
)

func newClientCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "client COMMAND",
		Short: "Adds, changes and lists the clients of a file",
		Long: `
Edits a file of clients, the apps that ask for tokens. All else in the file stays
as it is. The file is replaced as a whole or not at all, and only by one that Caddy
accepts.
` + clientFileHelp,
		Args: onlyCommands,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newClientAddCommand(), newClientRotateCommand(), newClientRemoveCommand(), newClientListCommand())
	return cmd
}

const clientFileHelp = `
The file is that of --file, or else the one that the config names. A new file is
JSON if its name ends in .json. Clients of an htpasswd file have an id and a secret
and nothing else.`

// loginPageID is the client that login_page brings along.
const loginPageID = "login_page"

func newClientAddCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add ID",
		Short: "Adds a client, and prints its secret",
		Long: `
Adds a client to a file, and creates the file if there is none. The client gets a
random secret of 256 bits. It is printed on stdout, once: the file has only a hash
of it. The flags are the members of a client in the JSON file.

A program that cannot keep a secret, such as a page in a browser, is a public
client: it gets none.
` + clientFileHelp,
		Example: `  caddy grant client add web --file clients.json --scopes contacts.read > web.secret
  caddy grant client add kiosk --file clients.json --public --grants password
  caddy grant client add backup --file clients.json --grants client_credentials > backup.secret`,
		Args: exactArgs("name the client", 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id := args[0]
			if id == loginPageID {
				return errors.New("login_page is the id of the login page itself, and Caddy refuses it where there is a login page: choose another id")
			}
			f, err := findFile(cmd, useredit.Clients)
			if err != nil {
				return err
			}
			m := memberFlags{cmd: cmd}
			m.yes("public", "public")
			for _, flag := range []string{"scopes", "default-scopes", "grants", "audience"} {
				m.list(flag, strings.ReplaceAll(flag, "-", "_"))
			}
			m.text("access-token-ttl", "access_token_ttl")
			m.text("refresh-token-ttl", "refresh_token_ttl")
			m.list("introspect", "introspect")
			m.text("end-user-ip", "end_user_ip")
			if m.err != nil {
				return m.err
			}
			done := []string{fmt.Sprintf("Added the client %s to %s.", id, f.path)}
			if grants, err := cmd.Flags().GetStringSlice("grants"); err == nil && slices.Contains(grants, clientCredentials) {
				done = append(done, f.namedAlike(id, id))
			}
			if public, err := cmd.Flags().GetBool("public"); err != nil || public {
				add := func(file *useredit.File) error { return file.Add(id, "", m.members...) }
				if err := firstError(err, f.try(true, add)); err != nil {
					return err
				}
				return f.edit(cmd, true, add, done...)
			}
			add := func(hash string) func(*useredit.File) error {
				return func(file *useredit.File) error { return file.Add(id, hash, m.members...) }
			}
			if err := f.try(true, add(exampleHash)); err != nil {
				return withAdvice(err, useredit.ErrExists, `for a new secret, run "caddy grant client rotate-secret"`)
			}
			return f.putSecret(cmd, true, add, done...)
		},
	}
	addFileFlags(cmd, useredit.Clients)
	addSecretFlags(cmd)
	cmd.Flags().Bool("public", false, "a client without a secret, which any program can pose as")
	cmd.Flags().StringSlice("scopes", nil, "the scopes that the client may ask for, \"\" for none (default: those of the server)")
	cmd.Flags().StringSlice("default-scopes", nil, "the scopes of a request that names none (default: all)")
	cmd.Flags().StringSlice("grants", nil, "the grant types that the client may use (default: all that the server offers, client_credentials aside)")
	cmd.Flags().StringSlice("audience", nil, "the audiences of the client's access tokens (default: those of the server)")
	cmd.Flags().String("access-token-ttl", "", "how long the client's access tokens are valid, such as 15m (default: as the server says)")
	cmd.Flags().String("refresh-token-ttl", "", "how long its refresh tokens are valid if they are not used (default: as the server says)")
	cmd.Flags().StringSlice("introspect", nil, "the audiences whose tokens the client may introspect, too")
	cmd.Flags().String("end-user-ip", "", "the header in which a back end sends its user's address")
	cmd.MarkFlagsMutuallyExclusive("public", "algorithm")
	cmd.MarkFlagsMutuallyExclusive("public", "bcrypt-cost")
	cmd.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-")) // as in the file
	})
	return cmd
}

func newClientRotateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate-secret ID",
		Short: "Gives a client a new secret, and prints it",
		Long: `
Gives a client a new random secret, and prints it on stdout. The old secret is
refused as soon as Caddy applies the change. To change a secret without an outage,
add a second client, move the app to it, and remove the first one.
` + clientFileHelp,
		Example:           `  caddy grant client rotate-secret web --file clients.json > web.secret`,
		Args:              exactArgs("name the client", 1),
		ValidArgsFunction: completeNames(useredit.Clients),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := findFile(cmd, useredit.Clients)
			if err != nil {
				return err
			}
			set := func(hash string) func(*useredit.File) error {
				return func(file *useredit.File) error { return file.SetHash(args[0], hash) }
			}
			return f.putSecret(cmd, false, set, fmt.Sprintf("Changed the secret of the client %s in %s.", args[0], f.path))
		},
	}
	addFileFlags(cmd, useredit.Clients)
	addSecretFlags(cmd)
	return cmd
}

func newClientRemoveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remove ID",
		Short: "Removes a client",
		Long: `
Removes a client from a file. Its sessions end, and its tokens are refused.
` + clientFileHelp,
		Example:           `  caddy grant client remove web --file clients.json`,
		Args:              exactArgs("name the client", 1),
		ValidArgsFunction: completeNames(useredit.Clients),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := findFile(cmd, useredit.Clients)
			if err != nil {
				return err
			}
			return f.edit(cmd, false, func(file *useredit.File) error { return file.Remove(args[0]) },
				fmt.Sprintf("Removed the client %s from %s. Its tokens are refused, too.", args[0], f.path), f.freedName(args[0]))
		},
	}
	addFileFlags(cmd, useredit.Clients)
	return cmd
}

// addSecretFlags adds the flag that says how a secret is hashed.
func addSecretFlags(cmd *cobra.Command) {
	cmd.Flags().String("algorithm", "", "how to hash the secret: sha256-crypt, argon2id or bcrypt (default: as the file's other secrets, or sha256-crypt, which is enough for 256 random bits)")
	cmd.Flags().Int("bcrypt-cost", 12, "the cost, with --algorithm bcrypt, from 10 to 16")
	_ = cmd.RegisterFlagCompletionFunc("algorithm", cobra.FixedCompletions([]cobra.Completion{"sha256-crypt", "argon2id", "bcrypt"}, cobra.ShellCompDirectiveNoFileComp))
}

// putSecret makes a secret, has its hash put into the file, and prints it.
func (f entriesFile) putSecret(cmd *cobra.Command, create bool, put func(hash string) func(*useredit.File) error, done ...string) error {
	hash, err := f.secretHasher(cmd)
	if err != nil {
		return err
	}
	random := make([]byte, 32)
	_, _ = rand.Read(random)             // it never fails
	secret := hex.EncodeToString(random) // in hex it is the same in a form and in Basic
	hashed, err := hash(secret)
	if err != nil {
		return err
	}
	if err := f.edit(cmd, create, put(hashed), done...); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(cmd.OutOrStdout(), secret); err != nil {
		return errors.New("the secret could not be printed, and is lost: run \"caddy grant client rotate-secret\"")
	}
	return nil
}

// secretHasher keeps to the kind of hash that the file has: several kinds take
// different times, and tell a stranger which ids exist.
func (f entriesFile) secretHasher(cmd *cobra.Command) (func(string) (string, error), error) {
	algorithm, err := cmd.Flags().GetString("algorithm")
	if err != nil {
		return nil, err
	}
	if algorithm == "" {
		algorithm = string(password.SHA256Crypt)
		entries, _ := f.entries() // an error shows in the edit
		for _, e := range entries {
			hash, err := password.Parse(e.Hash, true)
			if err == nil && hash.Params().Scheme == password.Argon2id {
				algorithm = string(password.Argon2id)
			}
		}
	}
	switch algorithm {
	case string(password.SHA256Crypt):
		if cmd.Flags().Changed("bcrypt-cost") {
			return nil, errNotBcrypt
		}
		return password.MakeSHA256Crypt, nil
	case string(password.Argon2id), string(password.Bcrypt):
	default:
		return nil, fmt.Errorf("--algorithm %s: it must be sha256-crypt, argon2id or bcrypt", algorithm)
	}
	if err := cmd.Flags().Set("algorithm", algorithm); err != nil {
		return nil, err
	}
	return hasher(cmd)
}

// listedClient is a client as it is listed.
type listedClient struct {
	ID            string   `json:"id"`
	Public        bool     `json:"public"`
	Scopes        []string `json:"scopes,omitzero"`
	DefaultScopes []string `json:"default_scopes,omitzero"`
	Grants        []string `json:"grants,omitzero"`
	Audience      []string `json:"audience,omitempty"`
	Hash          string   `json:"hash,omitempty"` // its kind
}

func newClientListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Lists the clients of a file",
		Long: `
Lists the clients of a file: id, scopes, grant types, audiences, and the kind of
hash. Hashes are not shown.
` + clientFileHelp,
		Example: `  caddy grant client list --file clients.json`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := findFile(cmd, useredit.Clients)
			if err != nil {
				return err
			}
			entries, err := f.entries()
			if err != nil {
				return err
			}
			clients := []listedClient{}
			rows := [][]string{{"ID", "SCOPES", "GRANTS", "AUDIENCE", "SECRET"}}
			for _, e := range entries {
				c := listedClient{e.Name, e.Client.Public, e.Client.Scopes, e.Client.DefaultScopes, e.Client.Grants, e.Client.Audience, e.Kind()}
				clients = append(clients, c)
				secret := c.Hash
				if c.Public {
					secret = "public"
				}
				rows = append(rows, []string{c.ID, scopesCell(c.Scopes), scopesCell(c.Grants), strings.Join(c.Audience, " "), secret})
			}
			if wantsJSON(cmd) {
				return printJSON(cmd, clients)
			}
			return table(cmd.OutOrStdout(), "", rows...)
		},
	}
	addFileFlags(cmd, useredit.Clients)
	addJSONFlag(cmd)
	return cmd
}
