package command

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestACommandWithTheWrongNumberOfArgumentsSaysWhatItTakes(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"user add", nil, "name the user: caddy grant user add NAME"},
		{"user passwd", nil, "name the user: caddy grant user passwd NAME"},
		{"user disable", nil, "name the user: caddy grant user disable NAME"},
		{"user enable", nil, "name the user: caddy grant user enable NAME"},
		{"user remove", nil, "name the user: caddy grant user remove NAME"},
		{"user rename", []string{"alice"}, "name the user, and the new name: caddy grant user rename NAME NEW_NAME"},
		{"user import", nil, "name the file to read, or - for stdin: caddy grant user import SOURCE"},
		{"user list", []string{"alice"}, "it takes no arguments: caddy grant user list"},
		{"client add", nil, "name the client: caddy grant client add ID"},
		{"client rotate-secret", nil, "name the client: caddy grant client rotate-secret ID"},
		{"client remove", nil, "name the client: caddy grant client remove ID"},
		{"client list", []string{"web"}, "it takes no arguments: caddy grant client list"},
		// a password that is given as an argument is not shown again
		{"user add", []string{"alice", "pony2024!"}, "too many arguments: caddy grant user add NAME"},
	} {
		caddy := &cobra.Command{Use: "caddy"}
		grant := &cobra.Command{Use: "grant"}
		Build(grant)
		caddy.AddCommand(grant)
		cmd, rest, err := caddy.Find(append([]string{"grant"}, strings.Fields(test.name)...))
		if err != nil || len(rest) > 0 {
			t.Fatalf("%s: %v, %q", test.name, err, rest)
		}
		if err := cmd.Args(cmd, test.args); err == nil || err.Error() != test.want {
			t.Errorf("%s with %d arguments: %v, want %q", test.name, len(test.args), err, test.want)
		}
	}
}

func TestAnUnknownCommandIsNamedAndGuessed(t *testing.T) {
	for args, want := range map[string]string{
		"user ad bob":           `unknown command "ad" for "caddy grant user": did you mean add?`,
		"user ad bob --file f":  `unknown command "ad" for "caddy grant user": did you mean add?`,
		"user ad bob -f f":      `unknown command "ad" for "caddy grant user": did you mean add?`,
		"key revok d3 --file f": `unknown command "revok" for "caddy grant key": did you mean revoke?`,
		"clinet add x --file f": `unknown command "clinet" for "caddy grant": did you mean client?`,
		"usre":                  `unknown command "usre" for "caddy grant": did you mean user?`,
		"key frobnicate --x":    `unknown command "frobnicate" for "caddy grant key": there are add, list, revoke`,
		"user --file f":         "unknown flag: --file",
		"user add bob --flie f": "unknown flag: --flie",
	} {
		caddy := &cobra.Command{Use: "caddy", SilenceUsage: true, SilenceErrors: true}
		grant := &cobra.Command{Use: "grant"}
		Build(grant)
		caddy.AddCommand(grant)
		caddy.SetArgs(append([]string{"grant"}, strings.Fields(args)...))
		if err := caddy.Execute(); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}
