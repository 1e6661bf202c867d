// Command caddy is Caddy with caddy-grant and its sessions in PostgreSQL built in, for
// trying it out. Production binaries come from xcaddy.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddygrant/caddy-grant"
	_ "github.com/caddygrant/caddy-grant/sessions/postgres"
)

func main() {
	caddycmd.Main()
}
