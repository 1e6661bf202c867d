package caddygrant

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/bearer"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/credential"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/remembered"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// Server is one authorization server: what all endpoints of its name share.
type Server struct {
	Config
	fingerprint string             // of the Config as given
	definedAt   string             // where the config has its first endpoint
	startedAt   time.Time          // when the config took effect
	started     atomic.Bool        // whether it has, for the goroutines that follow files
	siblings    map[string]*Server // all of the config, by name
	outside     *outsideIssuers    // that the config takes

	logger        *zap.Logger
	calls         share[pooledCalls]
	users         *directory.UserDirectory
	clients       *directory.ClientDirectory
	grants        map[string]grant // that its settings offer, see offered
	policy        *token.Policy
	tokens        *token.Checker
	credentials   *credential.Checker
	authenticator *clientAuthenticator
	verifier      *pooledVerifier
	throttle      *serverThrottle
	keys          *serverKeys
	sessions      *serverSessions
	keyFiles      []*apiKeyFile
	apiKeys       *apiKeys

	unwatch func() // the files, for the kinds of hashes; nil as long as they are not watched
}

// provision resolves placeholders, loads the sources and reads the keys that exist. It
// leaves no trace, since `caddy validate` comes this far. before are the files of API keys
// that the server of that name has in the config that runs.
func (s *Server) provision(ctx caddy.Context, before []*apiKeyFile) error {
	s.logger = ctx.Logger().With(zap.String("server", s.Name))
	if !validName.MatchString(s.Name) {
		return fmt.Errorf("name %q: it must be 1 to 32 of the characters a-z, 0-9, _ and -", s.Name)
	}
	if err := s.resolve(caddy.NewReplacer()); err != nil {
		return err
	}
	given := s.Config // before the defaults are filled in
	if err := s.validate(); err != nil {
		return err
	}
	var err error
	s.calls = join(callsKey{s.Name}, func() pooledCalls { return pooledCalls{directory.NewCalls()} })
	settings := directory.Settings{
		Options: directory.Options{AllowWeakHashes: s.AllowWeakHashes, GrantTypes: grantTypeNames()},
		MaxAge:  time.Duration(s.SourceMaxAge),
		Logger:  s.logger,
		Calls:   s.calls.value.Calls,
	}
	s.policy = s.tokenPolicy()
	if s.LoginPage != nil {
		settings.OwnClient = s.policy.Browser.Client
	}
	if s.users, err = loadUsers(ctx, &s.Config, settings); err != nil {
		return err
	}
	if s.clients, err = loadClients(ctx, &s.Config, settings); err != nil {
		return err
	}
	if err := s.checkUsers(); err != nil {
		return err
	}
	if err := checkDefaultClient(ctx, s.logger, s.clients, s.DefaultClient); err != nil {
		return err
	}

	warnings := &loadWarnings{logger: s.logger, config: &s.Config, users: s.users, clients: s.clients}
	warnings.warnOfGrants()
	warnings.warnOfSunsets()
	warnings.warnOfDefaultScopes(s.policy)
	warnings.warnOfNames()
	warnings.warnOfConfig(given)
	hashKinds := directory.NewHashKinds(s.logger, s.users, s.clients)
	s.unwatch = watchFiles(func() { // any file: a file of another server has nothing new to report
		hashKinds.Warn()
		warnings.warnOfOwnClient(ctx)
		warnings.warnOfNames()
		s.startClients()
		s.heedAPIKeys()
	})
	hashKinds.Warn()

	if s.keyFiles, err = openAPIKeys(s.APIKeys, settings.Options, before); err != nil {
		return err
	}
	if s.throttle, err = newServerThrottle(s.Name, s.Throttle); err != nil {
		return err
	}
	storage := ctx.Storage()
	place := placeOf(storage, s.Name, s.Issuer)
	s.keys, err = newServerKeys(s.logger, keysOptions{
		server:      s.Name,
		signingKeys: s.SigningKeys,
		typ:         s.Typ,
		rotateEvery: time.Duration(s.RotateEvery),
		lifetime:    s.longestTokenLife,
		storage:     storage,
		place:       place,
	})
	if err != nil {
		return err
	}
	warnings.warnOfSecrets(s.keys.configured)
	engines, err := s.openEngines(ctx, s.logger)
	if err != nil {
		return err
	}
	s.sessions = newServerSessions(s.logger, sessionsOptions{
		server:   s.Name,
		storage:  storage,
		place:    place,
		engines:  engines,
		witness:  s.keys.store.SecretName(),
		keysRead: s.keys.generated.Attempted(),
		bounds:   s.throttle.bounds,
		poll:     time.Duration(s.RevocationPoll),
	})
	s.connect()
	warnings.warnOfKeys(s.apiKeys)
	s.keys.read(ctx)
	s.sessions.readRevocations(ctx)
	return nil
}

// checkUsers refuses a server without users and without a client that acts for itself
// or may own API keys: somebody forgot the users.
func (s *Server) checkUsers() error {
	if len(s.users.All()) > 0 || s.clients.AnyMayAct() || len(s.clients.All()) > 0 && len(s.APIKeys) > 0 {
		return nil
	}
	return errNoUsers
}

// connect builds the parts that answer requests.
func (s *Server) connect() {
	s.tokens = &token.Checker{Policy: s.policy, Keys: s.keys.current, Users: s.users, Clients: s.clients, Sessions: s.sessions}
	s.credentials = &credential.Checker{
		Server: s.Name, Users: s.users, Clients: s.clients, Verifier: s.verifier.Verifier, Observer: credentialMetrics{},
	}
	if !s.throttle.off {
		s.credentials.Throttle = s.throttle.Throttle
	}
	s.authenticator = &clientAuthenticator{clients: s.clients, credentials: s.credentials, defaultClient: s.DefaultClient}
	s.apiKeys = newAPIKeys(s.Name, s.keyFiles, s.tokens, s.sessions, s.logger)
	s.grants = newGrants(s.Grants, grantParts{
		server: s.Name, policy: s.policy, tokens: s.tokens, credentials: s.credentials, sessions: s.sessions,
		refreshGrace: time.Duration(s.RefreshGrace),
	})
}

