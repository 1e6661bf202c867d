package login

import (
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// With a page a server needs no client, and has one that no client can be.
func TestThePageIsAClientOfItsOwn(t *testing.T) {
	app := harness.NewApp(t)
	s := startSite(t, "", app.In(`http://:%PORT% {
	bind 127.0.0.1
	token_endpoint {
		user alice `+harness.HashCheap+`
		scopes read
		login_page
	}
	bearer_auth {
		copy_claims sub>X-User client_id>X-Client scope>X-Scope jti>X-Id exp>X-Ends aud>X-Audience sid>X-Session iss>X-Issuer
	}
	respond /who "{http.auth.user.id}|{http.auth.user.client_id}|{http.auth.user.scope}|{http.auth.user.jti}|{http.auth.user.exp}|{http.auth.user.aud}|"
	reverse_proxy %APP%
}
`))
	b := loggedIn(t, s, "alice")
	if got := string(b.fetch("GET", "/who").Body); got != "alice|login_page|read||||" {
		t.Errorf("the placeholders are %s", got)
	}
	b.wantUser("alice")
	seen := app.One(t)
	for header, want := range map[string]string{"X-Client": "login_page", "X-Scope": "read", "X-Id": "", "X-Ends": "", "X-Audience": ""} {
		seen.WantIdentity(t, header, want)
	}
	if seen.Header.Get("X-Session") == "" {
		t.Error("no sid")
	}
	for _, form := range []string{
		"grant_type=password&username=alice&password=correct+horse&client_id=login_page",
		"grant_type=password&username=alice&password=correct+horse&client_id=login_page&client_secret=",
		"grant_type=password&username=alice&password=correct+horse&client_id=login_page&client_secret=x",
		"grant_type=refresh_token&refresh_token=x&client_id=login_page", "grant_type=password&username=alice&password=correct+horse",
	} {
		if a := s.Post("/token", form, "Host: localhost"); a.Status != 401 && a.Status != 400 || a.JSON["access_token"] != nil {
			t.Errorf("%s: %d %s", form, a.Status, a.Body)
		}
	}
	for _, path := range []string{"/token", "/token/revoke", "/token/introspect"} {
		for _, secret := range []string{"", "x", "login_page"} {
			a := s.Post(path, "grant_type=password&username=alice&password=correct+horse&token=x", harness.Basic("login_page", secret))
			if a.Status != 401 {
				t.Errorf("%s with the secret %q: %d %s", path, secret, a.Status, a.Body)
			}
		}
	}
}

func TestConfigsOfThePageThatAreRefused(t *testing.T) {
	s := harness.NewSite(t)
	s.Write("clients.json", `{"clients": [{"id": "login_page", "secret": "x"}]}`)
	s.Write("clients.htpasswd", "login_page:"+harness.HashCheap+"\n")
	s.Write("broken.html", "{{.Nothing}}")
	site := func(server, page string) string {
		return "http://:%PORT% {\n\tbind 127.0.0.1\n\ttoken_endpoint {\n\t\tuser alice " + harness.HashCheap + "\n\t\t" + server + "\n\t\tlogin_page {\n\t\t\t" + page + "\n\t\t}\n\t}\n\tbearer_auth\n\trespond ok\n}\n"
	}
	for _, test := range []struct{ name, server, page, want string }{
		{"a client of its id", "client login_page {\n\t\t\tsecret x\n\t\t}", "", "login_page"},
		{"a public client of its id", "client login_page {\n\t\t\tpublic\n\t\t}", "", "login_page"},
		{"one in a JSON file", "clients json %DIR%/clients.json", "", "login_page"},
		{"one in an htpasswd file", "clients htpasswd %DIR%/clients.htpasswd", "", "login_page"},
		{"a public suffix", "", "cookie_domain com", "cookie_domain"},
		{"a public suffix of two labels", "", "cookie_domain co.uk", "public suffix"},
		{"a private suffix", "", "cookie_domain github.io", "public suffix"},
		{"an address", "", "cookie_domain 192.0.2.1", "address"},
		{"an IPv6 address", "", "cookie_domain [::1]", "address"},
		{"localhost", "", "cookie_domain localhost", "localhost"},
		{"a domain with a scheme", "", "cookie_domain https://example.com", "scheme"},
		{"a domain with a port", "", "cookie_domain example.com:8080", "port"},
		{"a domain with a dot before it", "", "cookie_domain .example.com", "dot"},
		{"a wildcard", "", "cookie_domain *.example.com", "cookie_domain"},
		{"a prefix in the name", "", "cookie_name __Host-x", "prefix"},
		{"a name with a space", "", `cookie_name "a b"`, "cookie_name"},
		{"a name with a semicolon", "", `cookie_name "a;b"`, "cookie_name"},
		{"idle longer than the session", "", "session_ttl 1h\nidle_ttl 2h", "idle_ttl"},
		{"no time at all", "", "session_ttl 0s", "session_ttl"},
		{"a negative time", "", "remember -1h", "remember"},
		{"after_logout elsewhere", "", "after_logout https://elsewhere.example/", "after_logout"},
		{"after_logout at another host", "", "after_logout //elsewhere.example", "after_logout"},
		{"after_logout without a slash", "", "after_logout bye", "after_logout"},
		{"a trusted origin with a path", "", "trusted_origins https://a.example/x", "trusted_origins"},
		{"a trusted origin without a scheme", "", "trusted_origins a.example", "trusted_origins"},
		{"a trusted wildcard", "", "trusted_origins https://*.example", "trusted_origins"},
		{"null as a trusted origin", "", "trusted_origins null", "trusted_origins"},
		{"a setting that is not there", "", "sesion_ttl 1h", "session_ttl"},
		{"a setting twice", "", "idle_ttl 1h\nidle_ttl 2h", "idle_ttl"},
		{"a template that is not there", "", "template %DIR%/none.html", "none.html"},
		{"a template with a fault", "", "template %DIR%/broken.html", "broken.html"},
		{"two pages", "login_page", "", "login_page"},
		{"an idle time under the second in which a cookie is sealed", "", "idle_ttl 1s", "idle_ttl"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := s.For(t).TryReload("", site(test.server, test.page))
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("no %s in: %v", test.want, err)
			}
		})
	}
	t.Run("a path that is not one", func(t *testing.T) {
		for _, path := range []string{"login", "/a*", "/a/../b", "//a", "/a?b", "/a /b"} {
			if err := s.For(t).TryReload("", strings.Replace(site("", ""), "login_page {", "login_page "+path+" {", 1)); err == nil {
				t.Errorf("%s: no error", path)
			}
		}
	})
	t.Run("the path of an endpoint", func(t *testing.T) {
		for _, path := range []string{"/token", "/Token/Revoke", "/token/introspect", "/token/jwks", "/.well-known/oauth-authorization-server"} {
			err := s.For(t).TryReload("", strings.Replace(site("issuer http://localhost", ""), "login_page {", "login_page "+path+" {", 1))
			if err == nil || !strings.Contains(err.Error(), "there is an endpoint at") {
				t.Errorf("%s: %v", path, err)
			}
		}
	})
	t.Run("without a page the id is free", func(t *testing.T) {
		s.For(t).Reload("", strings.Replace(site("client login_page {\n\t\t\tsecret x\n\t\t}", ""), "login_page {\n\t\t\t\n\t\t}\n", "", 1))
	})
}
