package config

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// What a file has that cannot be meant is one error that says what to write.
func TestMistakesInFilesAreNamed(t *testing.T) {
	s := harness.NewSite(t)
	md5 := strings.Repeat("5f4dcc3b", 4)
	s.Reload("", "http://127.0.0.1:%PORT% {\n}\n") // begins the log
	s.WriteOld("users.json", `{"users": [
		{"username": "alice", "password_hash": "`+harness.HashBcrypt+`"}
	], "clients": []}`)
	s.WriteOld("users", "# our users\nalice:"+harness.HashBcrypt+"\nbob:"+harness.HashBcrypt+"\n")
	s.WriteOld("users.yaml", "users:\n  - username: alice\n    password_hash: x\n")
	s.WriteOld("clients.json", `{"clients": [{"id": "app", "public": true}]}`)
	s.WriteOld("clients", "app:"+harness.HashBcrypt+"\n")
	json := func(name, hash string) string {
		return fmt.Sprintf(`{"users":[{"username":%q,"password_hash":%q}]}`, name, hash)
	}
	for i, test := range []struct {
		name, lines, file string // %FILE% has what is in file
		want              []string
	}{
		{"B: JSON as htpasswd", "users htpasswd %DIR%/users.json", "", []string{"JSON", `write "users json %DIR%/users.json"`}},
		{"B: htpasswd as JSON", "users json %DIR%/users", "", []string{"htpasswd format", `write "users htpasswd %DIR%/users"`}},
		{"B: clients in JSON as htpasswd", "user alice " + harness.HashBcrypt + "\nclients htpasswd %DIR%/clients.json", "", []string{`write "clients json %DIR%/clients.json"`}},
		{"B: clients in htpasswd as JSON", "user alice " + harness.HashBcrypt + "\nclients json %DIR%/clients", "", []string{`write "clients htpasswd %DIR%/clients"`}},
		{"B: YAML as htpasswd", "users htpasswd %DIR%/users.yaml", "", []string{"YAML"}},
		{"B: YAML as JSON", "users json %DIR%/users.yaml", "", []string{"YAML"}},

		{"D4: htdigest", "users htpasswd %FILE%", "alice:My Realm:" + md5, []string{"line 1", `"alice"`, "htdigest"}},
		{"D4: mosquitto", "users htpasswd %FILE%", "alice:$7$101$Kg1jrxX0yGAyRhUQ$" + strings.Repeat("A", 86) + "==", []string{"mosquitto"}},
		{"D4: a placeholder", "users htpasswd %FILE%", "alice:{env.ALICE_HASH}", []string{"placeholder"}},
		{"D4: doubled dollars", "users htpasswd %FILE%", "alice:" + strings.ReplaceAll(harness.HashBcrypt, "$", "$$"), []string{"doubled"}},
		{"D4: a blank after the colon", "users htpasswd %FILE%", "alice: " + harness.HashBcrypt, []string{"blanks"}},
		{"D4: a blank around the colon", "users htpasswd %FILE%", "alice : " + harness.HashBcrypt, []string{"blank before or after the name", `"alice "`}},
		{"D4: quotes around the hash", "users htpasswd %FILE%", `alice:"` + harness.HashBcrypt + `"`, []string{"quotes"}},
		{"D4: quotes around both", "users htpasswd %FILE%", `"alice":"` + harness.HashBcrypt + `"`, []string{"quotes around the name"}},
		{"D4: quotes around the line", "users htpasswd %FILE%", `"alice:` + harness.HashBcrypt + `"`, []string{"quotes around the name", `"\"alice"`}},
		{"D4: a locked account", "users htpasswd %FILE%", "alice:!" + harness.HashBcrypt, []string{"locked"}},
		{"D4: /etc/passwd", "users htpasswd %FILE%", "alice:x:1000:1000::/home/alice:/bin/sh", []string{"/etc/shadow"}},
		{"D4: Werkzeug", "users htpasswd %FILE%", "alice:scrypt:32768:8:1$salt$" + md5, []string{"scrypt"}},
		{"D4: Werkzeug in JSON", "users json %FILE%", json("alice", "pbkdf2:sha256:600000$salt$"+md5), []string{"PBKDF2"}},
		{"D4: Django", "users json %FILE%", json("alice", "argon2"+harness.HashArgon2id), []string{"Django"}},
		{"D4: passlib", "users htpasswd %FILE%", "alice:$bcrypt-sha256$v=2,t=2b,r=12$abc$def", []string{"bcrypt of a digest"}},
		{"D4: BSDi", "users htpasswd %FILE%", "alice:_J9..CCCCXBrJUJV154M", []string{"BSDi"}},
		{"D2: Dovecot's base64", "users htpasswd %FILE%", "alice:{SHA512-CRYPT.b64}JDYk", []string{"Dovecot"}},
		{"D2: DES behind a prefix", "users htpasswd %FILE%", "alice:{CRYPT}rSvl0eZ0biLcA", []string{"DES"}},
		{"D4: a YAML list", "users htpasswd %FILE%", "- alice:" + harness.HashBcrypt, []string{"YAML", `"- alice"`}},
		{"D4: a zero-width space", "users htpasswd %FILE%", "al\u200bice:" + harness.HashBcrypt, []string{`"al\u200bice"`, "invisible"}},
		{"D4: a direction mark in JSON", "users json %FILE%", json("alice\u202e", harness.HashBcrypt), []string{`alice\u202e`, "invisible"}},
		{"D4: a blank before the colon", "users htpasswd %FILE%", "alice :" + harness.HashBcrypt, []string{`"alice "`, "blank"}},
		{"D4: a no-break space in JSON", "users json %FILE%", json("\u00a0alice", harness.HashBcrypt), []string{`"\u00a0alice"`, "blank"}},
		{"D4: a zero-width space in an id", "users json %FILE%", `{"users":[{"username":"alice","id":"u\u200b1","password_hash":"` + harness.HashBcrypt + `"}]}`, []string{`id "u\u200b1"`}},
		{"D4: quotes in the config", `user "'alice'" ` + harness.HashBcrypt, "", []string{`"'alice'"`, "quotes"}},
		{"D4: a zero-width space in the config", "user al\u200bice " + harness.HashBcrypt, "", []string{`"al\u200bice"`}},
		{"D4: doubled dollars in the config", "user alice " + strings.ReplaceAll(harness.HashBcrypt, "$", "$$"), "", []string{"alice", "doubled"}},
		{"D4: a placeholder in the config", "user alice {env.ALICE_HASH}", "", []string{"alice", "placeholder"}},
		{"D4: a client's id", "user alice " + harness.HashBcrypt + "\nclients htpasswd %FILE%", "- app:" + harness.HashBcrypt, []string{`"- app"`, "YAML"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := s.WriteOld(fmt.Sprint("mistake", i), test.file+"\n")
			err := s.TryReload("", harness.WebSite(strings.ReplaceAll(test.lines, "%FILE%", path)))
			for j, want := range test.want {
				test.want[j] = s.Expand(want)
			}
			harness.WantLoadError(t, err, test.want...)
			if strings.Contains(err.Error(), "problems") {
				t.Errorf("more than one error: %v", err)
			}
			ours := fmt.Sprint(s.Logged(func(line map[string]any) bool { return strings.Contains(fmt.Sprint(line["logger"]), "grant") }))
			for _, piece := range []string{md5, harness.HashBcrypt[8:20], harness.HashArgon2id[40:60], "AAAAAA"} {
				if strings.Contains(err.Error(), piece) || strings.Contains(ours, piece) {
					t.Errorf("a piece of the hash is in the error or the log: %v", err)
				}
			}
		})
	}
}

