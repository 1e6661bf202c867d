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
	server string // its name
	files  *apiKeyFiles
	owners keyOwners
	policy *token.Policy
	ended  *endedKeys
	watch  *ownerWatch
	logger *zap.Logger

	mu         sync.Mutex
	identities map[string]*apikey.Identity // made so far, by the names of the keys
}

func newAPIKeys(server string, files []*apiKeyFile, tokens *token.Checker, sessions *serverSessions, logger *zap.Logger) *apiKeys {
	k := &apiKeys{
		server: server, files: &apiKeyFiles{all: files, logger: logger}, owners: keyOwners{tokens.Users, tokens.Clients}, policy: tokens.Policy, logger: logger,
		ended:      &endedKeys{sessions: sessions, logger: logger, news: make(chan struct{}, 1)},
		identities: make(map[string]*apikey.Identity),
	}
	k.watch = newOwnerWatch(k.files, k.owners, k.ended, logger)
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
		return nil, k.owners.whyGone(ctx, key, apikey.ErrEnded)
	}
	user, client, err := k.owners.of(ctx, key)
	switch {
	case err != nil:
		return nil, token.Unchecked("the owners of API keys cannot be looked up", err)
	case user == nil && client == nil:
		k.watch.miss(key)
		return nil, k.owners.whyGone(ctx, key, apikey.ErrOwnerGone)
	case user != nil && user.Disabled:
		return nil, apikey.ErrOwnerDisabled
	case client != nil:
		switch named, err := k.owners.users.RecentlyHasName(ctx, client.ID); {
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
	k.watch.found(key)
	made = k.newIdentity(key, user, client)
	k.identities[key.Name] = made
	return made
}

func (k *apiKeys) newIdentity(key *apikey.Key, user *directory.User, client *directory.Client) *apikey.Identity {
	allowed, audience := key.Scopes, k.policy.Audience
	switch {
	case client == nil && user.Scopes == nil && !k.owners.clients.IsLive():
		allowed = k.policy.ScopesOfUsers(k.owners.clients.Known())
	case client != nil:
		allowed = k.policy.AllowedScopes(client)
		if client.Audience != nil {
			audience = client.Audience
		}
	}
	return apikey.NewIdentity(key, user, client, allowed, audience, k.policy.Issuer)
}

// follow keeps up with the owners of the keys, and tells the other nodes of what has
// ended, until ctx ends.
func (k *apiKeys) follow(ctx context.Context) {
	if len(k.files.all) > 0 {
		go k.ended.tell(ctx)
		k.watch.run(ctx)
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
	k.watch.wake()
}

// noteUse makes the use of a key known, once an hour for each key.
func (k *apiKeys) noteUse(name string) {
	if observeAPIKeyUse(k.server, name, clock.Now()) {
		k.logger.Info("API key used", zap.String("api_key", name))
	}
}
