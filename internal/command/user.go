package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/useredit"
)

func newUserCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user COMMAND",
		Short: "Adds, changes and lists the users of a file",
		Long: `
Edits a file of users, htpasswd or JSON. All else in the file stays as it is:
comments, order, owner, mode. The file is replaced as a whole or not at all, and
only by one that Caddy accepts.
` + entriesFileHelp,
		Args: onlyCommands,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newUserAddCommand(), newUserPasswdCommand(), newUserStateCommand(true), newUserStateCommand(false),
		newUserRenameCommand(), newUserRemoveCommand(), newUserListCommand(), newUserImportCommand())
	return cmd
}

// passwordHelp is what a help text says about where a password comes from.
const passwordHelp = `
The password is asked for twice, and not shown. If stdin is not a terminal, the
password is the one line on stdin. It is never an argument, which other users of
the machine could see.`

func newUserAddCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Adds a user",
		Long: `
Adds a user to a file, and creates the file if there is none. The flags for an id,
scopes and claims are for JSON files.
` + passwordHelp + "\n" + entriesFileHelp,
		Example: `  caddy grant user add alice --file /etc/caddy/users.htpasswd
  caddy grant user add alice --file users.json --scopes contacts.read,contacts.write
  pass show alice | caddy grant user add alice --file users.htpasswd`,
		Args: exactArgs("name the user", 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			f, err := findFile(cmd, useredit.Users)
			if err != nil {
				return err
			}
			members, err := userMembers(cmd)
			if err != nil {
				return err
			}
			add := func(hash string) func(*useredit.File) error {
				return func(file *useredit.File) error { return file.Add(name, hash, members...) }
			}
			if err := f.try(true, add(exampleHash)); err != nil {
				return withAdvice(err, useredit.ErrExists, `to change the password, run "caddy grant user passwd"; for a disabled user, "caddy grant user enable"`)
			}
			hash, err := newPasswordHash(cmd, name)
			if err != nil {
				return err
			}
			id, err := cmd.Flags().GetString("id")
			if err != nil {
				return err
			}
			return f.edit(cmd, true, add(hash), fmt.Sprintf("Added the user %s to %s.", name, f.path), f.namedAlike(name, id))
		},
	}
	addFileFlags(cmd, useredit.Users)
	addHashFlags(cmd)
	cmd.Flags().String("id", "", "the subject of the user's tokens (default: the name)")
	cmd.Flags().StringSlice("scopes", nil, "the scopes that the user may have, \"\" for none (default: what the client may ask for)")
	cmd.Flags().String("claims", "", "claims for the user's access tokens, a JSON object")
	return cmd
}

// userMembers are the further members of a new user.
func userMembers(cmd *cobra.Command) (members []useredit.Member, err error) {
	m := memberFlags{cmd: cmd}
	m.text("id", "id")
	m.list("scopes", "scopes")
	m.raw("claims", "claims")
	return m.members, m.err
}

func newUserPasswdCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "passwd NAME",
		Short: "Changes the password of a user",
		Long: `
Changes the password of a user. The user's sessions end, and their tokens are
refused. A disabled user stays disabled.
` + passwordHelp + "\n" + entriesFileHelp,
		Example: `  caddy grant user passwd alice --file /etc/caddy/users.htpasswd
  caddy grant user passwd alice --config /etc/caddy/Caddyfile`,
		Args:              exactArgs("name the user", 1),
		ValidArgsFunction: completeNames(useredit.Users),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			f, err := findFile(cmd, useredit.Users)
			if err != nil {
				return err
			}
			disabled := false
			set := func(hash string) func(*useredit.File) error {
				return func(file *useredit.File) error {
					entry, _ := file.Find(name)
					disabled = entry.Disabled
					return file.SetHash(name, hash)
				}
			}
			if err := f.try(false, set(exampleHash)); err != nil {
				return withAdvice(err, useredit.ErrNone, `to add the user, run "caddy grant user add"`)
			}
			hash, err := newPasswordHash(cmd, name)
			if err != nil {
				return err
			}
			done := []string{fmt.Sprintf("Changed the password of %s in %s. The user's sessions end.", name, f.path)}
			if disabled {
				done = append(done, fmt.Sprintf("%s is still disabled: run \"caddy grant user enable\" to change that.", name))
			}
			return f.edit(cmd, false, set(hash), done...)
		},
	}
	addFileFlags(cmd, useredit.Users)
	addHashFlags(cmd)
	return cmd
}

// newUserStateCommand is disable, or enable.
func newUserStateCommand(disabled bool) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "enable NAME",
		Short: "Lets a disabled user log in again",
		Long: `
Lets a disabled user log in again, with the password from before.
` + entriesFileHelp,
		Example: `  caddy grant user enable alice --file /etc/caddy/users.htpasswd`,
	}
	done, already := "Enabled the user %s in %s. The password is the one from before.", "The user %s of %s is not disabled; nothing was changed.\n"
	if disabled {
		cmd.Use, cmd.Short = "disable NAME", "Refuses a user without removing it"
		cmd.Long = `
Refuses a user's logins, and the tokens that the user has. The hash stays in the
file, for "enable".

In an htpasswd file the user's line becomes a comment, "# disabled: alice:...",
so that Apache, nginx and others refuse the user as well. In a JSON file the user
gets "disabled": true.
` + entriesFileHelp
		cmd.Example = `  caddy grant user disable alice --file /etc/caddy/users.htpasswd`
		done, already = "Disabled the user %s in %s. Their tokens are refused, too.", "The user %s of %s is disabled already; nothing was changed.\n"
	}
	cmd.Args, cmd.ValidArgsFunction = exactArgs("name the user", 1), completeNames(useredit.Users)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		name := args[0]
		f, err := findFile(cmd, useredit.Users)
		if err != nil {
			return err
		}
		set := func(file *useredit.File) error {
			changed, err := file.SetDisabled(name, disabled)
			if err == nil && !changed {
				return errUnchanged
			}
			return err
		}
		err = f.edit(cmd, false, set, fmt.Sprintf(done, name, f.path))
		if errors.Is(err, errUnchanged) {
			cmd.PrintErrf(already, name, f.path)
			return nil
		}
		return withAdvice(err, useredit.ErrNoneLeft, `to lock the user out, set another password with "caddy grant user passwd"`)
	}
	addFileFlags(cmd, useredit.Users)
	return cmd
}

