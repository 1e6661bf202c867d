package configreview

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddygrant/caddy-grant/internal/configcheck"
)

// entry is a line of Caddy's log.
type entry struct {
	logger  string
	level   zapcore.Level
	message string
	fields  map[string]any
}

// text is a field that is a text, or empty.
func (e entry) text(field string) string {
	text, _ := e.fields[field].(string)
	return text
}

// provision loads a config as `caddy validate` does, and returns what this module logs
// meanwhile. Its logs are not opened, and an empty storage in memory takes the place of
// its own.
func provision(adapted []byte, verbose bool) ([]entry, error) {
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(adapted, &parts); err != nil {
		return nil, err
	}
	parts = maps.Clone(parts)
	if parts == nil {
		parts = make(map[string]json.RawMessage)
	}
	parts["logging"] = logging(verbose)
	parts["storage"] = json.RawMessage(`{"module": "` + moduleName + `"}`)
	encoded, err := json.Marshal(parts)
	if err != nil {
		return nil, err
	}
	var config *caddy.Config
	if err := caddy.StrictUnmarshalJSON(encoded, &config); err != nil {
		return nil, fmt.Errorf("decoding the config: %w", err)
	}
	captured.TakeAll()
	err = validate(config)
	var entries []entry
	for _, logged := range captured.TakeAll() {
		if isOurs(logged.LoggerName) && (logged.Level >= zap.WarnLevel || slices.Contains(forCheck, logged.Message)) {
			entries = append(entries, entry{logged.LoggerName, logged.Level, logged.Message, logged.ContextMap()})
		}
	}
	return entries, err
}

// forCheck are messages at the level debug that are for the check.
var forCheck = []string{configcheck.OpenRoute, configcheck.OpenRest, configcheck.Overwritten}

// validate is caddy.Validate; a module that panics has failed.
func validate(config *caddy.Config) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("a module of the config panics: %v", cause)
		}
	}()
	return caddy.Validate(config)
}

// isOurs tells whether a logger is of this module.
func isOurs(name string) bool {
	return name == "grant" || strings.HasPrefix(name, "grant.") ||
		strings.HasPrefix(name, "http.handlers.token_endpoint") || strings.HasPrefix(name, "http.handlers.bearer_auth")
}

// quiet keeps Caddy's own log from stderr, from now on.
func quiet(verbose bool) {
	register()
	var config *caddy.Config
	if err := json.Unmarshal([]byte(`{"logging": `+string(logging(verbose))+`}`), &config); err == nil {
		_ = caddy.Validate(config)
	}
}

// logging writes where Caddy writes without a config, since it says so if that changes.
func logging(verbose bool) json.RawMessage {
	level := "FATAL"
	if verbose {
		level = "INFO"
	}
	return json.RawMessage(`{"logs": {"default": {"level": "` + level + `", "core": {"module": "` + moduleName + `"}}}}`)
}

// capture is a log core that keeps what is logged.
type capture struct{ zapcore.Core }

// CaddyModule returns the Caddy module information.
func (capture) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.cores." + moduleName, New: func() caddy.Module { return &capture{captureCore} }}
}

var captureCore, captured = observer.New(zap.DebugLevel)

// register adds the modules only where a config is checked: no other config can name
// them.
var register = sync.OnceFunc(func() {
	caddy.RegisterModule(capture{})
	caddy.RegisterModule(memory{})
})

const moduleName = "grant_check"
