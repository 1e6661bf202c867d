package command

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/useredit"
)

// listedKey is a key as it is listed.
type listedKey struct {
	Name     string   `json:"name"`
	User     string   `json:"user,omitempty"`
	UserID   string   `json:"user_id,omitempty"`
	Client   string   `json:"client,omitempty"`
	Scopes   []string `json:"scopes"`
	Audience []string `json:"audience,omitzero"`
	Expires  string   `json:"expires,omitempty"`
	Expired  bool     `json:"expired"`
	Note     string   `json:"note,omitempty"`
}

func newKeyListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Lists the keys of a file",
		Long: `
Lists the keys of a file: name, owner, scopes, audiences, when they end, and the note.
Hashes are not shown.
` + keyFileHelp,
		Example: `  caddy grant key list --file /etc/caddy/keys.txt
  caddy grant key list --json | jq -r '.[] | select(.expired) | .name'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := findFile(cmd, useredit.Keys)
			if err != nil {
				return err
			}
			set, err := f.keys()
			if err != nil {
				return err
			}
			now := time.Now()
			keys := []listedKey{}
			rows := [][]string{{"NAME", "OWNER", "SCOPES", "AUDIENCE", "EXPIRES", "NOTE"}}
			for k := range set.All() {
				listed := listedKey{k.Name, k.User, k.UserID, k.Client, k.Scopes, k.Audience, string(k.Expires), k.Expired(now), k.Note}
				if listed.Scopes == nil {
					listed.Scopes = []string{}
				}
				keys = append(keys, listed)
				expires := listed.Expires
				if listed.Expired {
					expires += " (expired)"
				}
				rows = append(rows, []string{k.Name, ownerWords(k.Owner()), strings.Join(k.Scopes, " "), audienceCell(k.Audience), expires, k.Note})
			}
			if wantsJSON(cmd) {
				return printJSON(cmd, keys)
			}
			return table(cmd.OutOrStdout(), "", rows...)
		},
	}
	addFileFlags(cmd, useredit.Keys)
	addJSONFlag(cmd)
	return cmd
}

// audienceCell tells the owner's audiences from none.
func audienceCell(audience []string) string {
	if audience != nil && len(audience) == 0 {
		return "none"
	}
	return strings.Join(audience, " ")
}

// ownerWords is an owner in words, as in "user alice".
func ownerWords(field, name string) string {
	if field == "user_id" {
		return "user with the id " + name
	}
	return field + " " + name
}
