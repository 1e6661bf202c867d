package postgres

import (
	"regexp"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// UnmarshalCaddyfile sets up sessions from Caddyfile tokens. Syntax:
//
//	postgres <url> {
//		password        <password>
//		schema          <name>
//		max_connections <n>
//		timeout         <duration>
//	}
func (p *Postgres) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name of the module
	if !d.Args(&p.URL) || d.NextArg() {
		return d.Err("postgres takes one URL: write \"sessions postgres postgres://<user>@<host>/<database>?sslmode=verify-full\", or \"also postgres ...\" in the block of another engine; the URL can be {env.URL}")
	}
	seen := make(map[string]bool)
	for d.NextBlock(0) {
		name := d.Val()
		take, known := map[string]func(string) error{
			"password":        func(value string) error { p.Password = value; return nil },
			"schema":          func(value string) error { p.Schema = value; return nil },
			"max_connections": func(value string) error { return p.takeConnections(d, value) },
			"timeout":         func(value string) error { return p.takeTimeout(d, value) },
		}[name]
		if !known {
			if !plainWord.MatchString(name) {
				name = "" // it may be a URL or a password in the wrong place
			}
			return d.Errf("unrecognized subdirective %s: those of sessions postgres are password, schema, max_connections and timeout", name)
		}
		if seen[name] {
			return d.Errf("duplicate %s: write it once", name)
		}
		seen[name] = true
		var value string
		if !d.Args(&value) || d.NextArg() {
			return d.Errf("%s takes one argument", name)
		}
		if err := take(value); err != nil {
			return err
		}
	}
	return nil
}

func (p *Postgres) takeConnections(d *caddyfile.Dispenser, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > mostConnections {
		return d.Errf("max_connections takes a whole number from 1 to %d", mostConnections)
	}
	p.MaxConnections = n
	return nil
}

func (p *Postgres) takeTimeout(d *caddyfile.Dispenser, value string) error {
	timeout, err := caddy.ParseDuration(value)
	if err != nil || timeout < leastTimeout || timeout > mostTimeout {
		return d.Errf("timeout takes a duration from %v to %v, such as 2s", leastTimeout, mostTimeout)
	}
	p.Timeout = caddy.Duration(timeout)
	return nil
}

var plainWord = regexp.MustCompile(`^[a-z_]+$`)

// Interface guard
var _ caddyfile.Unmarshaler = (*Postgres)(nil)
