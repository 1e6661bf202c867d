package caddygrant

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/bearer"
	"github.com/caddygrant/caddy-grant/internal/configcheck"
	"github.com/caddygrant/caddy-grant/internal/event"
	"github.com/caddygrant/caddy-grant/internal/listenerguard"
	"github.com/caddygrant/caddy-grant/internal/oneline"
	"github.com/caddygrant/caddy-grant/internal/storagecheck"
)

func init() {
	caddy.RegisterModule(new(App))
}

// App is where the endpoints of a config find their authorization servers. It needs no
// configuration: it comes to life with the first `token_endpoint`.
type App struct {
	ctx    caddy.Context
	logger *zap.Logger

	servers map[string]*Server    // by name
	pages   map[string]*loginPage // of the servers that have one, by their names

	number uint64 // tells the configs of this process apart

	// what the handlers of the config register
	checks          []configcheck.Check
	checkers        []checker // of checks
	issuers         *outsideIssuers
	keyHeaders      map[string]bool // canonical names of those for API keys
	endpoints       []configcheck.Endpoint
	identityHeaders map[string]bool // of all bearer_auth handlers, by the names as an app may read them
	cookieNames     map[string]bool // of the sessions of all servers
	guards          listenerguard.Guards

	started   bool
	stopCheck func() // of the storage; nil if it was not started
	events    *event.Sender

	verifier    share[*pooledVerifier]
	checkLimits *mergedLimits
}

// checker is a handler that checks requests, once the whole config is known.
type checker interface {
	// resolve finds errors that take the whole config to see. issuersOnly tells whether
	// it takes the tokens of outside issuers alone, and needs no server.
	resolve(map[string]*Server) (issuersOnly bool, err error)

	start()
}

// runningApp is that of the config that runs, nil if there is none.
func runningApp() *App {
	config := caddy.ActiveContext()
	if config.Context == nil {
		return nil
	}
	running, err := config.AppIfConfigured(appID)
	if err != nil {
		return nil
	}
	return running.(*App)
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  appID,
		New: func() caddy.Module { return new(App) },
	}
}

// Provision prepares the registry and takes a reference to the process's verifier of
// passwords.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx = ctx
	a.logger = ctx.Logger()
	a.number = configs.Add(1)
	a.servers = make(map[string]*Server)
	a.pages = make(map[string]*loginPage)
	a.identityHeaders = make(map[string]bool)
	a.cookieNames = make(map[string]bool)
	a.issuers = newOutsideIssuers()
	a.keyHeaders = make(map[string]bool)
	a.guards = make(listenerguard.Guards)
	a.checkLimits = newMergedLimits()

	if err := registerMetrics(ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	var err error
	if a.events, err = event.NewSender(ctx, countDroppedEvent); err != nil {
		return err
	}
	a.verifier = join(verifierKey{}, newPooledVerifier)
	return nil
}

// addCheck notes a bearer_auth, whose server may be provisioned later, and the names of
// the headers that no client may send to the app.
func (a *App) addCheck(c checker, check configcheck.Check, identityHeaders []string) {
	a.checkers, a.checks = append(a.checkers, c), append(a.checks, check)
	for _, name := range identityHeaders {
		a.identityHeaders[name] = true
	}
}

// addEndpoint notes a token_endpoint.
func (a *App) addEndpoint(endpoint configcheck.Endpoint) {
	a.endpoints = append(a.endpoints, endpoint)
}

// isChecked tells whether a bearer_auth asks for the server.
func (a *App) isChecked(name string) bool {
	return slices.ContainsFunc(a.checks, func(c configcheck.Check) bool { return !c.Off && !c.IssuersOnly && c.Server == name })
}

// names are those of the servers, sorted.
func (a *App) names() []string { return slices.Sorted(maps.Keys(a.servers)) }

// remedyAt says what to correct where a request without a token is refused at the path
// of a token endpoint, which it did not reach.
func (a *App) remedyAt(r *http.Request) string {
	if r.Method == http.MethodOptions || !slices.ContainsFunc(a.endpoints, func(e configcheck.Endpoint) bool { return e.Matches(r) }) {
		return ""
	}
	return "this is the path of a token_endpoint, but no token_endpoint comes before this bearer_auth: write token_endpoint before it in a route, or leave the path out of the check"
}

// joinServer returns the server of that name, provisioning it at its first endpoint.
// The adapter copies a site's routes to several HTTP servers and snippets are imported
// into many sites, so equal settings are one server; different ones are an error.
func (a *App) joinServer(ctx caddy.Context, config Config, definedAt string) (*Server, error) {
	if config.Name == "" {
		config.Name = defaultName
	}
	// before LoadModule, which empties the raw fields
	fingerprint, err := config.fingerprint()
	if err != nil {
		return nil, err
	}
	if server, ok := a.servers[config.Name]; ok {
		if server.fingerprint != fingerprint {
			return nil, errDifferentSettings(config.Name, definedAt, server.definedAt)
		}
		return server, nil
	}

	if err := a.checkLimits.merge(config.Name, config.PasswordChecks); err != nil {
		return nil, err
	}
	server := &Server{Config: config, fingerprint: fingerprint, definedAt: definedAt, siblings: a.servers, outside: a.issuers, verifier: a.verifier.value}
	// registered first: what it took before an error is released by Cleanup
	a.servers[config.Name] = server
	var before []*apiKeyFile
	if running := runningApp(); running != nil && running.servers[config.Name] != nil {
		before = running.servers[config.Name].keyFiles
	}
	if err := server.provision(ctx, before); err != nil {
		return nil, fmt.Errorf("server %q: %w", config.Name, err)
	}
	if server.LoginPage != nil {
		if err := a.addPage(server); err != nil {
			return nil, fmt.Errorf("server %q: %w", config.Name, err)
		}
	}
	return server, nil
}

