// Command caddy is Caddy with caddy-grant and sessions in Redis built in, for trying it
// out. Production binaries come from xcaddy.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddygrant/caddy-grant"
	_ "github.com/caddygrant/caddy-grant/sessions/redis"
)

func main() {
	caddycmd.Main()
}
