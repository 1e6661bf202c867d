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
		{"user add", nil, "name the user: caddy grant user add <name>"},
		{"user passwd", nil, "name the user: caddy grant user passwd <name>"},
		{"user disable", nil, "name the user: caddy grant user disable <name>"},
		{"user enable", nil, "name the user: caddy grant user enable <name>"},
		{"user remove", nil, "name the user: caddy grant user remove <name>"},
		{"user rename", []string{"alice"}, "name the user, and the new name: caddy grant user rename <name> <new name>"},
		{"user import", nil, "name the file to read, or - for stdin: caddy grant user import <source>"},
		{"user list", []string{"alice"}, "it takes no arguments: caddy grant user list"},
		{"client add", nil, "name the client: caddy grant client add <id>"},
		{"client rotate-secret", nil, "name the client: caddy grant client rotate-secret <id>"},
		{"client remove", nil, "name the client: caddy grant client remove <id>"},
		{"client list", []string{"web"}, "it takes no arguments: caddy grant client list"},
		// a password that is given as an argument is not shown again
		{"user add", []string{"alice", "pony2024!"}, "too many arguments: caddy grant user add <name>"},
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
