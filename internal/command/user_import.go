package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/passwordadvice"
	"github.com/caddygrant/caddy-grant/internal/useredit"
	"github.com/caddygrant/caddy-grant/internal/userimport"
)

func newUserImportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import SOURCE",
		Short: "Adds the users of another program's file",
		Long: `
Reads the users of another program, adds them to a file, and says for each line
what became of it. The source is a file, or - for stdin. --from says what it is:

  htpasswd  Apache, nginx, lighttpd, Traefik, with any kind of hash
  authelia  users_database.yml
  dovecot   a passwd-file, user:{SCHEME}hash:...
  csv       a table whose first line names the columns: username, password_hash
            or password, and if you like id, scopes, disabled, and others

Users who are in the file already stay as they are, unless --replace is given. It
replaces the hash, and what else the source has of the user. A disabled user stays
disabled, and an id, scopes and claims that the source does not have stay.

Hashes come over as they are, if the server accepts their kind. Passwords in
plaintext (a password column, {PLAIN}) are hashed. What an htpasswd file cannot
hold, such as scopes, needs a JSON file: such a user is skipped.

The exit status is 2 if some users did not come over.
` + entriesFileHelp,
		Example: `  caddy grant user import /etc/apache2/users --from htpasswd --file users.htpasswd --dry-run
  caddy grant user import users_database.yml --from authelia --file users.json --claims email --scopes-from groups
  caddy grant user import staff.csv --from csv --file users.json --scopes contacts.read`,
		Args: exactArgs("name the file to read, or - for stdin", 1),
		RunE: func(cmd *cobra.Command, args []string) error { return importUsers(cmd, args[0]) },
	}
	addFileFlags(cmd, useredit.Users)
	addHashFlags(cmd)
	addJSONFlag(cmd)
	flags := cmd.Flags()
	flags.String("from", "", "what the source is: "+strings.Join(userimport.Formats(), ", "))
	flags.Bool("dry-run", false, "say what would happen, and change nothing")
	flags.Bool("replace", false, "replace what the source has of users who are in the file already")
	flags.Bool("plaintext", false, "take what looks like a plaintext password for one, and hash it")
	flags.Bool("allow-weak-hashes", false, "take {SHA} and {SSHA} over, for a server with allow_weak_hashes")
	flags.StringSlice("claims", nil, "attributes that become claims in the users' tokens, such as email")
	flags.StringSlice("scopes", nil, "the scopes of all users for whom the source has none, \"\" for none")
	flags.String("scopes-from", "", "an attribute whose values are further scopes, such as groups")
	_ = cmd.RegisterFlagCompletionFunc("from", cobra.FixedCompletions(userimport.Formats(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// userImport is one run of the command.
type userImport struct {
	cmd    *cobra.Command
	source string
	file   entriesFile
	dryRun bool
	users  []useredit.Incoming // those that can come over
	places []int               // of each of them in the report
	report importReport
}

// importReport is what the command says.
type importReport struct {
	File   string          `json:"file,omitempty"`
	DryRun bool            `json:"dry_run"`
	Users  []*importedUser `json:"users"`
	Left   []string        `json:"left_behind,omitempty"`
	Remedy string          `json:"remedy,omitempty"` // for hashes that are weak or did not come over
}

func importUsers(cmd *cobra.Command, source string) error {
	run := &userImport{cmd: cmd, source: source}
	replace, err := cmd.Flags().GetBool("replace")
	if err != nil {
		return err
	}
	if run.dryRun, err = cmd.Flags().GetBool("dry-run"); err != nil {
		return err
	}
	entries, err := run.read()
	if err != nil {
		return err
	}
	hash, err := hasher(cmd)
	if err != nil {
		return err
	}
	// a dry run needs no file
	if run.file, err = findFile(cmd, useredit.Users); err != nil {
		if !run.dryRun || cmd.Flags().Changed("file") || cmd.Flags().Changed("config") || cmd.Flags().Changed("format") {
			return err
		}
		run.file = entriesFile{format: useredit.JSON, list: useredit.Users}
	}
	run.report.File, run.report.DryRun = run.file.path, run.dryRun

	// first with hashes that are cheap, to see who comes over
	merge := func(f *useredit.File) error {
		for i, outcome := range f.Merge(run.users, replace) {
			run.report.Users[run.places[i]].become(outcome)
		}
		return nil
	}
	run.candidates(entries)
	if err := run.try(merge); err != nil {
		return err
	}
	if coming := run.coming(); !run.dryRun && coming > 0 {
		if err := run.hash(hash); err != nil {
			return err
		}
		if err := run.file.edit(cmd, true, merge, fmt.Sprintf("Imported %d of %d users into %s.", coming, len(run.report.Users), run.file.path)); err != nil {
			return err
		}
	}
	return run.tell()
}

// read reads the source.
func (r *userImport) read() (*userimport.Result, error) {
	flags := r.cmd.Flags()
	var options userimport.Options
	var from string
	var errs [7]error
	from, errs[0] = flags.GetString("from")
	options.Plaintext, errs[1] = flags.GetBool("plaintext")
	options.AllowWeak, errs[2] = flags.GetBool("allow-weak-hashes")
	options.Claims, errs[3] = flags.GetStringSlice("claims")
	options.Scopes, errs[4] = flags.GetStringSlice("scopes")
	options.ScopesFrom, errs[5] = flags.GetString("scopes-from")
	if err := firstError(append(errs[:], checkListFlag("scopes", options.Scopes))...); err != nil {
		return nil, err
	}
	switch {
	case !flags.Changed("scopes"):
		options.Scopes = nil // an empty list would be no scope at all
	case options.Scopes == nil:
		options.Scopes = []string{}
	}
	switch formats := userimport.Formats(); {
	case from == "":
		return nil, fmt.Errorf("say what the source is with --from: %s", strings.Join(formats, ", "))
	case !slices.Contains(formats, from):
		return nil, fmt.Errorf("--from %s: it must be one of %s", from, strings.Join(formats, ", "))
	}
	in := r.cmd.InOrStdin()
	if r.source != "-" {
		file, err := os.Open(r.source)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	data, err := io.ReadAll(io.LimitReader(in, userimport.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", r.shownSource(), err)
	}
	result, err := userimport.Read(userimport.Format(from), data, options)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.shownSource(), err)
	}
	return result, nil
}

func (r *userImport) shownSource() string {
	if r.source == "-" {
		return "stdin"
	}
	return r.source
}

// candidates lists the users who can come over, with a hash each.
func (r *userImport) candidates(result *userimport.Result) {
	r.report.Users, r.report.Left = []*importedUser{}, result.Left
	for _, e := range result.Entries {
		e.Advise(adviseImported)
		u := &importedUser{Line: e.Line, Name: e.Name, Hash: e.Kind, Status: "skipped", Reason: e.Reason, Notes: e.Notes, entry: e}
		r.report.Users = append(r.report.Users, u)
		if e.User == nil {
			continue
		}
		candidate := *e.User
		if e.NeedsHash() {
			candidate.PasswordHash = exampleHash
		}
		r.users, r.places = append(r.users, useredit.Incoming{User: &candidate, Scoped: e.Scoped}), append(r.places, len(r.report.Users)-1)
	}
}

// try merges into a copy of the file.
func (r *userImport) try(merge func(*useredit.File) error) error {
	if len(r.users) == 0 {
		return nil
	}
	var merged error
	check := func(f *useredit.File) error {
		merged = merge(f)
		if r.coming() == 0 {
			return errUnchanged
		}
		return merged
	}
	if r.file.path == "" {
		_, err := useredit.Edit(nil, r.file.format, r.file.list, check)
		return ignoreUnchanged(err)
	}
	return ignoreUnchanged(r.file.try(true, check))
}

func ignoreUnchanged(err error) error {
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// coming is how many users come over.
func (r *userImport) coming() (n int) {
	for _, u := range r.report.Users {
		if u.comes() {
			n++
		}
	}
	return n
}

// hash makes the hashes of those who come over and have a password.
func (r *userImport) hash(hash func(string) (string, error)) error {
	var waiting []int
	for i := range r.users {
		if u := r.report.Users[r.places[i]]; u.entry.NeedsHash() && u.comes() {
			waiting = append(waiting, i)
		}
	}
	progress := newProgress(r.cmd, "Hashing passwords", len(waiting))
	defer progress.end()
	for done, i := range waiting {
		progress.at(done)
		u := r.report.Users[r.places[i]]
		if err := u.entry.Hash(hash); err != nil {
			return fmt.Errorf("%s:%d: %s: %w", r.shownSource(), u.Line, u.Name, err)
		}
		r.users[i].PasswordHash = u.entry.User.PasswordHash
	}
	return nil
}

func adviseImported(password, username string) string {
	if reason, weak := passwordadvice.Weak(password, username); weak {
		return "the password is weak: " + reason
	}
	return ""
}

// anew is the remedy for hashes, once for all users.
const anew = `A hash that is weak or not accepted needs a new password: run "caddy grant user passwd" for users who are in the file, and "caddy grant user add" for those who were skipped.`

// tell prints the report, one line for each user.
func (r *userImport) tell() error {
	counts := make(map[string]int)
	for _, u := range r.report.Users {
		counts[u.Status]++
		if u.entry.Anew && (u.comes() || u.entry.User == nil) {
			r.report.Remedy = anew
		}
	}
	if wantsJSON(r.cmd) {
		if err := printJSON(r.cmd, r.report); err != nil {
			return err
		}
	} else {
		for _, u := range r.report.Users {
			fmt.Fprintln(r.cmd.OutOrStdout(), u.line(filepath.Base(r.shownSource()), r.dryRun))
		}
		if len(r.report.Left) > 0 {
			r.cmd.PrintErrf("Left behind: %s. --claims takes them over as claims, --scopes-from as scopes.\n", strings.Join(r.report.Left, ", "))
		}
		if r.report.Remedy != "" {
			r.cmd.PrintErrln(r.report.Remedy)
		}
		if r.dryRun {
			r.cmd.PrintErrf("A dry run: %d would come over, %d would be kept, %d would be skipped.\n", r.coming(), counts["kept"], counts["skipped"])
		}
	}
	if counts["skipped"] > 0 {
		return exit(r.cmd, 2, nil)
	}
	return nil
}
