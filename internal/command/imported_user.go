package command

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/useredit"
	"github.com/caddygrant/caddy-grant/internal/userimport"
)

// importedUser is what became of a line.
type importedUser struct {
	Line   int    `json:"line"`
	Name   string `json:"name,omitempty"`
	Status string `json:"status"`         // added, replaced, kept or skipped
	Hash   string `json:"hash,omitempty"` // its kind
	Reason string `json:"reason,omitempty"`

	Changes []string `json:"changes,omitempty"` // what was replaced or stays, hash aside
	Notes   []string `json:"notes,omitempty"`

	entry *userimport.Entry
}

// become notes what became of a user.
func (u *importedUser) become(outcome useredit.Outcome) {
	switch {
	case outcome.Err != nil:
		u.Status, u.Reason = "skipped", outcome.Err.Error()
	case outcome.Kept:
		u.Status, u.Reason = "kept", "the file has a user of this name; --replace replaces it"
	case outcome.After != nil:
		u.Status, u.Changes = "replaced", changes(outcome.Before, outcome.After)
	default:
		u.Status = "added"
	}
}

// comes tells whether the user is in the file after the import because of it.
func (u *importedUser) comes() bool { return u.Status == "added" || u.Status == "replaced" }

// changes are what a replaced user has got, and kept, apart from the hash.
func changes(before, after *directory.User) (all []string) {
	if before.Disabled {
		all = append(all, "stays disabled")
	}
	switch {
	case before.ID == "" && after.ID != "":
		all = append(all, fmt.Sprintf("the id is now %s, so the tokens end", directory.Shown(after.ID)))
	case before.ID != after.ID:
		all = append(all, fmt.Sprintf("the id was %s and is now %s, so the tokens end", directory.Shown(before.ID), directory.Shown(after.ID)))
	case before.ID != "":
		all = append(all, "id kept")
	}
	switch was, is := scopesText(before.Scopes), scopesText(after.Scopes); {
	case was != is:
		all = append(all, fmt.Sprintf("scopes were %s and are now %s", was, is))
	case before.Scopes != nil:
		all = append(all, "scopes kept")
	}
	var set []string
	for _, name := range slices.Sorted(maps.Keys(after.Claims)) {
		if !bytes.Equal(before.Claims[name], after.Claims[name]) {
			set = append(set, directory.Shown(name))
		}
	}
	switch {
	case len(set) > 0:
		all = append(all, "claims changed: "+strings.Join(set, ", "))
	case len(before.Claims) > 0:
		all = append(all, "claims kept")
	}
	return all
}

// scopesText is scopesCell within a sentence.
func scopesText(scopes []string) string {
	if scopes == nil {
		return "any"
	}
	return strings.ReplaceAll(scopesCell(scopes), " ", ",")
}

// line is "users.htpasswd:3: alice: added (bcrypt cost 10)".
func (u *importedUser) line(source string, dryRun bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d: ", source, u.Line)
	if u.Name != "" {
		b.WriteString(u.Name + ": ")
	}
	if dryRun && u.Status != "skipped" {
		b.WriteString("would be ")
	}
	b.WriteString(u.Status)
	if u.comes() {
		kind := u.Hash
		if kind == userimport.Plaintext {
			kind = "its plaintext password is hashed"
		}
		fmt.Fprintf(&b, " (%s)", strings.Join(append([]string{kind}, u.Changes...), "; "))
		for _, note := range u.Notes {
			b.WriteString("; " + note)
		}
	} else {
		b.WriteString(": " + u.Reason)
	}
	return b.String()
}
