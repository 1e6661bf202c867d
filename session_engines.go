package caddygrant

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/internal/suggestion"
	"github.com/caddygrant/caddy-grant/sessions"
)

func init() {
	caddy.RegisterModule(StorageSessions{})
}

// StorageSessions are sessions in Caddy's storage, which is where they are without a
// setting.
type StorageSessions struct{}

// CaddyModule returns the Caddy module information.
func (StorageSessions) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: sessionsNamespace + "." + session.StorageEngine, New: func() caddy.Module { return new(StorageSessions) }}
}

// UnmarshalCaddyfile takes no arguments. Syntax:
//
//	sessions storage
func (*StorageSessions) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name
	if d.NextArg() {
		return d.Err("sessions storage takes no argument: sessions are in the storage that the global option \"storage\" sets")
	}
	if d.NextBlock(0) {
		return d.Err("sessions storage has no settings of its own: its block may have lines such as \"also redis ...\" only")
	}
	return nil
}

// parseSessions parses where sessions live. Lines that begin with "also" are ours, the
// rest of the block is the engine's.
func parseSessions(d *caddyfile.Dispenser, c *Config) error {
	own, others := splitAlso(d.NextSegment())
	var err error
	if c.SessionsRaw, err = parseEngine(own); err != nil {
		return err
	}
	for _, other := range others {
		engine, err := parseEngine(other)
		if err != nil {
			return err
		}
		c.AlsoSessionsRaw = append(c.AlsoSessionsRaw, engine)
	}
	if _, _, err := c.engineNames(); err != nil {
		line := caddyfile.NewDispenser(own)
		line.Next()
		return line.WrapErr(err)
	}
	return nil
}

// splitAlso takes the lines that begin with "also" out of the block of an engine.
func splitAlso(segment caddyfile.Segment) (own caddyfile.Segment, others []caddyfile.Segment) {
	d := caddyfile.NewDispenser(segment)
	d.Next()
	own = append(own, d.Token())
	for d.NextArg() {
		own = append(own, d.Token())
	}
	var block caddyfile.Segment
	for d.NextBlock(0) {
		if line := d.NextSegment(); line[0].Text == "also" {
			others = append(others, line)
		} else {
			block = append(block, line...)
		}
	}
	if len(block) > 0 {
		own = append(own, segment[len(own)]) // the opening brace
		own = append(append(own, block...), segment[len(segment)-1])
	}
	return own, others
}

// parseEngine parses "sessions <engine> ..." or "also <engine> ...".
func parseEngine(segment caddyfile.Segment) (json.RawMessage, error) {
	d := caddyfile.NewDispenser(segment)
	d.Next()
	setting := d.Val()
	if !d.NextArg() {
		return nil, d.Errf("%s takes the name of an engine: %s", setting, strings.Join(compiledEngines(), ", "))
	}
	name := d.Val()
	if !slices.Contains(compiledEngines(), name) {
		return nil, d.Err(unknownEngine(setting, name))
	}
	engine, err := caddyfile.UnmarshalModule(d, sessionsNamespace+"."+name)
	if err != nil {
		return nil, err
	}
	return caddyconfig.JSONModuleObject(engine, engineKey, name, nil), nil
}

// unknownEngine is what is wrong with the name of an engine. A name that is not one may
// be a URL with a password, and is not shown.
func unknownEngine(setting, name string) string {
	compiled := strings.Join(compiledEngines(), ", ")
	if !session.IsEngineName(name) {
		text := fmt.Sprintf("%s takes the name of an engine before anything else: %s", setting, compiled)
		if like := engineOfURL(name); like != "" {
			text += fmt.Sprintf("; the URL comes after the name, as in \"%s %s <url>\"", setting, like)
		}
		return text
	}
	if like := suggestion.Nearest(name, compiledEngines()); like != "" {
		return fmt.Sprintf("%s %s: there is no such engine: did you mean %s?", setting, name, like)
	}
	if name == engineRedis || name == enginePostgres {
		return fmt.Sprintf("%s %s: this Caddy was built without that engine: build one with github.com/caddygrant/caddy-grant/sessions/%s", setting, name, name)
	}
	return fmt.Sprintf("%s %s: there is no such engine in this build of Caddy, which has %s", setting, name, compiled)
}

