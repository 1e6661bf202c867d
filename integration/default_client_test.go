package integration

import (
	"strings"
	"testing"
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
		user alice ` + hashBcrypt + `
		%SETTING%
	}
}
`

func startDefault(t *testing.T, setting string) *site {
	t.Helper()
	s := newSite(t)
	s.writeOld("clients.json", `{"clients":[{"id":"filed","public":true},{"id":"kept","secret_hash":"`+cheapHash(t, "x")+`"}]}`)
	s.reload("", strings.Replace(cheap(t, defaultSite), "%SETTING%", setting, 1))
	return s
}

// What names no client at all, as programs send it whose user left both fields empty. Each
// is a way to send a form.
var namesNoClient = map[string]func(s *site, path, form string) answer{
	"nothing": func(s *site, path, form string) answer { return s.post(path, form) },
	"a colon by Basic": func(s *site, path, form string) answer {
		return s.post(path, form, "Authorization: Basic Og==")
	},
	"a colon by basic, with blanks": func(s *site, path, form string) answer {
		return s.post(path, form, "Authorization: basic   Og==  ")
	},
	"empty parameters": func(s *site, path, form string) answer {
		return s.post(path, form+"&client_id=&client_secret=")
	},
	"empty parameters and a colon": func(s *site, path, form string) answer {
		return s.post(path, form+"&client_id=&client_secret", "Authorization: Basic Og==")
	},
	"an empty header": func(s *site, path, form string) answer { return s.post(path, form, "Authorization: ") },
	"a blank header":  func(s *site, path, form string) answer { return s.post(path, form, "Authorization:  \t ") },
	"a token":         func(s *site, path, form string) answer { return s.post(path, form, "Authorization: Bearer abc") },
	"a token that is none": func(s *site, path, form string) answer {
		return s.post(path, form, "Authorization: Bearer")
	},
}

func TestTheDefaultClientStandsForNone(t *testing.T) {
	s := startDefault(t, "default_client cli")
	for name, post := range namesNoClient {
		t.Run("B10: "+name, func(t *testing.T) {
			a := post(s, "/token", userForm())
			a.want(t, 200, "")
			if client := textClaim(t, a.text(t, "access_token"), "client_id"); client != "cli" || a.text(t, "scope") != "read" {
				t.Errorf("the token is for %s, with %s", client, a.text(t, "scope"))
			}
			again := post(s, "/token", "grant_type=refresh_token&refresh_token="+a.text(t, "refresh_token"))
			again.want(t, 200, "")
			introspection := post(s, "/token/introspect", "token="+again.text(t, "access_token"))
			introspection.want(t, 401, "invalid_client")
			if reason := s.reason(); reason != "no_client" {
				t.Errorf("an introspection is refused for %q", reason)
			}
			post(s, "/token/revoke", "token="+again.text(t, "access_token")).want(t, 200, "")
			post(s, "/token", "grant_type=refresh_token&refresh_token="+again.text(t, "refresh_token")).want(t, 400, "invalid_grant")
		})
	}
	for _, test := range []struct {
		name    string
		form    string
		headers []string
		status  int
		reason  string
	}{
		{"a client that is named", loginForm(), nil, 200, ""},
		{"a secret alone", userForm("client_secret", "web-secret"), nil, 401, "no_client"},
		{"a secret alone by Basic", userForm(), []string{basic("", "web-secret")}, 401, "no_client"},
		{"a secret beside a colon", userForm("client_secret", "web-secret"), []string{"Authorization: Basic Og=="}, 401, "no_client"},
		{"a secret beside a token", userForm("client_secret", "web-secret"), []string{"Authorization: Bearer abc"}, 401, "no_client"},
		{"another client", userForm("client_id", "nobody"), nil, 400, "no_client_secret"},
		{"a malformed header", userForm(), []string{"Authorization: Basic ?"}, 401, "basic_malformed"},
		{"another scheme", userForm(), []string{"Authorization: Digest abc"}, 401, "basic_malformed"},
		{"two empty headers", userForm(), []string{"Authorization: ", "Authorization: "}, 400, "two_client_authentications"},
		{"the id of the default client, with a secret", userForm("client_id", "cli", "client_secret", "x"), nil, 400, "public_client_with_secret"},
	} {
		t.Run("B10: not for "+test.name, func(t *testing.T) {
			if a := s.post("/token", test.form, test.headers...); a.status != test.status || test.reason != "" && s.reason() != test.reason {
				t.Errorf("got %d, refused for %q", a.status, s.reason())
			}
		})
	}
	t.Run("L6: the metadata says that no authentication works", func(t *testing.T) {
		a := s.do(s.request("GET", wellKnown, ""))
		if methods := a.json["token_endpoint_auth_methods_supported"]; !strings.Contains(string(a.body), `"token_endpoint_auth_methods_supported":["client_secret_basic","client_secret_post","none"]`) {
			t.Errorf("it says %v", methods)
		}
	})
}

func TestTheDefaultClientKeepsToItsGrants(t *testing.T) {
	s := startDefault(t, "default_client norefresh")
	a := s.post("/token", userForm())
	a.want(t, 200, "")
	if a.json["refresh_token"] != nil {
		t.Error("it gets a refresh token")
	}
	s.post("/token", "grant_type=refresh_token&refresh_token=x").want(t, 400, "unauthorized_client")
}

func TestWithoutADefaultClientTheAnswerSaysWhatToSend(t *testing.T) {
	s := startDefault(t, "")
	for name, post := range namesNoClient {
		for _, path := range []string{"/token", "/token/revoke", "/token/introspect"} {
			t.Run("B7: "+name+" at "+path, func(t *testing.T) {
				a := post(s, path, userForm("token", "x"))
				a.want(t, 401, "invalid_client")
				wellFormedError(t, a)
				if said := a.text(t, "error_description"); !strings.Contains(said, "client_id") || !strings.Contains(said, "client_secret") || s.reason() != "no_client" {
					t.Errorf("it says %q, refused for %q", said, s.reason())
				}
			})
		}
	}
	// what is said of a client that is named is one text
	named := s.post("/token", userForm("client_id", "nobody")).text(t, "error_description")
	for _, form := range []string{userForm("client_id", "cli", "client_secret", "x"), loginForm("client_secret", "x"), loginForm("client_secret", "")} {
		if said := s.post("/token", form).text(t, "error_description"); said != named || strings.Contains(said, "client_id") {
			t.Errorf("it says %q, and %q", named, said)
		}
	}
}

// A default client that is none is an error at the start. In a file, it may become none
// later: then its requests are refused, and the log says why.
func TestADefaultClientThatIsNone(t *testing.T) {
	s := newSite(t)
	s.writeOld("clients.json", `{"clients":[{"id":"filed","public":true},{"id":"kept","secret_hash":"`+cheapHash(t, "x")+`"}]}`)
	site := func(setting string) string { return strings.Replace(cheap(t, defaultSite), "%SETTING%", setting, 1) }
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
		wantLoadError(t, s.tryReload("", site(setting)), text)
	}
	t.Setenv("DEFAULT_CLIENT_TEST", "cli")
	s.reload("", site("default_client {env.DEFAULT_CLIENT_TEST}"))
	s.post("/token", userForm()).want(t, 200, "")

	s.reload("", site("default_client filed"))
	s.post("/token", userForm()).want(t, 200, "")
	for _, content := range []string{
		`{"clients":[{"id":"filed","secret_hash":"` + cheapHash(t, "y") + `"}]}`,
		`{"clients":[{"id":"other","public":true}]}`,
	} {
		s.writeOld("clients.json", content)
		eventually(t, "the file is read again", func() bool { return s.post("/token", userForm()).status == 401 })
		line := s.lastRefusal()
		if remedy, _ := line["remedy"].(string); line["reason"] != "no_client" || !strings.HasPrefix(remedy, "default_client ") {
			t.Errorf("got %v", line)
		}
		s.writeOld("clients.json", `{"clients":[{"id":"filed","public":true}]}`)
		eventually(t, "the client is there again", func() bool { return s.post("/token", userForm()).status == 200 })
	}
}
