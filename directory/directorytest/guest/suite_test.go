package guest

import (
	"context"
	"errors"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/directory/directorytest"
)

var errDown = errors.New("connection refused")

func down(context.Context) error { return errDown }

func TestUsersPassTheSuite(t *testing.T) {
	var table *Table
	directorytest.TestUsers(t, directorytest.Users{
		Source: func(t *testing.T, users ...directory.User) directory.Users {
			table = Create(t.Name())
			table.SetUsers(users...)
			source := &Users{Table: t.Name()}
			if err := source.Provision(caddy.Context{}); err != nil {
				t.Fatal(err)
			}
			return source
		},
		Change: func(_ *testing.T, users ...directory.User) { table.SetUsers(users...) },
		Break:  func(*testing.T) { table.SetFault(down) },
	})
}

func TestBindUsersPassTheSuite(t *testing.T) {
	var table *Table
	set := func(users []directory.User) {
		table.SetUsers(users...)
		for _, user := range users {
			table.SetPassword(user.Username, directorytest.Password, "1")
		}
	}
	directorytest.TestUsers(t, directorytest.Users{
		Source: func(t *testing.T, users ...directory.User) directory.Users {
			table = Create(t.Name())
			set(users)
			source := &BindUsers{Table: t.Name()}
			if err := source.Provision(caddy.Context{}); err != nil {
				t.Fatal(err)
			}
			return source
		},
		Change: func(_ *testing.T, users ...directory.User) { set(users) },
		Break:  func(*testing.T) { table.SetFault(down) },
	})
}

func TestClientsPassTheSuite(t *testing.T) {
	var table *Table
	directorytest.TestClients(t, directorytest.Clients{
		Source: func(t *testing.T, clients ...directory.Client) directory.Clients {
			table = Create(t.Name())
			table.SetClients(clients...)
			source := &Clients{Table: t.Name()}
			if err := source.Provision(caddy.Context{}); err != nil {
				t.Fatal(err)
			}
			return source
		},
		Change: func(_ *testing.T, clients ...directory.Client) { table.SetClients(clients...) },
		Break:  func(*testing.T) { table.SetFault(down) },
	})
}
