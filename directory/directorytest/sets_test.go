package directorytest_test

import (
	"testing"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/directory/directorytest"
)

func TestAUserSet(t *testing.T) {
	directorytest.TestUsers(t, directorytest.Users{Source: func(t *testing.T, users ...directory.User) directory.Users {
		set := directory.NewUserSet(directory.Options{})
		for i, user := range users {
			if err := set.Add(&user, i+1); err != nil {
				t.Fatal(err)
			}
		}
		return set
	}})
}

func TestAClientSet(t *testing.T) {
	directorytest.TestClients(t, directorytest.Clients{Source: func(t *testing.T, clients ...directory.Client) directory.Clients {
		set := directory.NewClientSet(directory.Options{GrantTypes: []string{"password"}})
		for i, client := range clients {
			if err := set.Add(&client, i+1); err != nil {
				t.Fatal(err)
			}
		}
		return set
	}})
}
