package caddygrant

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/apikey"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// loadWarnings warns, at a start and at a reload, of what a config may say but hardly
// means.
type loadWarnings struct {
	logger  *zap.Logger
	config  *Config // with defaults in place of what it leaves out
	users   *directory.UserDirectory
	clients *directory.ClientDirectory
	alike   atomic.Pointer[[]string] // the clients that were reported last, see warnOfNames
}

// warnOfConfig looks at the server's own settings and at the users and clients in the
// config. Those in files are followed, and checked whenever they change.
func (w *loadWarnings) warnOfConfig(given Config) {
	warnOfCommas(w.logger, w.config.Scopes, zap.String("of", "server"))
	w.warnOfLifetime("refresh_token_ttl", given.RefreshTokenTTL)
	w.warnOfLifetime("access_token_ttl", given.AccessTokenTTL)
	for _, source := range w.users.All() {
		if inline, ok := source.(*InlineUsers); ok {
			inline.Advice().Log(w.logger.With(zap.String("source", inline.String())), "entries")
			for user := range inline.Known() {
				warnOfCommas(w.logger, user.Scopes, zap.String("user_id", user.Subject()))
			}
		}
	}
	for _, source := range w.clients.All() {
		if inline, ok := source.(*InlineClients); ok {
			inline.Advice().Log(w.logger.With(zap.String("source", inline.String())), "entries")
			for client := range inline.Known() {
				w.warnOfClient(client)
			}
		}
	}
}

func (w *loadWarnings) warnOfClient(client *directory.Client) {
	id := zap.String("client_id", client.ID)
	if client.Secret != "" && len(client.Secret) < shortSecret {
		w.logger.Warn("a client's secret is short", id, zap.String("advice",
			fmt.Sprintf("it has %d bytes, quick to guess: make one with \"openssl rand -hex 32\"", len(client.Secret))))
	}
	warnOfCommas(w.logger, slices.Concat(client.Scopes, client.DefaultScopes), id)
	w.warnOfLifetime("refresh_token_ttl", client.RefreshTokenTTL, id)
	w.warnOfLifetime("access_token_ttl", client.AccessTokenTTL, id)
}

// warnOfGrants says which clients list a grant that the server does not offer: they
// never get it, and no answer says why. This is logged once per config, for what the
// files contain then. One list may be for several servers, so it is not an error. For a
// client that introspects, a grant that is not offered is a way to have none.
func (w *loadWarnings) warnOfGrants() {
	for _, grantType := range grantTypeNames() {
		if slices.Contains(w.config.Grants, grantType) {
			continue
		}
		for source, clients := range w.clients.KnownBySource() {
			count, first := 0, ""
			for client := range clients {
				if client.Introspect == nil && slices.Contains(client.Grants, grantType) {
					count++
					first = cmp.Or(first, client.ID)
				}
			}
			if count > 0 {
				w.logger.Warn("clients list a grant that the server does not offer",
					zap.String("grant_type", grantType), zap.String("source", source),
					zap.Int("count", count), zap.String("client_id", first),
					zap.String("advice", "add "+grantType+" to the grants of the server, or remove it from those of the clients"))
			}
		}
	}
}

// warnOfNames says which clients get no token for themselves since they are named like
// a user, unless it has said the same before. It looks at what is in memory; a database
// is asked when such a client requests a token.
func (w *loadWarnings) warnOfNames() {
	if !slices.Contains(w.config.Grants, oauth.GrantTypeClientCredentials) {
		return
	}
	var ids []string
	for client := range w.clients.Known() {
		if client.MayUse(oauth.GrantTypeClientCredentials) && w.users.KnownName(client.ID) {
			ids = append(ids, client.ID)
		}
	}
	before := w.alike.Swap(&ids)
	if len(ids) == 0 || before != nil && slices.Equal(*before, ids) {
		return
	}
	w.logger.Warn("clients are named like users, so they get no tokens for themselves",
		zap.Int("count", len(ids)), zap.String("client_id", ids[0]), zap.Strings("client_ids", ids[:min(len(ids), mostNamed)]),
		zap.String("advice", "give these clients ids that no user has as username or id: apps could take a client for the user"))
}

// warnOfKeys says which API keys are refused since two files have them, since there is no
// such owner, since they name a user that has an id by the username, or since their owner
// is a client that is named like a user, and which name scopes that their owners cannot
// have. It looks at what is in memory.
func (w *loadWarnings) warnOfKeys(keys *apiKeys) {
	keys.files.reportConflicts()
	for _, file := range keys.files.all {
		var gone, unnamed, alike, excessive, lacking []string
		for key := range file.Snapshot().All() {
			if keys.owners.isLive(key) {
				continue
			}
			user, client, err := keys.owners.of(context.Background(), key)
			switch {
			case err != nil:
			case key.Expired(clock.Now()): // whatever else it has
			case client != nil && w.users.KnownName(client.ID):
				alike = append(alike, key.Name)
			case user != nil || client != nil:
				if scopes := apikey.Lacking(key.Scopes, keys.newIdentity(key, user, client).Scopes()); len(scopes) > 0 {
					excessive, lacking = append(excessive, key.Name), append(lacking, scopes...)
				}
			case keys.owners.idOf(key) != "":
				unnamed = append(unnamed, key.Name)
			default:
				gone = append(gone, key.Name)
			}
		}
		slices.Sort(lacking)
		lacking = slices.Compact(lacking)
		w.warnOfOwners(file, "API keys name scopes that their owners cannot have", excessive,
			"correct the scopes, or give them to the owners; a user without scopes has those that a user can get by logging in",
			zap.Strings("scopes", lacking[:min(len(lacking), mostNamed)]))
		w.warnOfOwners(file, "API keys are refused, since their owners are not there", gone,
			"correct the owner or delete the line: a user or client who gets that name later does not get these keys, so make new ones with \"caddy grant key add\"")
		w.warnOfOwners(file, "API keys are refused, since they name a user who has an id by the username", unnamed,
			"write user_id and the id of the user in place of user")
		w.warnOfOwners(file, "API keys are refused, since their owners are clients with the name of a user", alike,
			"give these clients ids that no user has as username or id, and make new keys for them: apps could take a client for the user")
	}
}

