package caddygrant

import (
	"net/url"
	"testing"

	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// A browser takes two slashes at the beginning for a host.
func TestTheLinksOfThePageArePathsOfThisHost(t *testing.T) {
	for _, test := range []struct{ asked, endpoint, login, logout string }{
		{"/token/login", oauth.EndpointLogin, "/token/login", "/token/login/logout"},
		{"/token/login/?a=b", oauth.EndpointLogin, "/token/login?a=b", "/token/login/logout"},
		{"/token/login/logout", oauth.EndpointLogout, "/token/login", "/token/login/logout"},
		{"//evil.example/login", oauth.EndpointLogin, "/evil.example/login", "/evil.example/login/logout"},
		{"/%5cevil.example/login", oauth.EndpointLogin, "/%5Cevil.example/login", "/%5Cevil.example/login/logout"},
		// rewritten to the page
		{"/", oauth.EndpointLogin, "/", "/logout"},
		{"/sign-out", oauth.EndpointLogout, "/", "/logout"},
	} {
		asked, err := url.ParseRequestURI(test.asked)
		if err != nil {
			t.Fatal(err)
		}
		if login, logout := pageLinks(asked, test.endpoint); login != test.login || logout != test.logout {
			t.Errorf("%s: %q and %q, want %q and %q", test.asked, login, logout, test.login, test.logout)
		}
	}
}
