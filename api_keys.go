package caddygrant

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/apikey"
	"github.com/caddygrant/caddy-grant/internal/bearer"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// APIKeyFile is a file of API keys, which is followed without a reload.
type APIKeyFile struct {
	// The format: `json`, for `{"api_keys":[{"name":…,"hash":…,"user":…}]}`, or `lines`,
	// for one key per line. Required.
	Source string `json:"source"`

	// The path of the file. Placeholders are replaced at start. Required.
	Path string `json:"path"`
}

// validate checks all but the file.
func (f APIKeyFile) validate() error {
	if apiKeyFormats[f.Source] == nil {
		return fmt.Errorf("api_keys: the format is json or lines, and not %q", f.Source)
	}
	if f.Path == "" {
		return fmt.Errorf("api_keys %s: it needs the path of a file", f.Source)
	}
	return nil
}

// apiKeyFormats read the formats of files.
var apiKeyFormats = map[string]func([]byte) (*apikey.Set, error){
	"json":  apikey.ParseJSON,
	"lines": apikey.ParseLines,
}

// apiKeys verifies the API keys of a server.
type apiKeys struct {
	server  string // its name
	files   []*apiKeyFile
	users   *directory.UserDirectory
	clients *directory.ClientDirectory
	policy  *token.Policy
	ended   endedKeys
	logger  *zap.Logger

	mu   sync.Mutex
	used map[string]time.Time // last uses that were made known, by name
}

// apiKeyFile is the active version of a file.
type apiKeyFile struct{ followedFile[*apikey.Set] }

// openAPIKeys opens the files of a config.
func openAPIKeys(files []APIKeyFile, allow directory.Options) ([]*apiKeyFile, error) {
	var opened []*apiKeyFile
	for _, f := range files {
		if err := f.validate(); err != nil {
			return opened, err
		}
		file := new(apiKeyFile)
		if err := file.open(f.Path, apikey.Section, f.Source, allow, apiKeyFormats[f.Source]); err != nil {
			return opened, err
		}
		opened = append(opened, file)
	}
	return opened, checkKeyNames(opened)
}

// checkKeyNames refuses keys of one name in two files: logs and metrics name them.
func checkKeyNames(files []*apiKeyFile) error {
	first := make(map[string]*apiKeyFile)
	for _, file := range files {
		for key := range file.Snapshot().All() {
			if other := first[key.Name]; other != nil && other != file {
				return fmt.Errorf("%s: there is an API key %q in %s, too: give one of them another name", file, key.Name, other)
			}
			first[key.Name] = file
		}
	}
	return nil
}

func newAPIKeys(ctx context.Context, server string, files []*apiKeyFile, tokens *token.Checker, sessions *serverSessions, logger *zap.Logger) *apiKeys {
	return &apiKeys{
		server: server, files: files, users: tokens.Users, clients: tokens.Clients, policy: tokens.Policy, logger: logger,
		ended: endedKeys{ctx: ctx, sessions: sessions, logger: logger, seen: make(map[string]bool)},
		used:  make(map[string]time.Time),
	}
}

// release leaves the files.
func (k *apiKeys) release() {
	for _, file := range k.files {
		_ = file.Cleanup() // which has been logged, or does not fail
	}
}

// verify finds out whose key it is, by the owners as they are now.
func (k *apiKeys) verify(ctx context.Context, raw string) (bearer.Identity, error) {
	if !apikey.WellFormed(raw) { // which costs less than to look for it
		return nil, apikey.ErrMalformed
	}
	key := k.find(apikey.DigestOf(raw))
	if key == nil {
		return nil, apikey.ErrUnknown
	}
	id, err := k.identify(ctx, key)
	if err != nil {
		return apikey.NewIdentity(key, nil, nil, nil, nil, ""), err // which names the key
	}
	k.noteUse(key.Name)
	return id, nil
}

func (k *apiKeys) find(digest apikey.Digest) *apikey.Key {
	for _, file := range k.files {
		if key := file.Snapshot().ByDigest(digest); key != nil {
			return key
		}
	}
	return nil
}

