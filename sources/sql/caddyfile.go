package sql

import (
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// UnmarshalCaddyfile sets up users from Caddyfile tokens. Syntax:
//
//	sql {
//		driver          pgx|sqlite
//		dsn             <dsn>
//		by_username     <query>
//		by_subject      <query>
//		all             <query>
//		query_timeout   <duration>
//		max_connections <n>
//		idle_timeout    <duration>
//		max_lifetime    <duration>
//	}
func (u *Users) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return u.unmarshal(d, map[string]*string{"by_username": &u.ByUsernameQuery, "by_subject": &u.BySubjectQuery, "all": &u.AllQuery})
}

// UnmarshalCaddyfile sets up clients from Caddyfile tokens. Syntax:
//
//	sql {
//		driver          pgx|sqlite
//		dsn             <dsn>
//		by_id           <query>
//		all             <query>
//		query_timeout   <duration>
//		max_connections <n>
//		idle_timeout    <duration>
//		max_lifetime    <duration>
//	}
func (c *Clients) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return c.unmarshal(d, map[string]*string{"by_id": &c.ByIDQuery, "all": &c.AllQuery})
}

// unmarshal takes the settings of a database, and the queries.
func (d *Database) unmarshal(tokens *caddyfile.Dispenser, queries map[string]*string) error {
	tokens.Next() // the name of the module
	if tokens.NextArg() {
		return tokens.Errf("sql takes a block with driver, dsn and queries, and no argument")
	}
	seen := make(map[string]bool)
	for tokens.NextBlock(0) {
		name := tokens.Val()
		query, isQuery := queries[name]
		if !isQuery && !slices.Contains(settings, name) {
			return tokens.Errf("unrecognized subdirective%s: those of sql are driver, dsn, %s, query_timeout, max_connections, idle_timeout and max_lifetime",
				shown(" "+name, name), strings.Join(sortedKeys(queries), ", "))
		}
		if seen[name] {
			return tokens.Errf("duplicate %s: write it once", name)
		}
		seen[name] = true
		var value string
		if !tokens.Args(&value) || tokens.NextArg() {
			return tokens.Errf("%s takes one argument: put a query in double quotes or backticks", name)
		}
		var err error
		switch name {
		case "driver":
			d.Driver = value
		case "dsn":
			d.DSN = value
		case "query_timeout":
			err = durationArg(tokens, name, value, &d.QueryTimeout)
		case "idle_timeout":
			err = durationArg(tokens, name, value, &d.IdleTimeout)
		case "max_lifetime":
			err = durationArg(tokens, name, value, &d.MaxLifetime)
		case "max_connections":
			if d.MaxConnections, err = strconv.Atoi(value); err != nil || d.MaxConnections < 1 {
				err = tokens.Err("max_connections takes a whole number from 1 to 100")
			}
		default:
			*query = value
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settings are the subdirectives that are not queries.
var settings = []string{"driver", "dsn", "query_timeout", "max_connections", "idle_timeout", "max_lifetime"}

func durationArg(tokens *caddyfile.Dispenser, name, value string, into *caddy.Duration) error {
	d, err := caddy.ParseDuration(value)
	if err != nil || d <= 0 {
		return tokens.Errf("%s takes a duration such as 3s", name)
	}
	*into = caddy.Duration(d)
	return nil
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*Users)(nil)
	_ caddyfile.Unmarshaler = (*Clients)(nil)
)
