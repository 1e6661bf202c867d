package client

import (
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

const defaultSite = `http://127.0.0.1:%PORT% {
	log
	token_endpoint {
		issuer http://localhost
		throttle off
		client web {
			secret web-secret
		}
		client cli {
			public
			scopes read
		}
		client norefresh {
			public
			grants password
		}
		clients json %DIR%/clients.json
		user alice ` + harness.HashBcrypt + `
		%SETTING%
	}
}
`

func startDefault(t *testing.T, setting string) *harness.Site {
	t.Helper()
	s := harness.NewSite(t)
	s.WriteOld("clients.json", `{"clients":[{"id":"filed","public":true},{"id":"kept","secret_hash":"`+harness.CheapHash(t, "x")+`"}]}`)
	s.Reload("", strings.Replace(harness.WithCheapHashes(t, defaultSite), "%SETTING%", setting, 1))
	return s
}

// What names no client at all, as programs send it whose user left both fields empty.
// Each is a way to send a form.
var namesNoClient = map[string]func(s *harness.Site, path, form string) harness.Answer{
	"nothing": func(s *harness.Site, path, form string) harness.Answer { return s.Post(path, form) },
	"a colon by Basic": func(s *harness.Site, path, form string) harness.Answer {
		return s.Post(path, form, "Authorization: Basic Og==")
	},
	"a colon by basic, with blanks": func(s *harness.Site, path, form string) harness.Answer {
		return s.Post(path, form, "Authorization: basic   Og==  ")
	},
	"empty parameters": func(s *harness.Site, path, form string) harness.Answer {
		return s.Post(path, form+"&client_id=&client_secret=")
	},
	"empty parameters and a colon": func(s *harness.Site, path, form string) harness.Answer {
		return s.Post(path, form+"&client_id=&client_secret", "Authorization: Basic Og==")
	},
	"an empty header": func(s *harness.Site, path, form string) harness.Answer { return s.Post(path, form, "Authorization: ") },
	"a blank header": func(s *harness.Site, path, form string) harness.Answer {
		return s.Post(path, form, "Authorization:  \t ")
	},
	"a token": func(s *harness.Site, path, form string) harness.Answer {
		return s.Post(path, form, "Authorization: Bearer abc")
	},
	"a token that is none": func(s *harness.Site, path, form string) harness.Answer {
		return s.Post(path, form, "Authorization: Bearer")
	},
}

func TestTheDefaultClientStandsForNone(t *testing.T) {
	s := startDefault(t, "default_client cli")
	for name, post := range namesNoClient {
		t.Run("B10: "+name, func(t *testing.T) {
			a := post(s, "/token", harness.UserForm())
			a.Want(t, 200, "")
			if client := harness.TextClaim(t, a.Text(t, "access_token"), "client_id"); client != "cli" || a.Text(t, "scope") != "read" {
				t.Errorf("the token is for %s, with %s", client, a.Text(t, "scope"))
			}
			again := post(s, "/token", "grant_type=refresh_token&refresh_token="+a.Text(t, "refresh_token"))
			again.Want(t, 200, "")
			introspection := post(s, "/token/introspect", "token="+again.Text(t, "access_token"))
			introspection.Want(t, 401, "invalid_client")
			if reason := s.Reason(); reason != "no_client" {
				t.Errorf("an introspection is refused for %q", reason)
			}
			post(s, "/token/revoke", "token="+again.Text(t, "access_token")).Want(t, 200, "")
			post(s, "/token", "grant_type=refresh_token&refresh_token="+again.Text(t, "refresh_token")).Want(t, 400, "invalid_grant")
		})
	}
	for _, test := range []struct {
		name    string
		form    string
		headers []string
		status  int
		reason  string
	}{
		{"a client that is named", harness.LoginForm(), nil, 200, ""},
		{"a secret alone", harness.UserForm("client_secret", "web-secret"), nil, 401, "no_client"},
		{"a secret alone by Basic", harness.UserForm(), []string{harness.Basic("", "web-secret")}, 401, "no_client"},
		{"a secret beside a colon", harness.UserForm("client_secret", "web-secret"), []string{"Authorization: Basic Og=="}, 401, "no_client"},
		{"a secret beside a token", harness.UserForm("client_secret", "web-secret"), []string{"Authorization: Bearer abc"}, 401, "no_client"},
		{"another client", harness.UserForm("client_id", "nobody"), nil, 400, "no_client_secret"},
		{"a malformed header", harness.UserForm(), []string{"Authorization: Basic ?"}, 401, "basic_malformed"},
		{"another scheme", harness.UserForm(), []string{"Authorization: Digest abc"}, 401, "basic_malformed"},
		{"two empty headers", harness.UserForm(), []string{"Authorization: ", "Authorization: "}, 400, "two_client_authentications"},
		{"the id of the default client, with a secret", harness.UserForm("client_id", "cli", "client_secret", "x"), nil, 400, "public_client_with_secret"},
	} {
		t.Run("B10: not for "+test.name, func(t *testing.T) {
			if a := s.Post("/token", test.form, test.headers...); a.Status != test.status || test.reason != "" && s.Reason() != test.reason {
				t.Errorf("got %d, refused for %q", a.Status, s.Reason())
			}
		})
	}
	t.Run("L6: the metadata says that no authentication works", func(t *testing.T) {
		a := s.Do(s.Request("GET", harness.WellKnown, ""))
		if methods := a.JSON["token_endpoint_auth_methods_supported"]; !strings.Contains(string(a.Body), `"token_endpoint_auth_methods_supported":["client_secret_basic","client_secret_post","none"]`) {
			t.Errorf("it says %v", methods)
		}
	})
}

func TestTheDefaultClientKeepsToItsGrants(t *testing.T) {
	s := startDefault(t, "default_client norefresh")
	a := s.Post("/token", harness.UserForm())
	a.Want(t, 200, "")
	if a.JSON["refresh_token"] != nil {
		t.Error("it gets a refresh token")
	}
	s.Post("/token", "grant_type=refresh_token&refresh_token=x").Want(t, 400, "unauthorized_client")
}

func TestWithoutADefaultClientTheAnswerSaysWhatToSend(t *testing.T) {
	s := startDefault(t, "")
	for name, post := range namesNoClient {
		for _, path := range []string{"/token", "/token/revoke", "/token/introspect"} {
			t.Run("B7: "+name+" at "+path, func(t *testing.T) {
				a := post(s, path, harness.UserForm("token", "x"))
				a.Want(t, 401, "invalid_client")
				harness.WellFormedError(t, a)
				if said := a.Text(t, "error_description"); !strings.Contains(said, "client_id") || !strings.Contains(said, "client_secret") || s.Reason() != "no_client" {
					t.Errorf("it says %q, refused for %q", said, s.Reason())
				}
			})
		}
	}
	// what is said of a client that is named is one text
	named := s.Post("/token", harness.UserForm("client_id", "nobody")).Text(t, "error_description")
	for _, form := range []string{harness.UserForm("client_id", "cli", "client_secret", "x"), harness.LoginForm("client_secret", "x"), harness.LoginForm("client_secret", "")} {
		if said := s.Post("/token", form).Text(t, "error_description"); said != named || strings.Contains(said, "client_id") {
			t.Errorf("it says %q, and %q", named, said)
		}
	}
}

// A default client that is none is an error at the start. In a file, it may become none
// later: then its requests are refused, and the log says why.
func TestADefaultClientThatIsNone(t *testing.T) {
	s := harness.NewSite(t)
	s.WriteOld("clients.json", `{"clients":[{"id":"filed","public":true},{"id":"kept","secret_hash":"`+harness.CheapHash(t, "x")+`"}]}`)
	site := func(setting string) string {
		return strings.Replace(harness.WithCheapHashes(t, defaultSite), "%SETTING%", setting, 1)
	}
	for setting, text := range map[string]string{
		"default_client nobody":        `default_client "nobody": there is no such client`,
		"default_client Cli":           `default_client "Cli": there is no such client`,
		"default_client web":           `default_client "web": this client has a secret`,
		"default_client kept":          `default_client "kept": this client has a secret`,
		"default_client {env.NO_SUCH}": "default_client: the environment variable of {env.NO_SUCH} is not set",
		"default_client":               "default_client takes one argument",
		"default_client a b":           "default_client takes one argument",
		`default_client ""`:            "default_client is empty",
	} {
		harness.WantLoadError(t, s.TryReload("", site(setting)), text)
	}
	t.Setenv("DEFAULT_CLIENT_TEST", "cli")
	s.Reload("", site("default_client {env.DEFAULT_CLIENT_TEST}"))
	s.Post("/token", harness.UserForm()).Want(t, 200, "")

	s.Reload("", site("default_client filed"))
	s.Post("/token", harness.UserForm()).Want(t, 200, "")
	for _, content := range []string{
		`{"clients":[{"id":"filed","secret_hash":"` + harness.CheapHash(t, "y") + `"}]}`,
		`{"clients":[{"id":"other","public":true}]}`,
	} {
		s.WriteOld("clients.json", content)
		harness.Eventually(t, "the file is read again", func() bool { return s.Post("/token", harness.UserForm()).Status == 401 })
		line := s.LastRefusal()
		if remedy, _ := line["remedy"].(string); line["reason"] != "no_client" || !strings.HasPrefix(remedy, "default_client ") {
			t.Errorf("got %v", line)
		}
		s.WriteOld("clients.json", `{"clients":[{"id":"filed","public":true}]}`)
		harness.Eventually(t, "the client is there again", func() bool { return s.Post("/token", harness.UserForm()).Status == 200 })
	}
}
