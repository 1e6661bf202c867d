package sql_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/directory/directorytest"
	source "github.com/caddygrant/caddy-grant/sources/sql"
)

// backing is a database for the suite.
type backing struct {
	driver, dsn string
	db          *sql.DB // to write to
	gone        func()  // takes the database away
	back        func()  // and makes it there again
}

// suite has both sources pass the suite of the contract.
func suite(t *testing.T, b backing) {
	t.Run("users", func(t *testing.T) {
		replace := func(t *testing.T, users ...directory.User) {
			run(t, b.db, `DELETE FROM people`)
			insertUsers(t, b.db, users...)
		}
		directorytest.TestUsers(t, directorytest.Users{
			Source: func(t *testing.T, users ...directory.User) directory.Users {
				b.back()
				replace(t, users...)
				return provisioned(t, &source.Users{Database: b.settings(), ByUsernameQuery: byUsername, BySubjectQuery: bySubject, AllQuery: userColumns})
			},
			Change: replace,
			Break:  func(*testing.T) { b.gone() },
		})
	})
	t.Run("clients", func(t *testing.T) {
		replace := func(t *testing.T, clients ...directory.Client) {
			run(t, b.db, `DELETE FROM apps`)
			insertClients(t, b.db, clients...)
		}
		directorytest.TestClients(t, directorytest.Clients{
			Source: func(t *testing.T, clients ...directory.Client) directory.Clients {
				b.back()
				replace(t, clients...)
				return provisioned(t, &source.Clients{Database: b.settings(), ByIDQuery: byID, AllQuery: `SELECT * FROM apps`})
			},
			Change: replace,
			Break:  func(*testing.T) { b.gone() },
		})
	})
}

func (b backing) settings() source.Database { return source.Database{Driver: b.driver, DSN: b.dsn} }

// provisioned gets a source ready as Caddy and a server do, and cleans it up.
func provisioned[S interface {
	caddy.Provisioner
	caddy.CleanerUpper
	directory.Opener
}](t *testing.T, s S) S {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	if err := s.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 2 { // Caddy may call it again
			if err := s.Cleanup(); err != nil {
				t.Error(err)
			}
		}
	})
	if err := s.Open(directory.Options{}); err != nil {
		t.Fatal(err)
	}
	return s
}