// start generates the missing keys, in the background and for as long as the config
// lives if the storage does not answer, and keeps up with the sessions there. checked
// tells whether the server's tokens are checked here.
func (s *Server) start(ctx context.Context, checked bool) {
	s.startedAt = clock.Now()
	s.sessions.memory.OnNotice(s.heed)
	s.startClients()
	go s.keys.follow(ctx)
	s.sessions.start(ctx, checked)
	if !s.throttle.off {
		go s.throttle.share(ctx, s.keys, s.sessions.storage, s.sessions.place.prefix, s.logger)
	}
	s.started.Store(true)
	go s.apiKeys.follow(ctx)
}

// await waits for the keys, and for what operators have told. What is counted from then
// on counts: a throttle that gets its key later forgets what it has counted before.
func (s *Server) await(ctx context.Context) {
	if keys := s.keys.current(ctx); keys != nil && !s.throttle.off {
		s.throttle.nodeOf(keys.Failures())
	}
	s.sessions.await(ctx)
}

// offered are the grant types that the server offers now. client_credentials is one
// only while a client may list it: clients in a file come and go without a reload.
func (s *Server) offered() []string {
	if s.clients.AnyMayAct() {
		return s.Grants
	}
	return slices.DeleteFunc(slices.Clone(s.Grants), func(grantType string) bool { return grantType == oauth.GrantTypeClientCredentials })
}

// grant is the one of that type, nil if the server does not offer it now.
func (s *Server) grant(grantType string) grant {
	if grantType == oauth.GrantTypeClientCredentials && !s.clients.AnyMayAct() {
		return nil
	}
	return s.grants[grantType]
}

// startClients creates the series of the clients that are known, for the grants that
// they may use.
func (s *Server) startClients() {
	for _, grantType := range s.offered() { // which a client in a file may have changed
		startRequests(s.Name, oauth.EndpointToken, grantType, grantOutcomes)
	}
	known := 0
	for client := range s.clients.Known() {
		if known++; known > maxCountedClients {
			return
		}
		for _, grantType := range s.offered() {
			if client.ID != token.LoginPage && client.MayUse(grantType) {
				startClient(s.Name, client.ID, grantType)
			}
		}
	}
}

// heedAPIKeys looks at the owners of the API keys, once the config has taken effect.
func (s *Server) heedAPIKeys() {
	if s.started.Load() {
		s.apiKeys.heed()
	}
}

// release gives back the server's shares of the process's state.
func (s *Server) release() {
	if s.unwatch != nil {
		s.unwatch()
	}
	if s.keys != nil {
		s.keys.release()
	}
	if s.sessions != nil {
		s.sessions.release()
	}
	if s.throttle != nil {
		s.throttle.release()
	}
	releaseAPIKeys(s.keyFiles)
	_, _ = s.calls.leave() // Destruct does not fail
}

// verify checks an access token of this server.
func (s *Server) verify(ctx context.Context, shown bearer.Credential) (bearer.Identity, error) {
	checked, err := s.tokens.CheckDigested(ctx, shown.Raw, shown.Digest)
	if checked == nil { // which as an Identity would not be nil
		return nil, err
	}
	return checked, err
}

// issuerOf is the `iss` of a token of the server that was checked before, by its digest.
// It waits for no keys. s may be nil.
func (s *Server) issuerOf(digest remembered.Digest) (issuer string, known bool) {
	if s == nil {
		return "", false
	}
	keys := s.keys.active.Load()
	if keys == nil {
		return "", false
	}
	checked := keys.Recall(digest)
	if checked == nil {
		return "", false
	}
	return checked.Issuer, true
}

// tokenPolicy is what the settings say about tokens.
func (s *Server) tokenPolicy() *token.Policy {
	policy := &token.Policy{
		Server:            s.Name,
		Issuer:            s.Issuer,
		Audience:          s.Audience,
		Scopes:            s.Scopes,
		AccessTTL:         time.Duration(s.AccessTokenTTL),
		RefreshTTL:        time.Duration(s.RefreshTokenTTL),
		SessionTTL:        time.Duration(s.SessionTTL),
		Leeway:            time.Duration(*s.Leeway),
		Passwords:         slices.Contains(s.Grants, oauth.GrantTypePassword),
		Refreshes:         slices.Contains(s.Grants, oauth.GrantTypeRefreshToken),
		ClientCredentials: slices.Contains(s.Grants, oauth.GrantTypeClientCredentials),
	}
	if s.LoginPage != nil {
		policy.Browser = s.LoginPage.policy(s.AccessTokenTTL)
	}
	return policy
}

// longestTokenLife is how long after a key last signed a token that token may be valid.
func (s *Server) longestTokenLife() time.Duration {
	return time.Duration(max(s.AccessTokenTTL, s.clients.LongestAccessTokenTTL()) + *s.Leeway)
}

// issuedBySibling names another server of this config that issued the token, or is
// empty.
func issuedBySibling(s *Server, raw string) string {
	for _, other := range s.siblings {
		if other == s {
			continue
		}
		keys := other.keys.active.Load()
		if keys == nil {
			continue
		}
		if _, err := token.OpenRefreshToken(keys, raw); err == nil {
			return other.Name
		}
		if _, err := other.tokens.Open(keys, raw); err == nil {
			return other.Name
		}
	}
	return ""
}