// engineOfURL is the engine for which a URL is that was written in place of its name;
// empty: it is not known.
func engineOfURL(url string) string {
	scheme, _, _ := strings.Cut(strings.ToLower(url), "://")
	switch {
	case strings.HasPrefix(scheme, "redis"), strings.HasPrefix(scheme, "valkey"):
		return engineRedis
	case strings.HasPrefix(scheme, "postgres"), scheme == "pgsql":
		return enginePostgres
	}
	return ""
}

// compiledEngines are the names of the engines that are compiled in, storage first.
func compiledEngines() []string {
	names := []string{session.StorageEngine}
	for _, info := range caddy.GetModules(sessionsNamespace) {
		if name := info.ID.Name(); name != session.StorageEngine && session.IsEngineName(name) {
			names = append(names, name)
		}
	}
	return names
}

// engineNames are the names of the engine in which sessions begin, and of all.
func (c *Config) engineNames() (first string, all []string, err error) {
	first = session.StorageEngine
	if c.SessionsRaw != nil {
		if first, err = engineName("sessions", c.SessionsRaw); err != nil {
			return "", nil, err
		}
	}
	all = []string{first}
	for _, raw := range c.AlsoSessionsRaw {
		name, err := engineName("also_sessions", raw)
		if err != nil {
			return "", nil, err
		}
		if slices.Contains(all, name) {
			return "", nil, fmt.Errorf("sessions: duplicate engine %s: a session names its engine, so a server can have each engine once", name)
		}
		all = append(all, name)
	}
	return first, all, nil
}

// engineName is the name in the config of an engine. Caddy's own error for a name that is
// not one would show it, with what else is in it.
func engineName(setting string, raw json.RawMessage) (string, error) {
	var module struct {
		Engine string `json:"engine"`
	}
	switch err := json.Unmarshal(raw, &module); {
	case err != nil || module.Engine == "":
		return "", fmt.Errorf("%s: it must have a member \"engine\" with the name of an engine: %s", setting, strings.Join(compiledEngines(), ", "))
	case !session.IsEngineName(module.Engine):
		return "", fmt.Errorf("%s: \"engine\" must be the name of an engine: %s; its URL is another member", setting, strings.Join(compiledEngines(), ", "))
	case !slices.Contains(compiledEngines(), module.Engine):
		return "", errors.New(unknownEngine(setting, module.Engine))
	}
	return module.Engine, nil
}

// openEngines opens the engines in which sessions live. It connects to none. The caller
// closes them.
func (c *Config) openEngines(ctx caddy.Context, logger *zap.Logger) (opened session.Engines, err error) {
	opened.All = make(map[string]sessions.Engine)
	first, names, err := c.engineNames()
	if err != nil {
		return opened, err
	}
	opened.Identities = make(map[string]string)
	for i, raw := range append([]json.RawMessage{c.SessionsRaw}, c.AlsoSessionsRaw...) {
		opened.Identities[names[i]] = fmt.Sprintf("%x", sha256.Sum256(raw))
	}
	modules := []any{StorageSessions{}}
	if c.SessionsRaw != nil {
		if modules[0], err = ctx.LoadModule(c, "SessionsRaw"); err != nil {
			return opened, fmt.Errorf("loading sessions: %w", err)
		}
	}
	if len(c.AlsoSessionsRaw) > 0 {
		also, err := ctx.LoadModule(c, "AlsoSessionsRaw")
		if err != nil {
			return opened, fmt.Errorf("loading also_sessions: %w", err)
		}
		modules = append(modules, also.([]any)...)
	}
	for i, module := range modules {
		if names[i] == session.StorageEngine {
			opened.Storage = true
			continue
		}
		opener, ok := module.(sessions.Opener)
		if !ok || !session.IsEngineName(names[i]) {
			err = fmt.Errorf("module %T in namespace %s is not a session engine", module, sessionsNamespace)
		} else if opened.All[names[i]], err = opener.OpenSessions(c.Name, logger.With(zap.String("engine", names[i]))); err != nil {
			err = fmt.Errorf("sessions %s: %w", names[i], err)
		}
		if err != nil {
			delete(opened.All, names[i])
			closeEngines(opened.All)
			return opened, err
		}
	}
	if first != session.StorageEngine {
		opened.New = first
	}
	return opened, nil
}

const (
	sessionsNamespace = "grant.sessions"
	engineKey         = "engine"

	// engines that are modules of this project, to tell how to build them in
	engineRedis    = "redis"
	enginePostgres = "postgres"
)
