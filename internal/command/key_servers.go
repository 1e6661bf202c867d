package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/apikey"
	"github.com/caddygrant/caddy-grant/internal/useredit"
)

// keyServers are the servers of a config that have a file of API keys. Without a config
// there are none, and nothing is known.
type keyServers struct {
	config string // its name
	all    []keyServer
}

// keyServer is a token_endpoint as the config has it.
type keyServer struct {
	settings map[string]any
	others   []entriesFile // of API keys
}

// servers finds the servers of the file. With --file, only a config that is named too is
// read.
func (f entriesFile) servers(cmd *cobra.Command) (found keyServers, err error) {
	if cmd.Flags().Changed("file") && !cmd.Flags().Changed("config") {
		return found, nil
	}
	config, adapted, err := readConfig(cmd, useredit.Keys)
	if err != nil {
		return found, err
	}
	found.config = config
	for _, endpoint := range endpointsIn(adapted) {
		server := keyServer{settings: endpoint}
		has := false
		for _, source := range sourcesOf(endpoint, useredit.Keys) {
			switch path, err := pathIn(config, source); {
			case err != nil: // it is not known which file that is
			case sameFile(path, f.path):
				has = true
			default:
				server.others = append(server.others, entriesFile{path, useredit.Format(source.Source), useredit.Keys})
			}
		}
		if has {
			found.all = append(found.all, server)
		}
	}
	return found, nil
}

// sameFile tells whether two paths are of one file, which need not exist yet.
func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	if other, failed := os.Stat(b); err == nil && failed == nil {
		return os.SameFile(one, other)
	}
	a, err = filepath.Abs(a)
	b, failed := filepath.Abs(b)
	return err == nil && failed == nil && a == b
}

// haveName says whether another file of a server has a key of that name.
func (s keyServers) haveName(name string) error {
	for _, server := range s.all {
		for _, other := range server.others {
			if keys, err := other.keys(); err == nil && keys.Has(name) { // else Caddy says what is wrong with it
				return fmt.Errorf("%s has a key %q already, and %s gives both files to one server: choose another name, or end that key with \"caddy grant key revoke\"", other.path, name, s.config)
			}
		}
	}
	return nil
}

// entries are the users, or the clients, of all servers. all tells whether there are no
// others, which a database may have.
func (s keyServers) entries(list useredit.List) (entries []useredit.Entry, all bool) {
	all = len(s.all) > 0
	for _, server := range s.all {
		found, complete := s.entriesOf(server, list)
		entries, all = append(entries, found...), all && complete
	}
	return entries, all
}

func (s keyServers) entriesOf(server keyServer, list useredit.List) (entries []useredit.Entry, all bool) {
	all = true
	sources, _ := server.settings[string(list)].([]any)
	for _, source := range sources {
		found, err := entriesOfSource(s.config, source, list)
		entries, all = append(entries, found...), all && err == nil
	}
	return entries, all
}

// warnings say what is wrong with a key of an owner whom the config knows.
func (s keyServers) warnings(k *apikey.Key) (all []string) {
	if users, _ := s.entries(useredit.Users); k.IsClients() && slices.ContainsFunc(users, func(e useredit.Entry) bool {
		return e.Name == k.Client || e.User.ID == k.Client
	}) {
		all = append(all, fmt.Sprintf("Warning: the client %s has the name or the id of a user, so the key is always refused: give the client an id that no user has.", printable(k.Client)))
	}
	lacking := k.Scopes
	for _, server := range s.all {
		allowed, err := s.allowed(server, k)
		if err != nil {
			return all
		}
		lacking = apikey.Lacking(lacking, allowed)
	}
	if len(s.all) > 0 && len(lacking) > 0 {
		field, name := k.Owner()
		all = append(all, fmt.Sprintf("Warning: the %s cannot have the scopes %s, so the key does not have them either: correct them, or give them to the owner.", ownerWords(field, printable(name)), strings.Join(lacking, " ")))
	}
	return all
}

// errUnknown says that the config does not tell.
var errUnknown = errors.New("the config does not tell")

// allowed are the scopes that the owner of a key can have at a server.
func (s keyServers) allowed(server keyServer, k *apikey.Key) ([]string, error) {
	var settings apikey.Settings
	encoded, err := json.Marshal(server.settings)
	if err == nil {
		err = json.Unmarshal(encoded, &settings)
	}
	if err != nil {
		return nil, err
	}
	listed, allClients := s.entriesOf(server, useredit.Clients)
	var clients []*directory.Client
	for _, e := range listed {
		clients = append(clients, e.Client)
	}
	var allowed []string
	if k.IsClients() {
		i := slices.IndexFunc(clients, func(c *directory.Client) bool { return c.ID == k.Client })
		if i < 0 {
			return nil, errUnknown
		}
		allowed = settings.Allowed(nil, clients[i], nil)
	} else {
		users, _ := s.entriesOf(server, useredit.Users)
		i := slices.IndexFunc(users, func(e useredit.Entry) bool {
			return k.UserID != "" && e.User.ID == k.UserID || k.UserID == "" && e.Name == k.User
		})
		if i < 0 || users[i].User.Scopes == nil && !allClients {
			return nil, errUnknown
		}
		allowed = settings.Allowed(users[i].User, nil, slices.Values(clients))
	}
	if slices.ContainsFunc(allowed, func(scope string) bool { return strings.Contains(scope, "{") }) { // a placeholder
		return nil, errUnknown
	}
	return allowed, nil
}
