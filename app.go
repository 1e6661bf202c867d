package caddygrant

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/bearer"
)

func init() {
	caddy.RegisterModule(new(App))
}

// App is where the endpoints of a config find their authorization servers. It needs no
// configuration: it comes to life with the first `token_endpoint`.
type App struct {
	ctx    caddy.Context
	logger *zap.Logger

	servers map[string]*Server // by name

	number   uint64 // tells the configs of this process apart
	expected []expectation

	identityHeaders map[string]bool // of all bearer_auth handlers, by bearer.HeaderAlias

	guarded map[*caddyhttp.Server]bool // with a bearer_auth; false where something comes before the guard

	endpoints []*routes // of all token_endpoint handlers

	started   bool
	stopCheck func() // of the storage; nil where it was not begun

	verifier         *pooledVerifier
	verifierTaken    bool // from the pool
	checkLimits      checkLimits
	checkLimitsSetBy map[string]string // setting → name of the server that set it
}

// expectation is a handler that asks for a server.
type expectation struct {
	name, place string
	shadow      bool
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  appID,
		New: func() caddy.Module { return new(App) },
	}
}

// Provision prepares the registry and takes a reference to the process's verifier of passwords.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx = ctx
	a.logger = ctx.Logger()
	a.number = configs.Add(1)
	a.servers = make(map[string]*Server)
	a.identityHeaders = make(map[string]bool)
	a.guarded = make(map[*caddyhttp.Server]bool)
	a.checkLimits = defaultCheckLimits()
	a.checkLimitsSetBy = make(map[string]string)

	if err := registerMetrics(ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	verifier, _, err := processState.LoadOrNew(verifierKey, func() (caddy.Destructor, error) { return newPooledVerifier(), nil })
	if err != nil {
		return fmt.Errorf("creating the verifier of passwords: %w", err)
	}
	a.verifier, a.verifierTaken = verifier.(*pooledVerifier), true
	return nil
}

// expect notes that a handler asks for a server, which may be provisioned later, and
// which identity headers it may set.
func (a *App) expect(b *BearerAuth) {
	if b.Off {
		return
	}
	place := b.DefinedAt
	if place == "" {
		place = "the config"
	}
	a.expected = append(a.expected, expectation{b.Server, place, b.Shadow})
	for _, c := range b.CopyClaims {
		a.identityHeaders[bearer.HeaderAlias(c.Header)] = true
	}
}

// checks tells whether a handler asks for the server.
func (a *App) checks(name string) bool {
	return slices.ContainsFunc(a.expected, func(e expectation) bool { return e.name == name })
}

// missing is an error for the first handler that asks for a server which is not there.
func (a *App) missing() error {
	for _, e := range a.expected {
		if a.servers[e.name] != nil {
			continue
		}
		if names := slices.Sorted(maps.Keys(a.servers)); len(names) > 0 {
			return fmt.Errorf("bearer_auth at %s: there is no token_endpoint named %q, only %q%s", e.place, e.name, names, e.matcherHint())
		}
		return fmt.Errorf("bearer_auth at %s: there is no token_endpoint named %q: add one, to any site%s", e.place, e.name, e.matcherHint())
	}
	return nil
}

// matcherHint is for a name that may be that of a matcher.
func (e expectation) matcherHint() string {
	if e.name == defaultName {
		return ""
	}
	return fmt.Sprintf("; if %s is a matcher, write @%s: the name of a matcher begins with @", e.name, e.name)
}

// join returns the server of that name, provisioning it at its first endpoint. The
// adapter copies a site's routes to several HTTP servers and snippets are imported into
// many sites, so equal settings are one server; different ones are an error.
func (a *App) join(ctx caddy.Context, config Config, definedAt string) (*Server, error) {
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

	if err := a.mergeLimits(config.Name, config.PasswordChecks); err != nil {
		return nil, err
	}
	server := &Server{Config: config, fingerprint: fingerprint, definedAt: definedAt, app: a, verifier: a.verifier}
	// registered first: what it took before an error is released by Cleanup
	a.servers[config.Name] = server
	if err := server.provision(ctx); err != nil {
		return nil, fmt.Errorf("server %q: %w", config.Name, err)
	}
	return server, nil
}

// Start puts the bounds of this config into force and generates the keys that are
// missing. It fails where a handler asks for a server that does not exist, but not where
// the storage is down: the servers answer 503 until a key exists.
func (a *App) Start() error {
	a.started = true
	if err := a.missing(); err != nil {
		return err
	}
	a.warn()
	a.verifier.limits.govern(a.number, a.checkLimits)
	var memory uint64
	for _, name := range slices.Sorted(maps.Keys(a.servers)) {
		server := a.servers[name]
		server.throttle.limits.govern(a.number, server.throttle.own)
		server.startMetrics()
		server.start(a.ctx, a.checks(name))
		memory = max(memory, server.hashMemory())
	}
	for _, expected := range a.expected {
		expected.startMetrics()
	}
	if len(a.servers) > 0 {
		a.stopCheck = checkStorage(a.ctx, a.ctx.Storage(), a.logger)
	}
	// a moment for the first attempts, so that tokens can be issued when Start returns
	ctx, cancel := context.WithTimeout(a.ctx, keysPatience)
	defer cancel()
	for _, server := range a.servers {
		server.keys.current(ctx)
	}
	a.logger.Info("password checks are bounded",
		zap.Int("concurrency", a.checkLimits.Concurrency),
		zap.Int("queue", a.checkLimits.Queue),
		zap.Duration("wait", a.checkLimits.Wait),
		zap.Uint64("memory_bytes_at_most", uint64(a.checkLimits.Concurrency)*memory*uncollected))
	return nil
}

// Stop gives the bounds of the config before back, if none has come after: that is so
// where another app of this config did not start. What runs in the background ends with
// the config's context.
func (a *App) Stop() error {
	if a.stopCheck != nil {
		a.stopCheck()
	}
	a.verifier.limits.yield(a.number)
	for _, server := range a.servers {
		server.throttle.limits.yield(a.number)
	}
	return nil
}

// Cleanup releases what the servers of this config share with those of the next. It takes
// nothing away: requests of this config may go on for a while.
func (a *App) Cleanup() error {
	if !a.started && !strings.HasPrefix(fmt.Sprint(context.Cause(a.ctx)), configurationError) {
		// `caddy validate` comes no further than this
		if err := a.missing(); err != nil {
			a.logger.Error("this config will not start", zap.Error(err))
		}
		a.warn()
	}
	for _, server := range a.servers {
		server.release()
	}
	if !a.verifierTaken {
		return nil
	}
	a.verifierTaken = false
	_, err := processState.Delete(verifierKey)
	return err
}

// processState is what outlives a reload: the verifier of passwords, counts of failures,
// generated keys, what is known of sessions, and followed files, each under a key that says what makes it the same thing.
var processState = caddy.NewUsagePool()

// configs counts the configs that have an App.
var configs atomic.Uint64

const (
	// uncollected is how many times the memory of a comparison the heap may grow by: Go
	// collects garbage when it has doubled, and hashes leave theirs behind.
	uncollected = 4

	appID       = "grant"
	defaultName = "default"

	// how the cause begins for which Caddy ends a config that it could not load; a server
	// that is missing then may just not have had its turn
	configurationError = "configuration error"
)

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
