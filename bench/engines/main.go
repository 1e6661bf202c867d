// Command engines is Caddy with caddy-grant and all engines for sessions, which the
// workload engines of bench starts. It is a module of its own, since the product and
// bench have no client of Redis in them.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddygrant/caddy-grant"
	_ "github.com/caddygrant/caddy-grant/sessions/postgres"
	_ "github.com/caddygrant/caddy-grant/sessions/redis"
)

func main() {
	caddycmd.Main()
}