// A file of another program can have hundreds of hashes that are not accepted.
func TestWhatToDoAboutManyHashesIsSaidOnce(t *testing.T) {
	s := harness.NewSite(t)
	s.Reload("", "http://127.0.0.1:%PORT% {\n}\n") // begins the log
	var lines strings.Builder
	for i := range 50 {
		fmt.Fprintf(&lines, "user%d:rSvl0eZ0biLcA\n", i)
	}
	s.WriteOld("many", lines.String())
	err := s.TryReload("", harness.WebSite("users htpasswd %DIR%/many"))
	harness.WantLoadError(t, err, "50 problems: line 1: \"user0\"", "and 30 more", `run "caddy grant user import <this file> --from htpasswd`)
	if got := strings.Count(err.Error(), "caddy hash-password"); got != 1 {
		t.Errorf("the remedy is there %d times: %v", got, err)
	}
}

// D5: what an editor leaves around a secret is a part of it, and does not show.
func TestWhatIsAroundASecretInAFileIsWarnedOf(t *testing.T) {
	s := harness.NewSite(t)
	const secret = "0123456789abcdef0123456789abcdef"
	for name, content := range map[string]string{
		"plain": secret, "line": secret + "\n", "crlf": secret + "\r\n",
		"bom": "\ufeff" + secret, "blank": secret + " \n", "lines": secret + "\n\n", "quoted": `"` + secret + "\"\n", "before": " " + secret,
		"crlfs": secret + "\r\n\r\n", "two": secret + "\n" + secret,
	} {
		s.WriteOld(name, content)
	}
	for name, want := range map[string]string{
		"plain": "", "line": "", "crlf": "", // Caddy takes one line end away
		"bom": "byte order mark", "blank": "blanks after", "lines": "line end after", "quoted": "quotes", "before": "blanks before",
		"crlfs": "line end after", "two": "more than one line",
	} {
		t.Run(name, func(t *testing.T) {
			s.Reload("", "http://127.0.0.1:%PORT% {\n}\n") // begins the log
			before := len(s.Warnings())
			s.Reload("", `http://127.0.0.1:%PORT% {
	token_endpoint {
		signing_key HS256 {file.%DIR%/`+name+`}
		user alice `+harness.HashBcrypt+`
		client app {
			secret {file.%DIR%/`+name+`}
		}
	}
}
`)
			lines := s.Warnings()[before:]
			if strings.Contains(fmt.Sprint(lines), secret[:8]) {
				t.Errorf("a piece of the secret is in the log: %v", lines)
			}
			if want == "" {
				if len(lines) != 0 {
					t.Errorf("warned of %v", lines)
				}
				s.Relogin("alice", "correct horse", "client_id", "app", "client_secret", secret).Want(t, 200, "")
				return
			}
			settings := make(map[any]int)
			for _, line := range lines {
				if !strings.Contains(fmt.Sprint(line["found"]), want) {
					t.Errorf("the warning is %v, want %s", line, want)
				}
				settings[line["setting"]]++
			}
			if settings["secret"] != 1 || settings["signing_key"] != 1 || len(lines) != 2 {
				t.Errorf("warned of %v", lines)
			}
		})
	}
}