// identify finds the owner of a key, who must be there and enabled.
func (k *apiKeys) identify(ctx context.Context, key *apikey.Key) (*apikey.Identity, error) {
	if key.Expired(clock.Now()) {
		return nil, apikey.ErrExpired
	}
	if ended, err := k.ended.has(ctx, key); err != nil {
		return nil, token.Unchecked("whether API keys have ended is not known yet", err)
	} else if ended {
		return nil, apikey.ErrEnded
	}
	user, client, err := k.ownerOf(ctx, key)
	switch {
	case err != nil:
		return nil, token.Unchecked("the owners of API keys cannot be looked up", err)
	case user == nil && client == nil:
		k.ended.end(key, k.adviceOnOwner(key))
		return nil, apikey.ErrOwnerGone
	case user != nil && user.Disabled:
		return nil, apikey.ErrOwnerDisabled
	case user != nil:
		return apikey.NewIdentity(key, user, nil, key.Scopes, k.policy.Audience, k.policy.Issuer), nil
	}
	audience := k.policy.Audience
	if client.Audience != nil {
		audience = client.Audience
	}
	return apikey.NewIdentity(key, nil, client, k.policy.AllowedScopes(client), audience, k.policy.Issuer), nil
}

// ownerOf looks the owner of a key up. A user that has an id is another user than one of
// that name without an id.
func (k *apiKeys) ownerOf(ctx context.Context, key *apikey.Key) (*directory.User, *directory.Client, error) {
	field, name := key.Owner()
	if field == "client" {
		if name == token.LoginPage {
			return nil, nil, nil
		}
		client, err := k.clients.RecentByID(ctx, name)
		return nil, client, err
	}
	user, err := k.users.RecentBySubject(ctx, name)
	if user != nil && (user.ID == "") != (field == "user") {
		user = nil
	}
	return user, nil, err
}

// ofAnyClient is the name of the first key that a client owns, empty if there is none.
func (k *apiKeys) ofAnyClient() string {
	for _, file := range k.files {
		for key := range file.Snapshot().All() {
			if key.IsClients() {
				return key.Name
			}
		}
	}
	return ""
}

// isLive tells whether the owner of a key may be in a source that has to be asked.
func (k *apiKeys) isLive(key *apikey.Key) bool {
	if key.IsClients() {
		return k.clients.IsLive()
	}
	return k.users.IsLive()
}

// idOfOwner is the id of the user in memory that a key names by the username, empty if
// there is no such user, or one without an id.
func (k *apiKeys) idOfOwner(key *apikey.Key) string {
	if key.User == "" || k.users.IsLive() {
		return ""
	}
	user, err := k.users.ByUsername(context.Background(), key.User)
	if err != nil || user == nil {
		return ""
	}
	return user.ID
}

// adviceOnOwner is what to do about a key whose owner is not there.
func (k *apiKeys) adviceOnOwner(key *apikey.Key) string {
	if k.idOfOwner(key) != "" {
		return "the user has an id: write user_id and the id in place of user"
	}
	return "delete its line; another owner of that name needs a key of their own, made with \"caddy grant key add\""
}

// noteUse makes a use known, once an hour for each key.
func (k *apiKeys) noteUse(name string) {
	now := clock.Now()
	k.mu.Lock()
	due := now.Sub(k.used[name]) >= usesKnownEvery || now.Before(k.used[name])
	if due {
		k.used[name] = now
	}
	k.mu.Unlock()
	if due {
		observeAPIKeyUse(k.server, name, now)
		k.logger.Info("API key used", zap.String("api_key", name))
	}
}

// heed looks at the owners of all keys, when a file has changed: a key ends with its
// owner, also if nothing uses it meanwhile. Sources that have to be asked are left out.
func (k *apiKeys) heed() {
	known := make(map[string]bool)
	for _, file := range k.files {
		for key := range file.Snapshot().All() {
			known[key.Name] = true
			if k.isLive(key) {
				continue
			}
			if user, client, err := k.ownerOf(context.Background(), key); err == nil && user == nil && client == nil {
				k.ended.end(key, k.adviceOnOwner(key))
			}
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for name := range k.used {
		if !known[name] {
			delete(k.used, name)
			forgetAPIKey(k.server, name)
		}
	}
}

// usesKnownEvery is how often a use of a key is made known.
const usesKnownEvery = time.Hour
