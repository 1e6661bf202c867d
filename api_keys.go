package caddygrant

import (
	"context"
	"sync"

	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/adminapi"
	"github.com/caddygrant/caddy-grant/internal/apikey"
	"github.com/caddygrant/caddy-grant/internal/bearer"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/explain"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// apiKeys verifies the API keys of a server.
type apiKeys struct {
	server  string // its name
	files   *apiKeyFiles
	users   *directory.UserDirectory
	clients *directory.ClientDirectory
	policy  *token.Policy
	ended   endedKeys
	owners  *ownerWatch
	logger  *zap.Logger

	mu         sync.Mutex
	identities map[string]*apikey.Identity // made so far, by the names of the keys
}

func newAPIKeys(server string, files []*apiKeyFile, tokens *token.Checker, sessions *serverSessions, logger *zap.Logger) *apiKeys {
	k := &apiKeys{
		server: server, files: &apiKeyFiles{all: files, logger: logger}, users: tokens.Users, clients: tokens.Clients, policy: tokens.Policy, logger: logger,
		ended:      endedKeys{sessions: sessions, logger: logger, news: make(chan struct{}, 1)},
		identities: make(map[string]*apikey.Identity),
	}
	k.owners = newOwnerWatch(k)
	return k
}

// verify finds out whose key it is, by the owners as they are now.
func (k *apiKeys) verify(ctx context.Context, shown bearer.Credential) (bearer.Identity, error) {
	id, err := k.lookUp(ctx, shown.Raw)
	switch {
	case id == nil: // which as an Identity would not be nil
		return nil, err
	case err == nil:
		k.noteUse(id.Key().Name)
	}
	return id, err
}

// lookUp is verify without a use. The identity that comes with an error, if the key is
// known, names the key and nothing else.
func (k *apiKeys) lookUp(ctx context.Context, raw string) (*apikey.Identity, error) {
	if !apikey.WellFormed(raw) { // which costs less than to look for it
		return nil, apikey.ErrMalformed
	}
	key, err := k.files.find(apikey.DigestOf(raw))
	if key == nil {
		return nil, err
	}
	if err == nil {
		var id *apikey.Identity
		if id, err = k.identify(ctx, key); err == nil {
			return id, nil
		}
	}
	return apikey.NewIdentity(key, nil, nil, nil, nil, ""), err
}

// explain says what is wrong with an API key, if anything is.
func (k *apiKeys) explain(ctx context.Context, request adminapi.ExplainRequest) adminapi.Explanation {
	found, err := k.lookUp(ctx, request.Token)
	return explain.APIKey(found, err, request, k.policy.Audience)
}

// identify finds the owner of a key, who must be there and enabled.
func (k *apiKeys) identify(ctx context.Context, key *apikey.Key) (*apikey.Identity, error) {
	if key.Expired(clock.Now()) {
		return nil, apikey.ErrExpired
	}
	if ended, err := k.ended.has(ctx, key); err != nil {
		return nil, token.Unchecked("whether API keys have ended is not known yet", err)
	} else if ended {
		return nil, k.whyGone(ctx, key, apikey.ErrEnded)
	}
	user, client, err := k.ownerOf(ctx, key)
	switch {
	case err != nil:
		return nil, token.Unchecked("the owners of API keys cannot be looked up", err)
	case user == nil && client == nil:
		k.owners.miss(key)
		return nil, k.whyGone(ctx, key, apikey.ErrOwnerGone)
	case user != nil && user.Disabled:
		return nil, apikey.ErrOwnerDisabled
	case client != nil:
		switch named, err := k.users.RecentlyHasName(ctx, client.ID); {
		case err != nil:
			return nil, token.Unchecked("the owners of API keys cannot be looked up", err)
		case named:
			return nil, apikey.ErrOwnerNamedLikeUser
		}
	}
	return k.identity(key, user, client), nil
}

// identity is who sends a key of that owner, a user or a client. It is made once, since
// keys, users and clients are immutable. The lock is held meanwhile: what is made of
// clients that have changed since is then made before heed forgets it.
func (k *apiKeys) identity(key *apikey.Key, user *directory.User, client *directory.Client) *apikey.Identity {
	k.mu.Lock()
	defer k.mu.Unlock()
	made := k.identities[key.Name]
	if made != nil && made.Key() == key && made.User() == user && made.Client() == client {
		return made
	}
	k.owners.found(key)
	made = k.newIdentity(key, user, client)
	k.identities[key.Name] = made
	return made
}

func (k *apiKeys) newIdentity(key *apikey.Key, user *directory.User, client *directory.Client) *apikey.Identity {
	allowed, audience := key.Scopes, k.policy.Audience
	switch {
	case client == nil && user.Scopes == nil && !k.clients.IsLive():
		allowed = k.policy.ScopesOfUsers(k.clients.Known())
	case client != nil:
		allowed = k.policy.AllowedScopes(client)
		if client.Audience != nil {
			audience = client.Audience
		}
	}
	return apikey.NewIdentity(key, user, client, allowed, audience, k.policy.Issuer)
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

// whyGone is err for an owner who is gone, and ErrOwnerHasID for a user who is there but
// has an id, by which the key has to name them.
func (k *apiKeys) whyGone(ctx context.Context, key *apikey.Key, err error) error {
	if field, name := key.Owner(); field == "user" {
		if user, _, failed := k.ownerOf(ctx, key); user != nil || failed != nil {
			return err // another user of that name, who does not inherit the key
		}
		if has, _ := k.users.RecentlyHasName(ctx, name); has {
			return apikey.ErrOwnerHasID
		}
	}
	return err
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

// follow keeps up with the owners of the keys, and tells the other nodes of what has
// ended, until ctx ends.
func (k *apiKeys) follow(ctx context.Context) {
	if len(k.files.all) > 0 {
		go k.ended.tell(ctx)
		k.owners.run(ctx)
	}
}

// heed looks at the keys and their owners again, when a file has changed.
func (k *apiKeys) heed() {
	k.files.reportConflicts()
	known := make(map[string]bool)
	for _, file := range k.files.all {
		for key := range file.Snapshot().All() {
			known[key.Name] = true
		}
	}
	forgetAPIKeys(k.server, func(name string) bool { return known[name] })
	k.mu.Lock()
	clear(k.identities) // the scopes of a user may depend on clients that have changed
	k.mu.Unlock()
	k.owners.wake()
}

// noteUse makes the use of a key known, once an hour for each key.
func (k *apiKeys) noteUse(name string) {
	if observeAPIKeyUse(k.server, name, clock.Now()) {
		k.logger.Info("API key used", zap.String("api_key", name))
	}
}