func (w *loadWarnings) warnOfOwners(file *apiKeyFile, message string, keys []string, advice string, more ...zap.Field) {
	if len(keys) > 0 {
		w.logger.Warn(message, append(more, zap.Int("count", len(keys)), zap.Strings("api_keys", keys[:min(len(keys), mostNamed)]),
			zap.String("path", file.key.path), zap.String("advice", advice))...)
	}
}

// warnOfDefaultScopes says which clients have default_scopes that they may not ask for:
// a login without a scope does not get them. It is logged once per config.
func (w *loadWarnings) warnOfDefaultScopes(policy *token.Policy) {
	for source, clients := range w.clients.KnownBySource() {
		var ids, lacking []string
		for client := range clients {
			if scopes := apikey.Lacking(client.DefaultScopes, policy.AllowedScopes(client)); len(scopes) > 0 {
				ids, lacking = append(ids, client.ID), append(lacking, scopes...)
			}
		}
		if len(ids) == 0 {
			continue
		}
		slices.Sort(lacking)
		lacking = slices.Compact(lacking)
		w.logger.Warn("default_scopes of clients name scopes that these may not ask for",
			zap.String("source", source), zap.Int("count", len(ids)), zap.String("client_id", ids[0]),
			zap.Strings("client_ids", ids[:min(len(ids), mostNamed)]), zap.Strings("scopes", lacking[:min(len(lacking), mostNamed)]),
			zap.String("advice", "add them to the scopes of the server, or correct default_scopes"))
	}
}

// warnOfSunsets says which clients may still log in with a password although the day has
// passed on which that was to end. It is logged once per config, as warnOfGrants.
func (w *loadWarnings) warnOfSunsets() {
	if !slices.Contains(w.config.Grants, oauth.GrantTypePassword) {
		return
	}
	now := clock.Now()
	for source, clients := range w.clients.KnownBySource() {
		count, first := 0, (*directory.Client)(nil)
		for client := range clients {
			if end := client.PasswordDeprecation().Sunset; !end.IsZero() && end.Before(now) && client.MayUse(oauth.GrantTypePassword) {
				count++
				first = cmp.Or(first, client)
			}
		}
		if count > 0 {
			w.logger.Warn("clients may use the password grant after its sunset", zap.String("source", source),
				zap.Int("count", count), zap.String("client_id", first.ID), zap.String("sunset", first.Sunset),
				zap.String("advice", "set the grants of these clients without password, or a later sunset"))
		}
	}
}

// warnOfOwnClient reports a client that came into a file with the id of the login page.
// It cannot authenticate.
func (w *loadWarnings) warnOfOwnClient(ctx context.Context) {
	if err := w.clients.CheckOwn(ctx); err != nil {
		w.logger.Error("a client cannot authenticate", zap.Error(err))
	}
}

// warnOfSecrets names the secrets of the config that are surrounded by something, and
// by what, but never a part of the secret.
func (w *loadWarnings) warnOfSecrets(keys []configuredKey) {
	warn := func(setting string, found []string, of zap.Field) {
		if len(found) > 0 {
			w.logger.Warn("a secret is surrounded by something that counts as part of it", zap.String("setting", setting), of,
				zap.Strings("found", found), zap.String("advice",
					"if it does not belong to the secret, write the file or the variable without it; Caddy itself removes one line ending from a file"))
		}
	}
	for _, source := range w.clients.All() {
		if inline, ok := source.(*InlineClients); ok {
			for client := range inline.Known() {
				warn("secret", inline.aroundSecrets[client.ID], zap.String("client_id", client.ID))
			}
		}
	}
	for i, key := range keys {
		warn("signing_key", key.aroundSecret, zap.Int("signing_key", i+1))
	}
}

// warnOfLifetime warns of a lifetime that the config sets, not of a default.
func (w *loadWarnings) warnOfLifetime(setting string, ttl caddy.Duration, of ...zap.Field) {
	if ttl > w.config.SessionTTL {
		w.logger.Warn(setting+" is longer than session_ttl, which ends the token earlier", append(of,
			zap.String("advice", "raise session_ttl, or lower "+setting))...)
	}
}

// warnOfCommas warns of a list that was written with commas: it is one scope with an
// odd name.
func warnOfCommas(logger *zap.Logger, scopes []string, of zap.Field) {
	for _, scope := range scopes {
		if strings.Contains(scope, ",") {
			logger.Warn("a scope has a comma in its name", of, zap.String("scope", scope),
				zap.String("advice", "scopes are separated by spaces"))
			return
		}
	}
}

// shortSecret is how many bytes a client's secret should have at least: as random
// letters and digits they have about 50 bits, out of reach of throttled guesses.
const shortSecret = 10
