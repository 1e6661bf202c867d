package sql

import (
	"context"
	"fmt"
	"iter"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/directory"
)

func init() { caddy.RegisterModule(Clients{}) }

// Clients are the clients in a database. The columns of its query have the names of the
// members of a client in JSON:
//
//   - `id`. Required.
//   - `secret_hash`: NULL for a public client. Required.
//   - `public`, a boolean, or 0 or 1. NULL: false.
//   - `scopes`, `default_scopes`, `grants`, `audience` and `introspect`: words with
//     spaces between them, a PostgreSQL array, or a JSON array. NULL: the default of
//     the member.
//   - `access_token_ttl` and `refresh_token_ttl`: a duration such as `15m`, or seconds
//     as a whole number. NULL: as the server says.
//   - `end_user_ip`. NULL: none.
//
// Any other column is an error, so that a misspelled one is not overlooked.
type Clients struct {
	Database

	// The query for the client with an id, `$1`. It returns one row or none; rows with
	// an id of another spelling are passed over. Required.
	ByIDQuery string `json:"by_id,omitempty"`

	// A query for all clients, with the same columns and without a parameter. It is
	// made once for each config, in at most 5 seconds, and tells from the start what
	// hashes and lifetimes there are. Default: none, then this is learned from
	// look-ups.
	AllQuery string `json:"all,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Clients) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "grant.clients.sql",
		New: func() caddy.Module { return new(Clients) },
	}
}

// Provision opens the pool of connections. It connects to nothing.
func (c *Clients) Provision(ctx caddy.Context) error {
	err := c.byID().check("id")
	if err == nil {
		err = c.all().checkAll()
	}
	if err == nil {
		err = c.provision(ctx, c.String())
	}
	if err != nil {
		return fmt.Errorf("clients sql: %w", err)
	}
	return nil
}

// Open tries the query, if the database is there.
func (c *Clients) Open(directory.Options) error {
	if err := probe(&c.Database, clientColumns, c.byID()); err != nil {
		return fmt.Errorf("clients sql: %w", err)
	}
	return nil
}

// ByID asks the database for the client with that id.
func (c *Clients) ByID(ctx context.Context, id string) (*directory.Client, error) {
	if !canBe(id) {
		return nil, nil
	}
	return one(ctx, &c.Database, c.byID(), id, clientColumns, func(found *directory.Client) bool { return found.ID == id })
}

// All lists the clients, if there is a query for it.
func (c *Clients) All(ctx context.Context) iter.Seq2[*directory.Client, error] {
	return each(ctx, &c.Database, c.all(), clientColumns)
}

func (c *Clients) byID() query { return query{"by_id", c.ByIDQuery} }

func (c *Clients) all() query { return query{"all", c.AllQuery} }

// String names the source in errors and logs.
func (c *Clients) String() string { return "clients sql " + c.Driver }

var clientColumns = columns[directory.Client]{
	set: map[string]func(*directory.Client, any) error{
		"id":                func(c *directory.Client, v any) (err error) { c.ID, err = given(v); return err },
		"secret_hash":       func(c *directory.Client, v any) (err error) { c.SecretHash, err = text(v); return err },
		"public":            func(c *directory.Client, v any) (err error) { c.Public, err = flag(v); return err },
		"scopes":            func(c *directory.Client, v any) (err error) { c.Scopes, err = list(v); return err },
		"default_scopes":    func(c *directory.Client, v any) (err error) { c.DefaultScopes, err = list(v); return err },
		"grants":            func(c *directory.Client, v any) (err error) { c.Grants, err = list(v); return err },
		"audience":          func(c *directory.Client, v any) (err error) { c.Audience, err = list(v); return err },
		"introspect":        func(c *directory.Client, v any) (err error) { c.Introspect, err = list(v); return err },
		"access_token_ttl":  func(c *directory.Client, v any) (err error) { c.AccessTokenTTL, err = duration(v); return err },
		"refresh_token_ttl": func(c *directory.Client, v any) (err error) { c.RefreshTokenTTL, err = duration(v); return err },
		"end_user_ip":       func(c *directory.Client, v any) (err error) { c.EndUserIP, err = text(v); return err },
		"deprecation":       func(c *directory.Client, v any) (err error) { c.Deprecation, err = date(v); return err },
		"deprecation_link":  func(c *directory.Client, v any) (err error) { c.DeprecationLink, err = text(v); return err },
		"sunset":            func(c *directory.Client, v any) (err error) { c.Sunset, err = date(v); return err },
	},
	required: []string{"id", "secret_hash"},
	keys:     []string{"id"},
	hints: map[string]string{
		"secret": "secrets in plaintext are not accepted from a database: select secret_hash, with the output of \"caddy hash-password\"",
	},
}

// Interface guards
var (
	_ caddy.Module           = (*Clients)(nil)
	_ caddy.Provisioner      = (*Clients)(nil)
	_ caddy.CleanerUpper     = (*Clients)(nil)
	_ directory.Clients      = (*Clients)(nil)
	_ directory.Opener       = (*Clients)(nil)
	_ directory.ClientLister = (*Clients)(nil)
	_ fmt.Stringer           = (*Clients)(nil)
)
