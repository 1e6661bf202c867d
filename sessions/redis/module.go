package redis

import (
	"fmt"
	"regexp"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/sessions"
)

func init() { caddy.RegisterModule(Sessions{}) }

// Sessions keeps sessions in Redis 6.2 or newer, or in Valkey. Redis must not evict
// keys: its `maxmemory-policy` has to be `noeviction`. With `appendonly yes` and
// `appendfsync always` no restart loses a session or an exchange. A Redis without an
// append-only file is used too; all of its sessions end when it restarts.
//
// A Redis that is down does not keep Caddy from starting: what needs it is answered with
// 503 until it is there.
type Sessions struct {
	// Where Redis is: `redis://[<user>[:<password>]@]<host>[:<port>][/<database>]`, or
	// `rediss://` for TLS. `?cluster=true` is for a cluster, of which other nodes may be
	// given with `&addr=<host>:<port>`. `?master_name=<name>` is for Sentinel: host and
	// `&addr=` are Sentinels then, and so is the user. Other parameters are those of the
	// client go-redis, such as `pool_size`; those that read from replicas are errors.
	// Placeholders are replaced at start; use `{env.*}` or `{file.*}`, which keep a
	// password out of the config. Required.
	URL string `json:"url,omitempty"`

	// The user of Redis to authenticate as. Placeholders are replaced at start. Default:
	// that of the URL, and with Sentinel none.
	Username string `json:"username,omitempty"`

	// The password of that user. Placeholders are replaced at start; use `{env.*}` or
	// `{file.*}`, which keep it out of the config. Default: that of the URL, and with
	// Sentinel none.
	Password string `json:"password,omitempty"`

	// What the names of all keys begin with, after a brace, 1 to 64 letters, digits, and
	// `.`, `_`, `:`, `/` or `-`. Two fleets of Caddy that share a Redis need one each.
	// Default: `caddy-grant`.
	Prefix string `json:"prefix,omitempty"`

	// A file with the certificates, in PEM, of the authorities that may have signed the
	// certificate of Redis. Only for `rediss://`. Default: those that the system trusts.
	CA string `json:"ca,omitempty"`

	// A file with the certificate, in PEM, with which Caddy authenticates itself, with
	// `key`. Only for `rediss://`. Default: none.
	Cert string `json:"cert,omitempty"`

	// A file with the private key of `cert`, in PEM. Default: none.
	Key string `json:"key,omitempty"`

	// How long a call may take, including the time to connect and to try again, at most
	// 10s. Default: `2s`.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	settings *settings
}

// CaddyModule returns the Caddy module information.
func (Sessions) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "grant.sessions.redis",
		New: func() caddy.Module { return new(Sessions) },
	}
}

// Provision reads the settings. It connects to nothing.
func (s *Sessions) Provision(caddy.Context) error {
	settings, err := s.read()
	if err != nil {
		return fmt.Errorf("sessions redis: %w", err)
	}
	s.settings = settings
	return nil
}

func (s *Sessions) read() (*settings, error) {
	if s.Prefix == "" {
		s.Prefix = "caddy-grant"
	}
	if !validPrefix.MatchString(s.Prefix) {
		return nil, fmt.Errorf("prefix: write 1 to 64 letters, digits, and any of . _ : / -")
	}
	if s.Timeout == 0 {
		s.Timeout = caddy.Duration(2 * time.Second)
	}
	if given := time.Duration(s.Timeout); given < 10*time.Millisecond || given > 10*time.Second {
		return nil, fmt.Errorf("timeout %v: it must be between 10ms and 10s", given)
	}
	text, err := resolveURL(s.URL)
	if err != nil {
		return nil, err
	}
	settings, err := parseURL(text)
	if err != nil {
		return nil, err
	}
	settings.prefix, settings.timeout = s.Prefix, time.Duration(s.Timeout)
	username, err := resolve("username", s.Username)
	if err != nil {
		return nil, err
	}
	password, err := resolve("password", s.Password)
	if err != nil {
		return nil, err
	}
	settings.credentials(username, password)
	return settings, settings.encrypt(s.CA, s.Cert, s.Key)
}

var validPrefix = regexp.MustCompile(`^[A-Za-z0-9._:/-]{1,64}$`)

// OpenSessions implements [sessions.Opener].
func (s *Sessions) OpenSessions(server string, logger *zap.Logger) (sessions.Engine, error) {
	return newEngine(s.settings, server, logger), nil
}

// Interface guards
var (
	_ caddy.Module          = (*Sessions)(nil)
	_ caddy.Provisioner     = (*Sessions)(nil)
	_ caddyfile.Unmarshaler = (*Sessions)(nil)
	_ sessions.Opener       = (*Sessions)(nil)
)
