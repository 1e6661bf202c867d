package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Users and clients come from several sources, and the first that has a name decides.
func TestSourcesAreAskedInOrder(t *testing.T) {
	s := harness.NewSite(t)
	entry := func(name, password, more string) string {
		return fmt.Sprintf(`{"username":%q,"password_hash":%q%s}`, name, harness.CheapHash(t, password), more)
	}
	client := func(id, secret, more string) string {
		return fmt.Sprintf(`{"id":%q,"secret_hash":%q%s}`, id, harness.CheapHash(t, secret), more)
	}
	s.Write("both.json", `{
		"clients": [`+client("web", "hidden", "")+`,`+client("second", "json", `,"scopes":["read"]`)+`],
		"users": [`+entry("alice", "hidden", "")+`,`+entry("bob", "json", `,"disabled":true`)+`,`+entry("carl", "json", `,"id":"c-1"`)+`]
	}`)
	s.Write("users", "alice:"+harness.CheapHash(t, "hidden")+"\nbob:"+harness.CheapHash(t, "htpasswd")+"\ndave:"+harness.CheapHash(t, "htpasswd")+"\n")
	s.Write("clients", "web:"+harness.CheapHash(t, "hidden")+"\nsecond:"+harness.CheapHash(t, "hidden")+"\nthird:"+harness.CheapHash(t, "htpasswd")+"\n")
	s.Reload("", harness.WebSite(`
		users json %DIR%/both.json
		users htpasswd %DIR%/users
		user alice `+harness.CheapHash(t, "inline")+`
		clients json %DIR%/both.json
		clients htpasswd %DIR%/clients
`))
	for _, test := range []struct {
		name, client, secret, user, password string
		status                               int
		code                                 string
	}{
		{"the config comes first, wherever it is written", "web", "web-secret", "alice", "inline", 200, ""},
		{"a later source is not asked for a name that an earlier one has", "web", "web-secret", "alice", "hidden", 400, "invalid_grant"},
		{"also where the user of the earlier one is disabled", "web", "web-secret", "bob", "htpasswd", 400, "invalid_grant"},
		{"the disabled user", "web", "web-secret", "bob", "json", 400, "invalid_grant"},
		{"the second source", "web", "web-secret", "carl", "json", 200, ""},
		{"the third source", "web", "web-secret", "dave", "htpasswd", 200, ""},
		{"an id is not a username", "web", "web-secret", "c-1", "json", 400, "invalid_grant"},
		{"a client's secret of a later source", "web", "hidden", "carl", "json", 400, "invalid_client"},
		{"a client of the second source", "second", "json", "carl", "json", 200, ""},
		{"a client's secret of the third source", "second", "hidden", "carl", "json", 400, "invalid_client"},
		{"a client of the third source", "third", "htpasswd", "dave", "htpasswd", 200, ""},
		{"a user is not a client", "carl", "json", "carl", "json", 400, "invalid_client"},
		{"a client is not a user", "web", "web-secret", "third", "htpasswd", 400, "invalid_grant"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.Login(test.user, test.password, "client_id", test.client, "client_secret", test.secret).Want(t, test.status, test.code)
		})
	}
	t.Run("H6: the token is for the id of the user", func(t *testing.T) {
		_, claims := harness.Decoded(t, s.Login("carl", "json").Text(t, "access_token"))
		if claims["sub"] != "c-1" || claims["username"] != "carl" {
			t.Fatalf("claims %v", claims)
		}
	})
}

