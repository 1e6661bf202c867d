package command

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// `caddy manpage` takes a usage line for Markdown, which drops what looks like a tag.
func TestAManPageHasTheArgumentsOfItsCommand(t *testing.T) {
	grant := &cobra.Command{Use: "grant"}
	Build(grant)
	commands := 0
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		commands++
		var page bytes.Buffer
		if err := doc.GenMan(cmd, nil, &page); err != nil {
			t.Fatal(err)
		}
		shown := strings.NewReplacer(`\&`, "", `\-`, "-").Replace(page.String())
		if !strings.Contains(shown, cmd.UseLine()) {
			_, synopsis, _ := strings.Cut(shown, ".SH SYNOPSIS\n")
			t.Errorf("%q is shown as %.120q", cmd.UseLine(), synopsis)
		}
		for _, below := range cmd.Commands() {
			visit(below)
		}
	}
	visit(grant)
	if commands < 20 {
		t.Errorf("only %d commands", commands)
	}
}