// errUnchanged says that there is nothing to change.
var errUnchanged = errors.New("nothing was changed")

func newUserRenameCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rename NAME NEW_NAME",
		Short: "Gives a user another name",
		Long: `
Gives a user another name to log in with. Tokens belong to the user's id, which is
the name if the user has no id. So a user with an id keeps their tokens. Without an
id the user's tokens end, and apps take the new name for another user.

With --keep-id (JSON files only) the old name becomes the id: tokens stay, and apps
go on to see the old name as the subject.
` + entriesFileHelp,
		Example: `  caddy grant user rename alice alice.smith --file users.json --keep-id`,
		Args:    exactArgs("name the user, and the new name", 2), ValidArgsFunction: completeNames(useredit.Users),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := findFile(cmd, useredit.Users)
			if err != nil {
				return err
			}
			keep, err := cmd.Flags().GetBool("keep-id")
			if err != nil {
				return err
			}
			done := []string{fmt.Sprintf("Renamed the user %s of %s to %s.", args[0], f.path, args[1]), "", f.freedName(args[0])}
			return f.edit(cmd, false, func(file *useredit.File) error {
				if err := file.Rename(args[0], args[1], keep); err != nil {
					return err
				}
				entry, err := file.Find(args[1])
				if err == nil && entry.User.ID != "" {
					done[1] = fmt.Sprintf("The user's id stays %s, so their tokens stay valid.", entry.User.ID)
					done[2] = "" // Caddy knows the id
				} else {
					done[1] = fmt.Sprintf("The user's tokens end, and apps see a new subject, %s.", args[1])
				}
				return err
			}, done...)
		},
	}
	addFileFlags(cmd, useredit.Users)
	cmd.Flags().Bool("keep-id", false, "make the old name the id of a user without an id")
	return cmd
}

func newUserRemoveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Removes a user",
		Long: `
Removes a user from a file. Their tokens are refused from then on. To keep the
password for later, use "disable".
` + entriesFileHelp,
		Example:           `  caddy grant user remove alice --file /etc/caddy/users.htpasswd`,
		Args:              exactArgs("name the user", 1),
		ValidArgsFunction: completeNames(useredit.Users),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := findFile(cmd, useredit.Users)
			if err != nil {
				return err
			}
			err = f.edit(cmd, false, func(file *useredit.File) error { return file.Remove(args[0]) },
				fmt.Sprintf("Removed the user %s from %s. Their tokens are refused, too.", args[0], f.path), f.freedName(args[0]))
			return withAdvice(err, useredit.ErrNoneLeft, `to lock the user out, set another password with "caddy grant user passwd"`)
		},
	}
	addFileFlags(cmd, useredit.Users)
	return cmd
}

// listedUser is a user as it is listed.
type listedUser struct {
	Username string   `json:"username"`
	ID       string   `json:"id,omitempty"`
	Disabled bool     `json:"disabled"`
	Scopes   []string `json:"scopes,omitzero"`
	Hash     string   `json:"hash"` // its kind
}

func newUserListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Lists the users of a file",
		Long: `
Lists the users of a file: name, id, whether they are disabled, scopes, and the kind
of hash. Hashes are not shown.
` + entriesFileHelp,
		Example: `  caddy grant user list --file /etc/caddy/users.htpasswd
  caddy grant user list --json | jq -r '.[] | select(.disabled) | .username'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := findFile(cmd, useredit.Users)
			if err != nil {
				return err
			}
			entries, err := f.entries()
			if err != nil {
				return err
			}
			users := []listedUser{}
			rows := [][]string{{"NAME", "ID", "STATE", "SCOPES", "HASH"}}
			for _, e := range entries {
				u := listedUser{e.Name, e.User.ID, e.Disabled, e.User.Scopes, e.Kind()}
				users = append(users, u)
				state := "enabled"
				if u.Disabled {
					state = "disabled"
				}
				rows = append(rows, []string{u.Username, u.ID, state, scopesCell(u.Scopes), u.Hash})
			}
			if wantsJSON(cmd) {
				return printJSON(cmd, users)
			}
			return table(cmd.OutOrStdout(), "", rows...)
		},
	}
	addFileFlags(cmd, useredit.Users)
	addJSONFlag(cmd)
	return cmd
}

// scopesCell tells no restriction from no scope.
func scopesCell(scopes []string) string {
	if scopes != nil && len(scopes) == 0 {
		return "none"
	}
	return strings.Join(scopes, " ")
}
