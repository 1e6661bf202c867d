package sql

import (
	"context"
	"fmt"
	"iter"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/directory"
)

func init() { caddy.RegisterModule(Users{}) }

// Users are the users in a database. The columns of its queries, by name:
//
//   - `username`: the name to log in with. Required.
//   - `password_hash`: the hash of the password. A user whose hash is NULL cannot log
//     in and counts as none. Required.
//   - `id`: the subject of the user's tokens, text or a whole number. NULL: the
//     username.
//   - `scopes`: those that the user may have: words with spaces between them, a
//     PostgreSQL array, or a JSON array. NULL: whatever the client may ask for.
//   - `claims`: a JSON object. NULL: none.
//   - `disabled`: a boolean, or 0 or 1. NULL: false.
//
// Any other column is an error, so that a misspelled one is not overlooked.
type Users struct {
	Database

	// The query for the user with a name, `$1`. It returns one row or none; rows with a
	// name of another spelling are passed over. Required.
	ByUsernameQuery string `json:"by_username,omitempty"`

	// The query for the user with a subject, `$1`: the id, or the username of a user
	// without one. It returns the same columns as by_username. Required.
	BySubjectQuery string `json:"by_subject,omitempty"`

	// A query for all users, or enough of them to be a sample, with the same columns
	// and without a parameter. It is made once for each config, in at most 5 seconds,
	// and tells from the start what hashes there are: an unknown name has to take as
	// long as a known one. It also finds hashes that should be replaced, and ids that
	// users of another source have. Default: none, then this is learned from look-ups.
	AllQuery string `json:"all,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Users) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "grant.users.sql",
		New: func() caddy.Module { return new(Users) },
	}
}

// Provision opens the pool of connections. It connects to nothing.
func (u *Users) Provision(ctx caddy.Context) error {
	err := u.byUsername().check("username")
	if err == nil {
		err = u.bySubject().check("id")
	}
	if err == nil {
		err = u.all().checkAll()
	}
	if err == nil {
		err = u.provision(ctx, u.String())
	}
	if err != nil {
		return fmt.Errorf("users sql: %w", err)
	}
	return nil
}

// Open tries the queries, if the database is there.
func (u *Users) Open(directory.Options) error {
	if err := probe(&u.Database, userColumns, u.byUsername(), u.bySubject()); err != nil {
		return fmt.Errorf("users sql: %w", err)
	}
	return nil
}

// ByUsername asks the database for the user of that name.
func (u *Users) ByUsername(ctx context.Context, name string) (*directory.User, error) {
	return u.find(ctx, u.byUsername(), name, func(found *userRow) bool { return found.Username == name })
}

// BySubject asks the database for the user with that subject.
func (u *Users) BySubject(ctx context.Context, sub string) (*directory.User, error) {
	return u.find(ctx, u.bySubject(), sub, func(found *userRow) bool { return found.Subject() == sub })
}

// All lists the users, if there is a query for it.
func (u *Users) All(ctx context.Context) iter.Seq2[*directory.User, error] {
	return func(yield func(*directory.User, error) bool) {
		for row, err := range each(ctx, &u.Database, u.all(), userColumns) {
			switch {
			case err != nil:
				yield(nil, err)
				return
			case !row.noPassword && !yield(&row.User, nil):
				return
			}
		}
	}
}

func (u *Users) find(ctx context.Context, query query, asked string, is func(*userRow) bool) (*directory.User, error) {
	if !canBe(asked) {
		return nil, nil
	}
	row, err := one(ctx, &u.Database, query, asked, userColumns, is)
	if err != nil || row == nil || row.noPassword {
		return nil, err
	}
	return &row.User, nil
}

func (u *Users) byUsername() query { return query{"by_username", u.ByUsernameQuery} }

func (u *Users) bySubject() query { return query{"by_subject", u.BySubjectQuery} }

func (u *Users) all() query { return query{"all", u.AllQuery} }

// String names the source in errors and logs.
func (u *Users) String() string { return "users sql " + u.Driver }

// userRow is a user as it is in the database.
type userRow struct {
	directory.User
	noPassword bool // the hash is NULL
}

var userColumns = columns[userRow]{
	set: map[string]func(*userRow, any) error{
		"username": func(u *userRow, v any) (err error) { u.Username, err = given(v); return err },
		"password_hash": func(u *userRow, v any) (err error) {
			u.noPassword = v == nil
			u.PasswordHash, err = text(v)
			return err
		},
		"id":       func(u *userRow, v any) (err error) { u.ID, err = text(v); return err },
		"scopes":   func(u *userRow, v any) (err error) { u.Scopes, err = list(v); return err },
		"claims":   func(u *userRow, v any) (err error) { u.Claims, err = object(v); return err },
		"disabled": func(u *userRow, v any) (err error) { u.Disabled, err = flag(v); return err },
	},
	required: []string{"username", "password_hash"},
	keys:     []string{"username", "id"},
	hints: map[string]string{
		"credential_version": "it is for sources that check passwords themselves: leave it out, tokens end when password_hash changes",
	},
}

// Interface guards
var (
	_ caddy.Module       = (*Users)(nil)
	_ caddy.Provisioner  = (*Users)(nil)
	_ caddy.CleanerUpper = (*Users)(nil)
	_ directory.Users    = (*Users)(nil)
	_ directory.Opener   = (*Users)(nil)
	_ directory.Lister   = (*Users)(nil)
	_ fmt.Stringer       = (*Users)(nil)
)
