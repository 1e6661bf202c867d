package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

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
	i := slices.IndexFunc(entries, func(e useredit.Entry) bool {
		if field == "user_id" {
			return e.User.ID == name
		}
		return e.Name == name
	})
	switch {
	case i < 0 && all:
		return "", fmt.Errorf("%s has no %s: add the owner first, or correct the name", servers.config, ownerWords(field, directory.Shown(name)))
	case i < 0 || field != "user" || entries[i].User.ID == "":
		return "", nil
	}
	k.User, k.UserID = "", entries[i].User.ID
	return fmt.Sprintf("The user %s has an id, so the key belongs to it and survives a new name.", name), nil
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

// entriesOfSource reads a source of a config. An error says that it cannot be read here,
// as it is with a database.
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
		if bytes.Contains(encoded, []byte("{env.")) || bytes.Contains(encoded, []byte("{file.")) {
			return nil, errors.New("a name may be a placeholder")
		}
		for _, u := range settings.Users {
			entries = append(entries, useredit.Entry{Name: u.Username, User: u})
		}
		for _, c := range settings.Clients {
			entries = append(entries, useredit.Entry{Name: c.ID, Client: c})
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
