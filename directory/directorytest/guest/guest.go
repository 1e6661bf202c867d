// Package guest is a plugin with sources of its own, as a module of another author
// would have: it imports the types of package directory, and embeds nothing. Its table
// stands for a database.
package guest

import (
	"context"
	"errors"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddygrant/caddy-grant/directory"
)

func init() {
	caddy.RegisterModule(Users{})
	caddy.RegisterModule(BindUsers{})
	caddy.RegisterModule(Clients{})
}

// Users are users in a table.
type Users struct {
	// The name of the table. Required.
	Table string `json:"table,omitempty"`

	table *Table
}

// CaddyModule returns the Caddy module information.
func (Users) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "grant.users.table", New: func() caddy.Module { return new(Users) }}
}

// Provision finds the table.
func (u *Users) Provision(caddy.Context) (err error) {
	u.table, err = find(u.Table)
	return err
}

// ByUsername returns the user of that name, or nil.
func (u *Users) ByUsername(ctx context.Context, name string) (*directory.User, error) {
	return u.table.user(ctx, func(user directory.User) bool { return user.Username == name })
}

// BySubject returns the user with that subject, or nil.
func (u *Users) BySubject(ctx context.Context, sub string) (*directory.User, error) {
	return u.table.user(ctx, func(user directory.User) bool { return user.Subject() == sub })
}

// UnmarshalCaddyfile sets up the source. Syntax:
//
//	users table <name>
func (u *Users) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return tableArg(d, &u.Table) }

// BindUsers are users in a table that checks their passwords itself.
type BindUsers struct {
	// The name of the table. Required.
	Table string `json:"table,omitempty"`

	table *Table
}

// CaddyModule returns the Caddy module information.
func (BindUsers) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "grant.users.bind", New: func() caddy.Module { return new(BindUsers) }}
}

// Provision finds the table.
func (u *BindUsers) Provision(caddy.Context) (err error) {
	u.table, err = find(u.Table)
	return err
}

// ByUsername returns the user of that name, or nil.
func (u *BindUsers) ByUsername(ctx context.Context, name string) (*directory.User, error) {
	return u.versioned(u.table.user(ctx, func(user directory.User) bool { return user.Username == name }))
}

// BySubject returns the user with that subject, or nil.
func (u *BindUsers) BySubject(ctx context.Context, sub string) (*directory.User, error) {
	return u.versioned(u.table.user(ctx, func(user directory.User) bool { return user.Subject() == sub }))
}

// versioned hides the hash, which the table keeps to itself.
func (u *BindUsers) versioned(user *directory.User, err error) (*directory.User, error) {
	if user != nil {
		user.PasswordHash, user.CredentialVersion = "", u.table.versionOf(user.Username)
	}
	return user, err
}

// CheckPassword tells whether that is the user's password.
func (u *BindUsers) CheckPassword(ctx context.Context, user *directory.User, password string) (bool, error) {
	return u.table.bind(ctx, user, password)
}

// UnmarshalCaddyfile sets up the source. Syntax:
//
//	users bind <name>
func (u *BindUsers) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return tableArg(d, &u.Table) }

// Clients are clients in a table.
type Clients struct {
	// The name of the table. Required.
	Table string `json:"table,omitempty"`

	table *Table
}

// CaddyModule returns the Caddy module information.
func (Clients) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "grant.clients.table", New: func() caddy.Module { return new(Clients) }}
}

// Provision finds the table.
func (c *Clients) Provision(caddy.Context) (err error) {
	c.table, err = find(c.Table)
	return err
}

// ByID returns the client with that id, or nil.
func (c *Clients) ByID(ctx context.Context, id string) (*directory.Client, error) {
	return c.table.client(ctx, id)
}

// UnmarshalCaddyfile sets up the source. Syntax:
//
//	clients table <name>
func (c *Clients) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return tableArg(d, &c.Table) }

func tableArg(d *caddyfile.Dispenser, table *string) error {
	d.Next() // the name of the module
	if !d.AllArgs(table) {
		return d.ArgErr()
	}
	if d.NextBlock(d.Nesting()) {
		return d.Errf("unrecognized subdirective %s", d.Val())
	}
	return nil
}

var errNoTable = errors.New("there is no such table")

// Interface guards
var (
	_ directory.Users           = (*Users)(nil)
	_ directory.Users           = (*BindUsers)(nil)
	_ directory.PasswordChecker = (*BindUsers)(nil)
	_ directory.Clients         = (*Clients)(nil)
	_ caddy.Provisioner         = (*Users)(nil)
	_ caddy.Provisioner         = (*BindUsers)(nil)
	_ caddy.Provisioner         = (*Clients)(nil)
	_ caddyfile.Unmarshaler     = (*Users)(nil)
	_ caddyfile.Unmarshaler     = (*BindUsers)(nil)
	_ caddyfile.Unmarshaler     = (*Clients)(nil)
)