// A subject belongs to one user, or one could get the tokens of another.
func TestClashesOfIDs(t *testing.T) {
	s := harness.NewSite(t)
	hash := harness.CheapHash(t, "password")
	user := func(name, id string) string {
		if id != "" {
			id = fmt.Sprintf(`,"id":%q`, id)
		}
		return fmt.Sprintf(`{"username":%q,"password_hash":%q%s}`, name, hash, id)
	}
	file := func(name string, users ...string) string {
		return s.WriteOld(name, `{"users":[`+strings.Join(users, ",\n")+`]}`)
	}
	const oneFile, twoFiles = "users json %DIR%/one.json", "users json %DIR%/one.json\nusers json %DIR%/two.json"

	t.Run("one id twice in a file", func(t *testing.T) {
		path := file("one.json", user("a", "x"), user("b", "x"))
		harness.WantLoadError(t, s.TryReload("", harness.WebSite(oneFile)), path, "users[1]", `"b"`, "id")
	})
	t.Run("an id that is the username of one before it", func(t *testing.T) {
		path := file("one.json", user("a", ""), user("b", "a"))
		harness.WantLoadError(t, s.TryReload("", harness.WebSite(oneFile)), path, `"b"`, "id")
	})
	t.Run("an id that is the username of one after it", func(t *testing.T) {
		path := file("one.json", user("b", "a"), user("a", ""))
		harness.WantLoadError(t, s.TryReload("", harness.WebSite(oneFile)), path, `"a"`, "id")
	})
	t.Run("one username twice in a file", func(t *testing.T) {
		path := file("one.json", user("a", "x"), user("b", ""), user("a", "y"))
		harness.WantLoadError(t, s.TryReload("", harness.WebSite(oneFile)), path, "users[2]", `"a" is already on users[0]`)
	})
	t.Run("one id in two sources", func(t *testing.T) {
		file("one.json", user("a", "x"))
		path := file("two.json", user("b", "x"))
		harness.WantLoadError(t, s.TryReload("", harness.WebSite(twoFiles)), path, s.Path("one.json"), `"b"`, "unique over all sources")
	})
	t.Run("an id that is a username of an earlier source", func(t *testing.T) {
		file("one.json", user("a", ""))
		path := file("two.json", user("b", "a"))
		harness.WantLoadError(t, s.TryReload("", harness.WebSite(twoFiles)), path, s.Path("one.json"), `"b"`)
	})
	t.Run("a username that is an id of an earlier source", func(t *testing.T) {
		file("one.json", user("b", "a"))
		path := file("two.json", user("a", ""))
		harness.WantLoadError(t, s.TryReload("", harness.WebSite(twoFiles)), path, s.Path("one.json"), `"a"`)
	})
	t.Run("an id of the config in a file", func(t *testing.T) {
		path := file("one.json", user("b", "x"))
		harness.WantLoadError(t, s.TryReload("", harness.WebSite("user a "+hash+" {\nid x\n}\n"+oneFile)), path, "users in the config", `"b"`)
	})
	t.Run("a user whose name an earlier source has does not count", func(t *testing.T) {
		file("one.json", user("a", "x"))
		file("two.json", user("a", "x"), user("b", "y"))
		s.Reload("", harness.WebSite(twoFiles))
		s.Relogin("b", "password").Want(t, 200, "")
	})
	t.Run("ids that differ in case only are two", func(t *testing.T) {
		file("cases.json", user("a", "x"), user("b", "X"))
		s.Reload("", harness.WebSite("users json %DIR%/cases.json"))
		s.Relogin("b", "password").Want(t, 200, "")
	})
}

