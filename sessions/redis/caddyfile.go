package redis

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// UnmarshalCaddyfile sets up the engine from Caddyfile tokens. Syntax:
//
//	redis <url> {
//		username <name>
//		password <password>
//		prefix   <prefix>
//		ca       <file>
//		cert     <file>
//		key      <file>
//		timeout  <duration>
//	}
func (s *Sessions) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name of the module
	if !d.Args(&s.URL) || d.NextArg() {
		return d.Err("redis takes one URL: write \"sessions redis redis://<host>:6379/0\", or \"also redis ...\" in the block of another engine")
	}
	settings := map[string]*string{
		"username": &s.Username, "password": &s.Password, "prefix": &s.Prefix,
		"ca": &s.CA, "cert": &s.Cert, "key": &s.Key,
	}
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		setting, known := settings[name]
		if !known && name != "timeout" {
			return d.Errf("unrecognized subdirective%s: those of redis are username, password, prefix, ca, cert, key and timeout", shown(" "+name, name))
		}
		if seen[name] {
			return d.Errf("duplicate %s: write it once", name)
		}
		seen[name] = true
		var value string
		if !d.Args(&value) || d.NextArg() {
			return d.Errf("%s takes one argument", name)
		}
		if known {
			*setting = value
			continue
		}
		timeout, err := caddy.ParseDuration(value)
		if err != nil || timeout <= 0 {
			return d.Err("timeout takes a duration such as 2s")
		}
		s.Timeout = caddy.Duration(timeout)
	}
	return nil
}