// D6: a config is loaded though a file that is followed is broken or gone, and says so
// each time; a start would not be.
func TestAReloadWithABrokenFileSaysSo(t *testing.T) {
	s := harness.NewSite(t)
	broken := map[string]string{"cut": "cut:" + harness.HashBcrypt[:40] + "\n", "gone": "", "empty": ""}
	lines := "clients htpasswd %DIR%/clients\n"
	for name := range broken {
		s.WriteOld(name, name+":"+harness.CheapHash(t, "password")+"\n")
		lines += "users htpasswd %DIR%/" + name + "\n"
	}
	s.WriteOld("clients", "machine:"+harness.HashBcrypt+"\n")
	s.Reload("", harness.WebSite(lines))
	said := func(name string) []map[string]any {
		return s.Logged(func(line map[string]any) bool {
			return line["level"] == "error" && line["path"] == s.Path(name) && strings.Contains(fmt.Sprint(line["msg"]), "this config is loaded")
		})
	}

	broken["clients"] = "machine\n"
	for name, content := range broken {
		if name == "gone" {
			if err := os.Remove(s.Path(name)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		s.WriteOld(name, content)
	}
	// at once, before a poll has seen it, and then each time
	for i := range 3 {
		s.Reload("", harness.WebSite(lines+fmt.Sprintf("access_token_ttl %ds", 60+i)))
		for name := range broken {
			found := said(name)
			if len(found) != i+1 {
				t.Fatalf("%s: %d lines after %d reloads: %v", name, len(found), i+1, found)
			}
			last := found[i]
			if fmt.Sprint(last["error"]) == "" || last["active_since"] == nil || strings.Contains(fmt.Sprint(last), harness.HashBcrypt[:30]) {
				t.Errorf("%s: the line is %v", name, last)
			}
			if name != "clients" {
				s.Relogin(name, "password").Want(t, 200, "")
			}
		}
		s.Relogin("cut", "password", "client_id", "machine", "client_secret", "correct horse").Want(t, 200, "")
	}

	t.Run("caddy validate and caddy adapt --validate fail, and name each file", func(t *testing.T) {
		for name := range broken {
			line := "users htpasswd %DIR%/" + name
			if name == "clients" {
				line = "user alice " + harness.HashBcrypt + "\nclients htpasswd %DIR%/clients"
			}
			s.Write("caddyfile", s.Expand("{\nadmin off\nstorage file_system \"%DIR%/other\"\n}\n"+harness.WebSite(line)))
			for _, args := range [][]string{{"validate", "--config", "caddyfile", "--adapter", "caddyfile"}, {"adapt", "--validate", "--config", "caddyfile", "--adapter", "caddyfile"}} {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				output, err := harness.CaddyCommand(ctx, t, s.Dir, args...).CombinedOutput()
				cancel()
				if err == nil || !strings.Contains(string(output), s.Path(name)) {
					t.Errorf("caddy %s with %s: %v\n%s", args[0], name, err, output)
				}
			}
		}
	})
	t.Run("files that are mended are no longer told of", func(t *testing.T) {
		for name := range broken {
			s.WriteOld(name, name+":"+harness.CheapHash(t, "mended")+"\n")
		}
		s.Reload("", harness.WebSite(lines))
		for name := range broken {
			if found := said(name); len(found) != 3 {
				t.Errorf("%s: %v", name, found)
			}
		}
	})
}

// A11: anyone who can write the file can add a user.
func TestAUsersFileThatOthersMayWriteIsWarnedOf(t *testing.T) {
	s := harness.NewSite(t)
	s.WriteOld("tight", "alice:"+harness.HashBcrypt+"\n")
	s.WriteOld("loose", "bob:"+harness.HashBcrypt+"\n")
	s.WriteOld("clients", "machine:"+harness.HashBcrypt+"\n")
	for name, mode := range map[string]os.FileMode{"tight": 0o640, "loose": 0o666, "clients": 0o664} {
		if err := os.Chmod(s.Path(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	config := harness.WebSite("users htpasswd %DIR%/tight\nusers htpasswd %DIR%/loose\nclients htpasswd %DIR%/clients")
	s.Reload("", config)
	s.Reload("", config)
	count := func() map[any]int {
		counts := make(map[any]int)
		for _, line := range s.Warnings() {
			if line["msg"] == "file can be changed by others" && strings.Contains(fmt.Sprint(line["advice"]), "chmod go-w") {
				counts[line["path"]]++
			}
		}
		return counts
	}
	if got := count(); len(got) != 2 || got[s.Path("loose")] != 1 || got[s.Path("clients")] != 1 {
		t.Errorf("warned of %v", got)
	}
	if err := os.Chmod(s.Path("tight"), 0o602); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "a chmod is warned of", func() bool { return count()[s.Path("tight")] == 1 })
	s.Relogin("alice", "correct horse").Want(t, 200, "")
}
