package command

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// all are the commands of `caddy grant`, by their paths.
func all(t *testing.T) map[string]*cobra.Command {
	t.Helper()
	caddy := &cobra.Command{Use: "caddy"}
	grant := &cobra.Command{Use: "grant <command>"}
	caddy.AddCommand(grant)
	Build(grant)
	commands := make(map[string]*cobra.Command)
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		commands[cmd.CommandPath()] = cmd
		for _, below := range cmd.Commands() {
			walk(below)
		}
	}
	walk(grant)
	return commands
}

func TestTheHelpOfACommandHasOneLineOfUsage(t *testing.T) {
	for path, cmd := range all(t) {
		want := "Usage:\n  " + cmd.UseLine() + "\n\n"
		if cmd.HasSubCommands() {
			want = "Usage:\n  " + path + " [command]\n\n"
		}
		if usage := cmd.UsageString(); !strings.HasPrefix(usage, want) {
			t.Errorf("%s: %s", path, usage)
		}
	}
}

func TestExamplesAreCommandsWithoutAPrompt(t *testing.T) {
	for path, cmd := range all(t) {
		for example := range strings.Lines(cmd.Example) {
			if strings.HasPrefix(strings.TrimSpace(example), "$") {
				t.Errorf("%s: %s", path, example)
			}
		}
	}
}

func TestAMissingFlagIsNamed(t *testing.T) {
	for args, want := range map[string]string{
		"--to x": "--from is missing", "": "--from and --to are missing", "--from y --to z": "",
	} {
		grant := &cobra.Command{Use: "grant", SilenceUsage: true, SilenceErrors: true}
		copying := &cobra.Command{Use: "copy", RunE: func(*cobra.Command, []string) error { return nil }}
		for _, name := range []string{"from", "to"} {
			copying.Flags().String(name, "", "")
			_ = copying.MarkFlagRequired(name)
		}
		grant.AddCommand(copying)
		plainFlagErrors(grant)
		grant.SetArgs(append([]string{"copy"}, strings.Fields(args)...))
		if err := grant.Execute(); (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}