// Every member of a client does in a file what it does in the config.
func TestClientsInAFile(t *testing.T) {
	s := harness.NewSite(t)
	hash := harness.CheapHash(t, "client-secret")
	s.Write("clients.json", `{"clients":[
		{"id":"full","secret_hash":"`+hash+`","scopes":["read","write"],"default_scopes":["read"],"grants":["password","refresh_token"],
		 "audience":["https://one.example"],"access_token_ttl":"90s","refresh_token_ttl":"2h","introspect":["https://two.example"],"public":false},
		{"id":"open","public":true,"audience":["https://two.example"]},
		{"id":"once","public":true,"grants":["password"]},
		{"id":"barred","public":true,"grants":[]}
	]}`)
	s.Reload("", harness.WebSite("clients json %DIR%/clients.json\nuser alice "+harness.CheapHash(t, "password")))

	t.Run("secret_hash, default_scopes, audience and access_token_ttl", func(t *testing.T) {
		a := s.Login("alice", "password", "client_id", "full", "client_secret", "client-secret")
		a.Want(t, 200, "")
		_, claims := harness.Decoded(t, a.Text(t, "access_token"))
		if a.JSON["scope"] != "read" || a.JSON["expires_in"] != 90.0 || fmt.Sprint(claims["aud"]) != "[https://one.example]" || claims["cid"] != "full" {
			t.Fatalf("answer %s, claims %v", a.Body, claims)
		}
		s.Login("alice", "password", "client_id", "full", "client_secret", "client-secret", "scope", "write").Want(t, 200, "")
	})
	t.Run("grants and refresh_token_ttl", func(t *testing.T) {
		a := s.Login("alice", "password", "client_id", "full", "client_secret", "client-secret")
		a.Want(t, 200, "")
		_, claims := harness.Decoded(t, a.Text(t, "refresh_token"))
		exp, _ := claims["exp"].(json.Number).Int64()
		if iat, _ := claims["iat"].(json.Number).Int64(); exp-iat != 2*3600 {
			t.Errorf("it is valid for %ds", exp-iat)
		}
		a = s.Login("alice", "password", "client_id", "once", "client_secret", "")
		a.Want(t, 200, "")
		if a.JSON["refresh_token"] != nil {
			t.Errorf("got %s", a.Body)
		}
	})
	t.Run("introspect", func(t *testing.T) {
		for client, active := range map[string]bool{"open": true, "once": false} {
			token := s.Login("alice", "password", "client_id", client, "client_secret", "").Text(t, "access_token")
			a := s.Post("/token/introspect", "client_id=full&client_secret=client-secret&token="+token)
			if a.Status != 200 || a.JSON["active"] != active {
				t.Errorf("a token of %s: %d %s", client, a.Status, a.Body)
			}
		}
	})
	t.Run("B8: false for public needs the secret", func(t *testing.T) {
		s.Login("alice", "password", "client_id", "full", "client_secret", "").Want(t, 400, "invalid_client")
		s.Login("alice", "password", "client_id", "full", "client_secret", hash).Want(t, 400, "invalid_client")
	})
	t.Run("B10: public", func(t *testing.T) {
		s.Login("alice", "password", "client_id", "open", "client_secret", "").Want(t, 200, "")
		s.Login("alice", "password", "client_id", "open", "client_secret", "x").Want(t, 400, "invalid_client")
	})
	t.Run("B18: no grants at all", func(t *testing.T) {
		s.Login("alice", "password", "client_id", "barred", "client_secret", "").Want(t, 400, "unauthorized_client")
	})

	for _, test := range []struct{ name, client, text string }{
		{"B10: without a secret a client is not public by itself", `{"id":"a"}`, "public"},
		{"an empty hash is no secret", `{"id":"a","secret_hash":""}`, "public"},
		{"a secret in plaintext", `{"id":"a","secret":"hunter2"}`, "secret_hash"},
		{"a public client with a hash", `{"id":"a","public":true,"secret_hash":"` + hash + `"}`, "exclude each other"},
		{"an unknown key", `{"id":"a","public":true,"colour":"red"}`, `unknown key "colour"`},
		{"a key in another case", `{"id":"a","Public":true}`, `it is written "public"`},
		{"a key twice", `{"id":"a","public":true,"id":"b"}`, "duplicate key"},
		{"a grant that is not offered", `{"id":"a","public":true,"grants":["implicit"]}`, "grants"},
		{"a duration that is none", `{"id":"a","public":true,"access_token_ttl":"soon"}`, "soon"},
		{"a refresh token's duration that is none", `{"id":"a","public":true,"refresh_token_ttl":"soon"}`, "soon"},
		{"a public client that introspects", `{"id":"a","public":true,"introspect":["x"]}`, "introspect: a public client may not ask about tokens"},
		{"an id that is not ASCII", `{"id":"ä","public":true}`, "printable ASCII"},
		{"no id", `{"public":true}`, "client id"},
		{"null for a list, which would lift a restriction", `{"id":"a","public":true,"scopes":null}`, "null"},
		{"default_scopes beyond scopes", `{"id":"a","public":true,"scopes":[],"default_scopes":["read"]}`, "default_scopes"},
		{"an id that is there already", `{"id":"good","public":true}`, `"good" is already on clients[0]`},
	} {
		t.Run("refused: "+test.name, func(t *testing.T) {
			path := s.WriteOld("clients.json", "{\"clients\":[\n{\"id\":\"good\",\"public\":true},\n"+test.client+"\n]}")
			err := s.TryReload("", harness.WebSite("name other\nclients json "+path+"\nallow_weak_hashes\nuser alice "+hash))
			harness.WantLoadError(t, err, path, "clients[1] (line 3)", test.text)
			if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), hash)) {
				t.Errorf("a secret or hash is in the error: %v", err)
			}
		})
	}
	for _, test := range []struct{ name, content, text string }{
		{"an unknown list", `{"clients":[],"groups":[]}`, "groups"},
		{"no list of users", `{"clients":[]}`, `"users"`},
		{"a list alone", `[]`, "no JSON object"},
		{"something behind it", `{"users":[]} {}`, "something follows"},
		{"an unknown key of a user", `{"users":[{"username":"a","hash":"x"}]}`, `unknown key "hash"; the hash is "password_hash"`},
		{"a comma too many", "{\"users\":[\n],}", "line 2"},
		{"nothing", "", "empty"},
		{"UTF-16", "\xff\xfe{\x00", "UTF-16"},
		{"bytes that are not UTF-8", "{\"users\":[\n{\"username\":\"\xe9\"}]}", "line 2"},
	} {
		t.Run("C18: a file that is refused: "+test.name, func(t *testing.T) {
			path := s.WriteOld("users.json", test.content)
			harness.WantLoadError(t, s.TryReload("", harness.WebSite("name other\nusers json %DIR%/users.json")), path, test.text)
		})
	}
	t.Run("C18: a file that is missing", func(t *testing.T) {
		harness.WantLoadError(t, s.TryReload("", harness.WebSite("name other\nusers htpasswd %DIR%/missing")), s.Path("missing"), "no such file")
	})
	t.Run("C18: a directory", func(t *testing.T) {
		harness.WantLoadError(t, s.TryReload("", harness.WebSite("name other\nusers htpasswd %DIR%")), s.Dir, "directory")
	})
}

