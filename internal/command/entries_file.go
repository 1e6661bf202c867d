package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/fileedit"
	"github.com/caddygrant/caddy-grant/internal/useredit"
)

// entriesFile is a file of users, of clients or of API keys.
type entriesFile struct {
	path   string
	format useredit.Format
	list   useredit.List
}

// entriesFileHelp is what a help text says about the file.
const entriesFileHelp = `
The file is that of --file, or else the one that the config names. The format is
that of the file; a new file is JSON if its name ends in .json, and htpasswd if not.`

// addFileFlags adds the flags that say which file it is.
func addFileFlags(cmd *cobra.Command, list useredit.List) {
	addFileAndConfigFlags(cmd, list)
	cmd.MarkFlagsMutuallyExclusive("file", "config")
	cmd.MarkFlagsMutuallyExclusive("file", "adapter")
}

// addFileAndConfigFlags is addFileFlags for a command that asks the config for more than
// the file.
func addFileAndConfigFlags(cmd *cobra.Command, list useredit.List) {
	cmd.Flags().StringP("file", "f", "", fmt.Sprintf("the file of %s (default: that of the config)", entriesOf(list)))
	cmd.Flags().String("format", "", fmt.Sprintf("%s or json (default: that of the file)", lineFormat(list)))
	cmd.Flags().StringP("config", "c", "", "the config that names the file (default: the Caddyfile of this directory)")
	cmd.Flags().StringP("adapter", "a", "", "the config adapter (default: that of the config's name)")
	_ = cmd.MarkFlagFilename("file")
	_ = cmd.MarkFlagFilename("config")
}

// findFile goes by the flags.
func findFile(cmd *cobra.Command, list useredit.List) (entriesFile, error) {
	f := entriesFile{list: list}
	var err error
	if f.path, err = cmd.Flags().GetString("file"); err != nil {
		return f, err
	}
	if f.path == "" {
		if f.path, f.format, err = fileOfConfig(cmd, list); err != nil {
			return f, err
		}
	}
	switch format, err := cmd.Flags().GetString("format"); {
	case err != nil:
		return f, err
	case format == string(lineFormat(list)), format == string(useredit.JSON):
		f.format = useredit.Format(format)
	case format != "":
		return f, fmt.Errorf("--format %s: it must be %s or json", format, lineFormat(list))
	case f.format == "":
		data, err := f.read()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		f.format = useredit.FormatOf(f.path, data)
		if list == useredit.Keys {
			f.format = useredit.KeyFormatOf(f.path, data)
		}
	}
	return f, nil
}

// entriesOf is what a list has, in words.
func entriesOf(list useredit.List) string {
	if list == useredit.Keys {
		return "API keys"
	}
	return string(list)
}

// lineFormat is the format other than JSON that a list can have.
func lineFormat(list useredit.List) useredit.Format {
	if list == useredit.Keys {
		return useredit.Lines
	}
	return useredit.Htpasswd
}

// read reads the file, which must be one: a pipe would have the command wait forever.
func (f entriesFile) read() ([]byte, error) {
	if info, err := os.Stat(f.path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return nil, fmt.Errorf("%s: it is not a regular file", f.path)
	}
	return os.ReadFile(f.path)
}

// entries reads the file.
func (f entriesFile) entries() ([]useredit.Entry, error) {
	data, err := f.read()
	if err != nil {
		return nil, err
	}
	entries, err := useredit.Read(data, f.format, f.list)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	return entries, nil
}

// try tells whether an edit would be possible, before a person is asked for more.
func (f entriesFile) try(create bool, change func(*useredit.File) error) error {
	data, err := f.read()
	if err != nil && (!create || !errors.Is(err, fs.ErrNotExist)) {
		return err
	}
	if _, err := useredit.Edit(data, f.format, f.list, change); err != nil {
		if errors.As(err, new(useredit.EntryError)) {
			return err
		}
		return fmt.Errorf("%s: %w", f.path, err)
	}
	return nil
}

// edit changes the file, and says on stderr what was done. Empty lines of that are left out.
func (f entriesFile) edit(cmd *cobra.Command, create bool, change func(*useredit.File) error, done ...string) error {
	return f.rewrite(cmd, create, func(old []byte) ([]byte, error) { return useredit.Edit(old, f.format, f.list, change) }, done...)
}

// rewrite is edit for any function that makes the new content of the old one, nil for a
// new file.
func (f entriesFile) rewrite(cmd *cobra.Command, create bool, change func(old []byte) ([]byte, error), done ...string) error {
	options := fileedit.Options{
		Create:  create,
		Waiting: func(holder string) { cmd.PrintErrf("%s is editing %s; waiting for it\n", holder, f.path) },
	}
	readers := "Only its owner can read it"
	if group, found := caddyGroup(); found {
		options.Mode, options.Group, options.ChangeGroup = 0o640, group, true
		readers = "Its owner and the group caddy can read it"
	}
	isNew := false
	err := options.Edit(f.path, func(old []byte) ([]byte, error) {
		isNew = old == nil
		return change(old)
	})
	if err != nil {
		return err
	}
	for _, line := range done {
		if line != "" {
			cmd.PrintErrln(line)
		}
	}
	if !isNew {
		cmd.PrintErrln("A running Caddy applies this within about 6 seconds, without a reload.")
		return nil
	}
	path, err := filepath.Abs(f.path)
	if err != nil {
		path = f.path
	}
	cmd.PrintErrf("The file is new. %s. The line for the Caddyfile: %s %s %s\n", readers, f.list, f.format, path)
	return nil
}

// caddyGroup is the group of Caddy's packages. A file that root makes for itself alone
// would be one that Caddy cannot read.
func caddyGroup() (id int, found bool) {
	if os.Geteuid() != 0 {
		return 0, false
	}
	group, err := user.LookupGroup("caddy")
	if err != nil {
		return 0, false
	}
	id, err = strconv.Atoi(group.Gid)
	return id, err == nil
}

// completeNames completes the first argument with the names in the file.
func completeNames(list useredit.List) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		f, err := findFile(cmd, list)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		entries, _ := f.entries()
		for _, e := range entries {
			names = append(names, e.Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