// addPage sets up the login page of a server.
func (a *App) addPage(server *Server) error {
	page, err := newLoginPage(server)
	if err != nil {
		return err
	}
	a.pages[server.Name] = page
	for _, name := range page.cookies.names() {
		a.cookieNames[name] = true
	}
	return nil
}

// Start applies the bounds of this config and generates the missing keys. It fails if a
// handler names a server that does not exist, but not if the storage is down: the
// servers answer 503 until a key exists.
func (a *App) Start() error {
	a.started = true
	if err := a.checkHandlers(); err != nil {
		return err
	}
	if err := a.checkEngines(); err != nil {
		return err
	}
	for _, c := range a.checkers {
		c.start()
	}
	startEvents()
	a.events.Start()
	a.warn()
	a.verifier.value.limits.Govern(a.number, a.checkLimits.checkLimits)
	var memory uint64
	for _, name := range a.names() {
		server := a.servers[name]
		server.throttle.limits.Govern(a.number, server.throttle.own)
		startServer(name, server.Issuer != "", server.LoginPage != nil, server.offered(), server.credentials.SlowSchemes())
		server.start(a.ctx, a.isChecked(name) || server.LoginPage != nil)
		memory = max(memory, server.credentials.HashMemory())
	}
	for _, check := range a.checks {
		if !check.Off {
			startBearerChecks(check.Server, check.Shadow)
		}
	}
	if len(a.servers) > 0 {
		a.stopCheck = storagecheck.Start(a.ctx, a.ctx.Storage(), storageIdentity(a.ctx.Storage()), a.logger)
	}
	// a moment for the first attempts, so that tokens can be issued when Start returns
	ctx, cancel := context.WithTimeout(a.ctx, keysPatience)
	defer cancel()
	for _, server := range a.servers {
		server.await(ctx)
	}
	if len(a.servers) == 0 { // no passwords
		return nil
	}
	a.logger.Info("password checks are bounded",
		zap.Int("concurrency", a.checkLimits.Concurrency),
		zap.Int("queue", a.checkLimits.Queue),
		zap.Duration("wait", a.checkLimits.Wait),
		zap.Uint64("memory_bytes_at_most", uint64(a.checkLimits.Concurrency)*memory*uncollected))
	return nil
}

// checkEngines asks the engines in which sessions live, all at the same time.
func (a *App) checkEngines() error {
	names := a.names()
	failed := make([]error, len(names))
	var checked sync.WaitGroup
	for i, name := range names {
		checked.Go(func() {
			if err := a.servers[name].sessions.checkEngines(a.ctx); err != nil {
				failed[i] = fmt.Errorf("server %q: %w", name, err)
			}
		})
	}
	checked.Wait()
	return oneline.Join(failed...)
}

// Stop restores the bounds of the previous config, unless a later one has set its own:
// that is the case if another app of this config did not start. Background work ends
// with the config's context.
func (a *App) Stop() error {
	if a.stopCheck != nil {
		a.stopCheck()
	}
	a.events.Stop()
	a.verifier.value.limits.Yield(a.number)
	for _, server := range a.servers {
		server.throttle.limits.Yield(a.number)
	}
	return nil
}

// Cleanup releases what the servers of this config share with those of the next. It
// takes nothing away from them: requests of this config may go on for a while.
func (a *App) Cleanup() error {
	if !a.started && !strings.HasPrefix(fmt.Sprint(context.Cause(a.ctx)), configurationError) {
		// `caddy validate` gets no further than this
		if err := a.checkHandlers(); err != nil {
			a.logger.Error("this config will not start", zap.Error(err))
		}
		a.warn()
	}
	for _, server := range a.servers {
		server.release()
	}
	a.issuers.release()
	if a.events != nil {
		a.events.End()
	}
	_, err := a.verifier.leave()
	return err
}

// checkHandlers finds errors of single handlers that take the whole config to see: a
// server that does not exist, or outside issuers whose users cannot be told apart.
func (a *App) checkHandlers() error {
	for i, c := range a.checkers {
		check := &a.checks[i]
		var err error
		if check.IssuersOnly, err = c.resolve(a.servers); err != nil {
			return fmt.Errorf("%s: %w", configcheck.Place(check.DefinedAt), err)
		}
		for _, claim := range check.Claims {
			if a.isKeyHeader(claim.Header) {
				return fmt.Errorf("%s: copy_claims: the header %s is that of API keys, which is removed: choose another name", configcheck.Place(check.DefinedAt), claim.Header)
			}
		}
	}
	return configcheck.MissingServer(a.checks, a.names())
}

// isKeyHeader tells whether API keys are taken in a header of that name.
func (a *App) isKeyHeader(name string) bool {
	for header := range a.keyHeaders {
		if bearer.HeaderAlias(header) == bearer.HeaderAlias(name) {
			return true
		}
	}
	return false
}

// configs counts the configs that have an App.
var configs atomic.Uint64

const (
	// uncollected is by how many times the memory of a comparison the heap may grow: Go
	// collects garbage when the heap has doubled, and hashes leave garbage behind.
	uncollected = 4

	appID       = "grant"
	defaultName = "default"

	// how the cause begins with which Caddy ends a config that it could not load; a
	// server that is missing then may just not have been provisioned yet
	configurationError = "configuration error"
)

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
