package command

import "github.com/caddyserver/caddy/v2"

// quiet keeps what Caddy logs when it reads a config, which is for `caddy run`, out of
// the output of a command. Errors are returned, and printed by the command.
func quiet() {
	_ = caddy.Validate(&caddy.Config{Logging: &caddy.Logging{Logs: map[string]*caddy.CustomLog{
		caddy.DefaultLoggerName: {BaseLog: caddy.BaseLog{Level: "ERROR"}},
	}}})
}
