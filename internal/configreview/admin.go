package configreview

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"
)

// ofAdmin is about an admin endpoint that other machines reach. That for remote
// administration asks for certificates, and is not meant.
func (r *review) ofAdmin() {
	listen := resolved(r.config.admin.Listen)
	if listen == "" {
		listen = resolved(caddy.DefaultAdminListen) // which CADDY_ADMIN sets
	}
	address, err := caddy.ParseNetworkAddress(listen)
	if r.config.admin.Disabled || err != nil || address.IsUnixNetwork() || address.IsFdNetwork() || isLoopback(address.Host) {
		return
	}
	at := position{file: r.file}
	options := find(r.tree, func(n *node) bool { return len(n.words) == 0 }) // without a name
	if n := options.child("admin"); n != nil {
		at = n.position
	} else if line, there := r.lines["admin/listen"]; there {
		at.line = line
	}
	r.at(at, "open-admin", fmt.Sprintf("Caddy's admin endpoint is on %s: anyone who reaches that address can end sessions, read the config and replace it, without a password", listen),
		"remove the line \"admin\", or write \"admin unix//run/caddy/admin.sock\"; for use from other machines see \"remote\" of Caddy's admin settings, which asks for certificates")
}
