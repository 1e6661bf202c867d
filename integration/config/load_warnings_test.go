package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// What a config says, though it hardly means it, is warned of when it is loaded.
func TestWarningsAtLoad(t *testing.T) {
	weak := harness.CheapHash(t, "correct horse") // bcrypt of cost 4
	s := harness.NewSite(t)
	s.WriteOld("users", "# a comment\nalice:"+weak+"\nbob:"+harness.HashBcrypt+"\n\ncarol:"+weak+"\n")
	s.WriteOld("users.json", "{\"users\": [\n{\"username\": \"dave\", \"password_hash\": \""+weak+"\"}\n]}")
	s.WriteOld("many", func() (lines string) {
		for _, c := range "abcdefghijkl" {
			lines += string(c) + ":" + weak + "\n"
		}
		return lines
	}())
	s.WriteOld("clients", "web:"+weak+"\n")
	s.WriteOld("secrets", "web:"+harness.HashBcrypt+"\nmobile:"+harness.HashBcrypt+"\n")
	s.WriteOld("kinds.json", fmt.Sprintf(`{"users": [{"username": "a", "password_hash": %q}, {"username": "b", "password_hash": %q}, {"username": "c", "password_hash": %q}, {"username": "d", "password_hash": %q}]}`,
		harness.HashBcrypt, weak, "$argon2id$v=19$m=8192,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", harness.HashBcrypt))
	sum := strings.Repeat("a", 85) + "."
	s.WriteOld("salts", "a:$6$saltsalt$"+sum+"\nb:$6$saltsaltsaltsalt$"+sum+"\nc:$6$rounds=5000$salt$"+sum+"\n")
	s.WriteOld("nobody.json", `{"users": [], "clients": []}`)

	s.Reload("", "http://127.0.0.1:%PORT% {\n}\n") // begins the log

	const client = "client other {\nsecret long-enough-secret\n}\n"
	const user = "users json %DIR%/users.json\n"
	for _, test := range []struct {
		name   string
		lines  string
		bearer string
		want   map[string]any // nil: no warning
	}{
		{"a secret of 9 bytes", user + "client web {\nsecret 012345678\n}", "",
			map[string]any{"client_id": "web", "msg": "a client's secret is short", "advice": `it has 9 bytes, quick to guess: make one with "openssl rand -hex 32"`}},
		{"a secret of 10 bytes", "users htpasswd %DIR%/good\nclient web {\nsecret 0123456789\n}", "", nil},
		{"a weak hash of a user in the config", client + "user bob " + harness.HashBcrypt + "\nuser alice " + weak, "",
			map[string]any{"msg": "hashes that should be replaced", "source": "users in the config", "count": 1.0, "entries": []any{2.0}}},
		{"a weak hash of a client in the config", "users htpasswd %DIR%/good\nclient web {\nsecret_hash " + weak + "\n}", "",
			map[string]any{"msg": "hashes that should be replaced", "source": "clients in the config", "count": 1.0, "entries": []any{1.0}}},
		{"weak hashes of an htpasswd file", client + "users htpasswd %DIR%/users", "",
			map[string]any{"msg": "hashes that should be replaced", "count": 2.0, "lines": []any{2.0, 5.0}}},
		{"more of them than are listed", client + "users htpasswd %DIR%/many", "",
			map[string]any{"msg": "hashes that should be replaced", "count": 12.0, "lines": []any{1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0}}},
		{"a weak hash of a JSON file", client + "users json %DIR%/users.json", "",
			map[string]any{"msg": "hashes that should be replaced", "count": 1.0, "lines": []any{2.0}}},
		{"a weak hash of a clients file", "users htpasswd %DIR%/good\nclients htpasswd %DIR%/clients", "",
			map[string]any{"msg": "hashes that should be replaced", "count": 1.0, "lines": []any{1.0}}},
		{"a list without users", client + "users json %DIR%/nobody.json", "",
			map[string]any{"msg": "it has no users: no user in this file can log in"}},
		{"a list without clients", "users htpasswd %DIR%/good\nclients json %DIR%/nobody.json", "",
			map[string]any{"msg": "it has no clients: no client in this file can ask for tokens"}},
		{"scopes of the server with a comma between", "users htpasswd %DIR%/good\nscopes read,write\n" + client, "",
			map[string]any{"msg": "a scope has a comma in its name", "of": "server", "scope": "read,write"}},
		{"scopes of a client with a comma between", "users htpasswd %DIR%/good\nclient web {\nsecret long-enough-secret\nscopes read,write\n}", "",
			map[string]any{"msg": "a scope has a comma in its name", "client_id": "web"}},
		{"scopes of a user with a comma between", client + "user alice " + harness.HashBcrypt + " {\nid u-1\nscopes read, write\n}", "",
			map[string]any{"msg": "a scope has a comma in its name", "user_id": "u-1", "scope": "read,"}},
		{"scopes of bearer_auth with a comma between", "users htpasswd %DIR%/good\n" + client, "bearer_auth {\nscopes a,b\n}",
			map[string]any{"msg": "a scope has a comma in its name", "scope": "a,b"}},
		{"a path matcher without the path itself", "users htpasswd %DIR%/good\n" + client, "bearer_auth /admin/*",
			map[string]any{"msg": "a path matcher names one half of a path", "paths": []any{"/admin/*"}, "not_matched": []any{"/admin"},
				"advice": `name both, as in "path /admin/* /admin"; for what needs no token use "open" of bearer_auth, which takes a path with all below it`}},
		{"a path matcher without what is below the path", "users htpasswd %DIR%/good\n" + client, "@a path /admin /ops /ops/*\nbearer_auth @a",
			map[string]any{"msg": "a path matcher names one half of a path", "paths": []any{"/admin"}, "not_matched": []any{"/admin/*"}}},
		{"the root alone", "users htpasswd %DIR%/good\n" + client, "bearer_auth /", map[string]any{"msg": "a path matcher names one half of a path", "paths": []any{"/"}, "not_matched": []any{"/*"}}},
		{"such a matcher that is negated", "users htpasswd %DIR%/good\n" + client, "@a not path /healthz /assets/*\nbearer_auth @a",
			map[string]any{"msg": "a path matcher names one half of a path", "paths": []any{"/healthz", "/assets/*"}, "not_matched": []any{"/healthz/*", "/assets"}}},
		{"such a matcher in a not of a not", "users htpasswd %DIR%/good\n" + client, "@a {\nmethod GET\nnot {\nmethod PUT\nnot path /admin/*\n}\n}\nbearer_auth @a",
			map[string]any{"msg": "a path matcher names one half of a path", "paths": []any{"/admin/*"}}},
		{"such a matcher in an expression", "users htpasswd %DIR%/good\n" + client, "@a expression `method('PUT') && path('/admin/*', '/ops*')`\nbearer_auth @a",
			map[string]any{"msg": "a path matcher names one half of a path", "paths": []any{"/admin/*"}}},
		{"a path matcher of both", "users htpasswd %DIR%/good\n" + client, "@a path /admin /ADMIN/* /ops* /x/y* *.php /favicon.ico /{env.HOME}/*\nbearer_auth @a\n@b not path /v /v/*\nbearer_auth @b {\nopen /v\n}\n@c path /admin*\nbearer_auth @c", nil},
		{"a refresh_token_ttl above the session_ttl", "users htpasswd %DIR%/good\nrefresh_token_ttl 2h\nsession_ttl 1h\n" + client, "",
			map[string]any{"msg": "refresh_token_ttl is longer than session_ttl, which ends the token earlier"}},
		{"an access_token_ttl of a client above the session_ttl", "users htpasswd %DIR%/good\nsession_ttl 1h\nclient web {\nsecret long-enough-secret\naccess_token_ttl 2h\n}", "",
			map[string]any{"msg": "access_token_ttl is longer than session_ttl, which ends the token earlier", "client_id": "web"}},
		{"a session_ttl below the default of refresh_token_ttl", "users htpasswd %DIR%/good\nsession_ttl 30m\n" + client, "", nil},
		{"users of two kinds in the config", client + "user bob " + harness.HashBcrypt + "\nuser alice " + weak + "\nuser carol " + weak, "",
			map[string]any{"msg": "passwords take different times to check", "of": "users", "kinds": "bcrypt cost 4: 2, bcrypt cost 10: 1"}},
		{"users of two kinds in two sources", client + "users htpasswd %DIR%/many\nusers htpasswd %DIR%/good", "",
			map[string]any{"msg": "passwords take different times to check", "of": "users", "kinds": "bcrypt cost 4: 12, bcrypt cost 10: 1"}},
		{"users of three kinds in a JSON file", client + "users json %DIR%/kinds.json", "",
			map[string]any{"msg": "passwords take different times to check", "of": "users", "kinds": "bcrypt cost 10: 2, argon2id m=8192,t=1,p=1: 1, bcrypt cost 4: 1"}},
		{"clients with plaintext secrets and with hashes", "users htpasswd %DIR%/good\n" + client + "client web {\nsecret_hash " + harness.HashBcrypt + "\n}\nclient app {\npublic\n}", "",
			map[string]any{"msg": "secrets take different times to check", "of": "clients", "kinds": "bcrypt cost 10: 1, plaintext: 1"}},
		{"clients with plaintext secrets and a file of clients with hashes", "users htpasswd %DIR%/good\n" + client + "clients htpasswd %DIR%/secrets", "",
			map[string]any{"msg": "secrets take different times to check", "of": "clients", "kinds": "bcrypt cost 10: 2, plaintext: 1"}},
		{"one kind in all sources", "users htpasswd %DIR%/good\nuser bob " + harness.HashBcrypt + "\nclients htpasswd %DIR%/secrets\nclient app {\npublic\n}", "", nil},
		{"salts of several lengths", "users htpasswd %DIR%/salts\n" + client, "", nil},
		{"users of another kind than the clients", "users htpasswd %DIR%/good\n" + client, "", nil},
		{"all is well", "users htpasswd %DIR%/good\nscopes read write\n" + client, "bearer_auth {\nscopes read\n}", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := s.For(t)
			s.WriteOld("good", "alice:"+harness.HashBcrypt+"\n")
			before := len(s.Warnings())
			s.Reload("", "http://127.0.0.1:%PORT% {\ntoken_endpoint {\n"+test.lines+"\n}\n"+test.bearer+"\n}\n")
			lines := s.Warnings()[before:]
			if test.want == nil {
				if len(lines) > 0 {
					t.Errorf("warned of %v", lines)
				}
				return
			}
			for _, line := range lines {
				found := true
				for field, value := range test.want {
					found = found && reflect.DeepEqual(line[field], value)
				}
				if found {
					return
				}
			}
			t.Errorf("no warning with %v in %v", test.want, lines)
		})
	}
	for _, line := range s.Logged(func(line map[string]any) bool { return line["level"] == "warn" }) {
		if text := fmt.Sprint(line); strings.Contains(text, weak) || strings.Contains(text, "012345678") {
			t.Errorf("a secret or a hash is in the log: %s", text)
		}
	}
}

