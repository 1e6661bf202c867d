// Command caddy is Caddy with caddy-grant built in, for trying it out and for tests.
// Production binaries come from xcaddy, with the arguments in xcaddy.txt.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddygrant/caddy-grant"
)

func main() {
	caddycmd.Main()
}
