package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/apikey"
	"github.com/caddygrant/caddy-grant/internal/useredit"
)

// ownKey looks the owner of a new key up, as far as the config and the file tell who
// there is: a user with an id is named by it, and an owner that certainly does not exist
// is refused: Caddy ends a key for good whose owner is missing. said is what a person
// should know of it.
func (f entriesFile) ownKey(servers keyServers, k *apikey.Key) (said string, err error) {
	list := useredit.Users
	if k.IsClients() {
		list = useredit.Clients
	}
	entries, all := f.owners(servers, list)
	field, name := k.Owner()
	i := slices.IndexFunc(entries, func(e useredit.Entry) bool { return owns(e, k) })
	switch {
	case i < 0 && all:
		return "", fmt.Errorf("%s has no %s: add the owner first, or correct the name", servers.config, ownerWords(field, directory.Shown(name)))
	case i < 0 || field != "user" || entries[i].User.ID == "":
		return "", nil
	}
	k.User, k.UserID = "", entries[i].User.ID
	return fmt.Sprintf("The user %s has an id, so the key belongs to it and survives a new name.", name), nil
}

// owns tells whether a user, or a client, is the owner that a key names.
func owns(e useredit.Entry, k *apikey.Key) bool {
	field, name := k.Owner()
	if field == "user_id" {
		return e.User.ID == name
	}
	return e.Name == name
}

// ofInlineOwner is what a person should know of the owner of a key who is in the config
// itself, where a running Caddy reads it only at a reload. It is empty for another owner.
func (s keyServers) ofInlineOwner(k *apikey.Key) string {
	list := useredit.Users
	if k.IsClients() {
		list = useredit.Clients
	}
	for _, server := range s.all {
		for i, source := range sourcesOf(server.settings, list) {
			if source.Source != "inline" {
				continue
			}
			entries, _ := entriesOfSource(s.config, server.settings[string(list)].([]any)[i], list)
			if !slices.ContainsFunc(entries, func(e useredit.Entry) bool { return owns(e, k) }) {
				continue
			}
			field, name := k.Owner()
			return fmt.Sprintf("The %s is in %s itself: if the running Caddy does not have this %s yet, the key is refused until you reload it.",
				ownerWords(field, printable(name)), s.config, strings.TrimSuffix(field, "_id"))
		}
	}
	return ""
}

// owners are the users, or the clients, of the servers that have the file, and of the
// file itself. all tells whether these are all that there are.
func (f entriesFile) owners(servers keyServers, list useredit.List) (entries []useredit.Entry, all bool) {
	if f.format == useredit.JSON {
		if data, err := f.read(); err == nil {
			entries, _ = useredit.Read(data, useredit.JSON, list) // it need not have that list
		}
	}
	found, all := servers.entries(list)
	return append(entries, found...), all
}

// entriesOfSource reads a source of a config. An error says that it may have others which
// cannot be read here, as it is with a database.
func entriesOfSource(config string, source any, list useredit.List) (entries []useredit.Entry, err error) {
	encoded, err := json.Marshal(source)
	if err != nil {
		return nil, err
	}
	var settings struct {
		configSource
		Users   []*directory.User   `json:"users"`
		Clients []*directory.Client `json:"clients"`
	}
	if err := json.Unmarshal(encoded, &settings); err != nil {
		return nil, err
	}
	switch settings.Source {
	case "inline":
		known := true
		for _, u := range settings.Users {
			if isLiteral(u.Username) && isLiteral(u.ID) {
				entries = append(entries, useredit.Entry{Name: u.Username, User: u})
			} else {
				known = false
			}
		}
		for _, c := range settings.Clients {
			if isLiteral(c.ID) {
				entries = append(entries, useredit.Entry{Name: c.ID, Client: c})
			} else {
				known = false
			}
		}
		if !known {
			return entries, errors.New("a name is a placeholder")
		}
		return entries, nil
	case string(useredit.Htpasswd), string(useredit.JSON):
		path, err := pathIn(config, settings.configSource)
		if err != nil {
			return nil, err
		}
		return entriesFile{path, useredit.Format(settings.Source), list}.entries()
	}
	return nil, fmt.Errorf("%s is not a file", settings.Source)
}

// isLiteral tells whether a name is what it says. What a placeholder stands for is known
// where Caddy runs.
func isLiteral(name string) bool {
	return !strings.Contains(name, "{")
}