// Placeholders are for what an operator writes in the config, and for nothing that
// comes from elsewhere: a hash has dollars, and a users file may be written by others.
func TestPlaceholders(t *testing.T) {
	s := harness.NewSite(t)
	t.Chdir(s.Dir)
	s.Write("secret", "from-a-file\n")
	s.Write("users", "relative:"+harness.CheapHash(t, "password")+"\n{env.GRANT_NAME}:"+harness.CheapHash(t, "password")+"\n")
	t.Setenv("GRANT_DIR", s.Dir)
	t.Setenv("GRANT_NAME", "value")
	t.Setenv("GRANT_SECRET", "from {the} environment")
	t.Setenv("GRANT_EMPTY", "")
	t.Setenv("GRANT_HASH", harness.HashBcrypt)
	s.Write("absolute", "absolute:"+harness.CheapHash(t, "password")+"\n")
	s.Reload("", harness.WebSite(`
		issuer https://{env.GRANT_NAME}.example
		client file {
			secret {file.%DIR%/secret}
		}
		client env {
			secret {env.GRANT_SECRET}
			audience https://{env.GRANT_NAME}.example/app
		}
		user inline-{env.GRANT_NAME} `+harness.CheapHash(t, "password")+` {
			id id-{env.GRANT_NAME}
			claim note {env.GRANT_NAME}
		}
		users htpasswd users
		users htpasswd {env.GRANT_DIR}/absolute
`))
	for _, test := range []struct{ name, client, secret, user, want string }{
		{"a relative path", "web", "web-secret", "relative", ""},
		{"a placeholder in a path", "web", "web-secret", "absolute", ""},
		{"a secret from a file, without its line feed", "file", "from-a-file", "relative", ""},
		{"not with its line feed", "file", "from-a-file\n", "relative", "invalid_client"},
		{"a secret from the environment, not replaced again", "env", "from {the} environment", "relative", ""},
		{"not the placeholder itself", "env", "{env.GRANT_SECRET}", "relative", "invalid_client"},
		{"a username", "web", "web-secret", "inline-value", ""},
		{"a name in a file is what it is", "web", "web-secret", "{env.GRANT_NAME}", ""},
		{"and nothing else", "web", "web-secret", "value", "invalid_grant"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := s.Login(test.user, "password", "client_id", test.client, "client_secret", test.secret)
			if a.JSON["error"] != nil && a.JSON["error"] != test.want || test.want != "" && a.Status == 200 {
				t.Fatalf("got %d %s, want %q", a.Status, a.Body, test.want)
			}
		})
	}
	t.Run("in issuer, audience, id and claims", func(t *testing.T) {
		_, claims := harness.Decoded(t, s.Login("inline-value", "password", "client_id", "env", "client_secret", "from {the} environment").Text(t, "access_token"))
		want := map[string]string{"iss": "https://value.example", "aud": "[https://value.example/app]", "sub": "id-value", "note": "value"}
		for name, value := range want {
			if got := fmt.Sprint(claims[name]); got != value {
				t.Errorf("%s is %q, want %q", name, got, value)
			}
		}
	})
	user := "user alice " + harness.CheapHash(t, "password") + "\n"
	for _, test := range []struct{ name, lines, text string }{
		{"a secret from an empty variable", user + "client a {\nsecret {env.GRANT_EMPTY}\n}", "GRANT_EMPTY"},
		{"a secret from a variable that is not set", user + "client a {\nsecret {env.GRANT_UNSET}\n}", "GRANT_UNSET"},
		{"a secret from a file that is missing", user + "client a {\nsecret {file.%DIR%/missing}\n}", "missing"},
		{"a path from an empty variable", "users htpasswd {env.GRANT_EMPTY}/users", "GRANT_EMPTY"},
		{"an issuer from an empty variable", user + "issuer {env.GRANT_EMPTY}", "GRANT_EMPTY"},
		{"an unknown placeholder", user + "client a {\nsecret {unknown.thing}\n}", "unknown.thing"},
		{"a signing secret from an empty variable", user + "signing_key HS256 {env.GRANT_EMPTY}", "GRANT_EMPTY"},
		{"a hash from a variable", "user alice {env.GRANT_HASH}", "alice"},
		{"a client's hash from a variable", user + "client a {\nsecret_hash {env.GRANT_HASH}\n}", `"a"`},
	} {
		t.Run("refused: "+test.name, func(t *testing.T) {
			err := s.TryReload("", harness.WebSite(test.lines))
			harness.WantLoadError(t, err, test.text)
			if err != nil && strings.Contains(err.Error(), harness.HashBcrypt) {
				t.Errorf("a hash is in the error: %v", err)
			}
		})
	}
}

// Settings that stand for something else do so everywhere.
func TestPlaceholdersInScopesAndClaims(t *testing.T) {
	s := harness.NewSite(t)
	t.Setenv("GRANT_SCOPE", "read")
	t.Setenv("GRANT_EMPTY", "")
	public := "client pub {\npublic\n}\n"
	for name, lines := range map[string]string{
		"a claim of an empty variable": "user alice " + harness.HashBcrypt + " {\nclaim a {env.GRANT_EMPTY}\n}",
		"a claim of no variable":       "user alice " + harness.HashBcrypt + " {\nclaim a {env.GRANT_UNSET}\n}",
	} {
		t.Run(name+" is an error", func(t *testing.T) {
			if err := s.TryReload("", harness.WebSite(public+lines)); err == nil {
				t.Fatal("it loads")
			}
		})
	}
	s.Reload("", harness.WebSite(public+"scopes {env.GRANT_SCOPE}\nuser alice "+harness.HashBcrypt))
	a := s.Relogin("alice", "correct horse", "client_id", "pub", "client_secret", "")
	if got := a.Text(t, "scope"); got != "read" {
		t.Errorf("scope %q, want read", got)
	}
}
