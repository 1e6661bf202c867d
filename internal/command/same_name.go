package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddygrant/caddy-grant/internal/useredit"
)

// freedName is what a person should know of the API keys of an entry whose name becomes
// free. Caddy tells another owner of that name from this one only if it reads the file in
// between.
func (f entriesFile) freedName(name string) string {
	entries, err := f.entries()
	i := slices.IndexFunc(entries, func(e useredit.Entry) bool { return e.Name == name })
	if err != nil || i < 0 {
		return "" // the edit says why
	}
	kind, by, field, called := "user", "name", "user", name
	switch {
	case f.list == useredit.Clients:
		kind, by, field = "client", "id", "client"
	case entries[i].User.ID != "":
		by, field, called = "id", "user_id", entries[i].User.ID
	}
	var keys []string
	if f.format == useredit.JSON {
		if set, err := (entriesFile{f.path, f.format, useredit.Keys}).keys(); err == nil {
			for k := range set.All() {
				if of, owner := k.Owner(); of == field && owner == called {
					keys = append(keys, printable(k.Name))
				}
			}
		}
	}
	if len(keys) == 0 {
		return fmt.Sprintf("If there are API keys of this %s, revoke them before another %s gets the %s.", kind, kind, by)
	}
	named := strings.Join(keys[:min(len(keys), mostNamed)], ", ")
	if more := len(keys) - mostNamed; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("API keys of this %s are in the file: %s. Revoke them before another %s gets the %s.", kind, named, kind, by)
}

// namedAlike warns of a new user, or of a new client with client_credentials, if the file
// has a client, or a user, that apps could take for it: such a client gets no tokens.
func (f entriesFile) namedAlike(name, id string) string {
	if f.format != useredit.JSON {
		return ""
	}
	other := entriesFile{f.path, f.format, useredit.Users}
	if f.list == useredit.Users {
		other.list = useredit.Clients
	}
	entries, _ := other.entries() // it need not have that list
	for _, e := range entries {
		switch {
		case e.User != nil && (e.Name == name || e.User.ID == name):
			return fmt.Sprintf("Warning: the file has a user with the name or the id %s, so this client gets no tokens by client_credentials: choose an id that no user has.", printable(name))
		case e.Client != nil && (e.Name == name || e.Name == id) && e.Client.MayUse(clientCredentials):
			return fmt.Sprintf("Warning: the file has a client %s, which gets no tokens by client_credentials as long as a user has that name or id: give one of them another.", printable(e.Name))
		}
	}
	return ""
}

const (
	mostNamed         = 5 // keys in a message
	clientCredentials = "client_credentials"
)
