package apikey

import (
	"slices"
	"testing"

	"github.com/caddygrant/caddy-grant/directory"
)

func TestTheScopesOfAnOwnerAreThoseOfTheSettings(t *testing.T) {
	page := &struct{ Scopes []string }{[]string{"page"}}
	web, machine := &directory.Client{ID: "web", Scopes: []string{"web"}}, &directory.Client{ID: "batch", Grants: []string{"client_credentials"}, Scopes: []string{"jobs"}}
	own := Settings{Scopes: []string{"own"}}
	alice, erin := &directory.User{Username: "alice"}, &directory.User{Username: "erin", Scopes: []string{"erins"}}
	for name, test := range map[string]struct {
		settings Settings
		user     *directory.User
		client   *directory.Client
		clients  []*directory.Client
		want     []string
	}{
		"a user without a client":             {own, alice, nil, nil, []string{"own"}},
		"a user and a client":                 {own, alice, nil, []*directory.Client{web, machine}, []string{"web"}},
		"a user and a machine":                {own, alice, nil, []*directory.Client{machine}, []string{"own"}},
		"a user with a list":                  {own, erin, nil, []*directory.Client{web}, []string{"erins"}},
		"a user and a login page":             {Settings{Scopes: []string{"own"}, LoginPage: page}, alice, nil, []*directory.Client{machine}, []string{"page"}},
		"a user and a client beside a page":   {Settings{LoginPage: page}, alice, nil, []*directory.Client{web}, []string{"page", "web"}},
		"a server without the password grant": {Settings{Scopes: []string{"own"}, Grants: []string{"client_credentials"}}, alice, nil, []*directory.Client{web}, []string{"own"}},
		"a client with a list":                {own, nil, machine, nil, []string{"jobs"}},
		"a client without a list":             {own, nil, &directory.Client{ID: "app"}, nil, []string{"own"}},
	} {
		if got := test.settings.Allowed(test.user, test.client, slices.Values(test.clients)); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	if got := Lacking([]string{"a", "b", "c"}, []string{"b"}); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("lacking are %q", got)
	}
}