// The warning of a path matcher has its place.
func TestTheWarningOfAPathMatcherSaysWhere(t *testing.T) {
	s := harness.NewSite(t)
	s.Reload("", harness.BasicSite)
	s.Reload("", strings.Replace(harness.BasicSite, "\trespond", "\tbearer_auth /admin/*\n\trespond", 1))
	line := strings.Count(harness.GlobalOptions, "\n") + strings.Count(harness.BasicSite[:strings.Index(harness.BasicSite, "\trespond")], "\n") + 1
	of := fmt.Sprintf("bearer_auth at Caddyfile:%d", line)
	lines := s.Logged(func(line map[string]any) bool { return line["msg"] == "a path matcher names one half of a path" })
	if len(lines) != 1 || lines[0]["of"] != of || lines[0]["level"] != "warn" {
		t.Errorf("want one warning of %s: %v", of, lines)
	}
}

// A file that changes may bring another kind of hash, or take the last of one away.
func TestAWarningOfHashesThatTakeDifferentTimesFollowsTheFile(t *testing.T) {
	weak, s := harness.CheapHash(t, "correct horse"), harness.NewSite(t)
	s.WriteOld("users", "alice:"+weak+"\n")
	s.WriteOld("others", "bob:"+weak+"\n")
	config := func(path string) string {
		return "handle " + path + "/* {\ntoken_endpoint " + path + "/token {\nname " + path[1:] + "\nclient web {\nsecret long-enough-secret\n}\n"
	}
	s.Reload("", "http://127.0.0.1:%PORT% {\n"+
		config("/one")+"users htpasswd %DIR%/users\nusers htpasswd %DIR%/others\n}\n}\n"+
		config("/two")+"users htpasswd %DIR%/others\n}\n}\n}\n")
	warned := func() (kinds []string) {
		for _, line := range s.Warnings() {
			if line["msg"] == "passwords take different times to check" {
				kinds = append(kinds, fmt.Sprint(line["server"], " ", line["kinds"]))
			}
		}
		return kinds
	}
	var want []string
	change := func(content, reads string, warnings ...string) {
		t.Helper()
		loaded := func() int {
			return len(s.Logged(func(line map[string]any) bool {
				return line["msg"] == "users loaded" && line["path"] == s.Expand("%DIR%/users")
			}))
		}
		before := loaded()
		s.WriteOld("users", content)
		harness.Eventually(t, "the file is read again", func() bool { return loaded() > before })
		want = append(want, warnings...)
		harness.Eventually(t, reads+" is warned of", func() bool { return len(warned()) >= len(want) })
		if got := warned(); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: warned of %q, want %q", reads, got, want)
		}
	}
	change("alice:"+weak+"\ncarol:"+harness.HashBcrypt+"\n", "another kind", "one bcrypt cost 4: 2, bcrypt cost 10: 1")
	change("alice:"+weak+"\ncarol:"+harness.HashBcrypt+"\n# as before\n", "the same")
	change("alice:"+weak+"\ncarol:"+harness.HashBcrypt+"\ndave:"+harness.HashBcrypt+"\n", "one more", "one bcrypt cost 10: 2, bcrypt cost 4: 2")
	change("alice:"+weak+"\n", "one kind")
	change("alice:"+harness.HashBcrypt+"\n", "another kind again", "one bcrypt cost 10: 1, bcrypt cost 4: 1")
	if log := s.RawLog(); strings.Contains(log, weak) || strings.Contains(log, harness.HashBcrypt) {
		t.Error("a hash is in the log")
	}
	for _, line := range s.Warnings() {
		if text := fmt.Sprint(line["kinds"], line["advice"]); strings.Contains(text, "alice") || strings.Contains(text, "carol") {
			t.Errorf("a name is in the log: %s", text)
		}
	}
}
