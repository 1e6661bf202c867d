package config

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/standin"
)

// Files are followed without a reload, whatever way they are changed in. All changes
// are made at once and waited for together.
func TestFilesAreFollowed(t *testing.T) {
	s := harness.NewSite(t)
	line := func(name, password string) string { return name + ":" + harness.CheapHash(t, password) + "\n" }
	user := func(name, id, password string) string {
		return fmt.Sprintf(`{"username":%q,"id":%q,"password_hash":%q}`, name, id, harness.CheapHash(t, password))
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	s.Write("renamed", line("rename-keeps", "one")+line("rename-changes", "one")+line("rename-goes", "one"))
	s.Write("edited", line("edit-keeps", "one"))
	htpasswd(s, "-bB", "edited", "edit-changes", "one")
	htpasswd(s, "-bB", "edited", "edit-goes", "one")
	// as Kubernetes mounts a ConfigMap: the file is a link through a link to a folder
	for version, password := range map[string]string{"v1": "one", "v2": "two"} {
		must(os.MkdirAll(s.Path("mount/"+version), 0o700))
		s.Write("mount/"+version+"/users.json", `{"users":[`+user("mounted", "m-1", password)+`]}`)
	}
	must(os.Symlink("v1", s.Path("mount/..data")))
	must(os.Symlink("..data/users.json", s.Path("mount/users.json")))
	s.Write("early.json", `{"users":[`+user("early", "e-1", "one")+`]}`)
	s.Write("late.json", `{"users":[`+user("late", "l-1", "one")+`,`+user("later", "l-2", "one")+`]}`)
	s.Write("clients.json", `{"clients":[{"id":"app","secret_hash":"`+harness.CheapHash(t, "one")+`"},{"id":"leaver","public":true}]}`)
	s.Write("clients", line("machine", "one"))
	s.Reload("", harness.WebSite(`
		users htpasswd %DIR%/renamed
		users htpasswd %DIR%/edited
		users json %DIR%/mount/users.json
		users json %DIR%/early.json
		users json %DIR%/late.json
		clients json %DIR%/clients.json
		clients htpasswd %DIR%/clients
`))
	for _, name := range []string{"rename-keeps", "rename-changes", "rename-goes", "edit-keeps", "edit-changes", "edit-goes", "mounted", "early", "late", "later"} {
		s.Login(name, "one").Want(t, 200, "")
	}

	// a new file over the old one, as editors and deployments do it
	s.Write("renamed.new", line("rename-keeps", "one")+line("rename-changes", "two")+line("rename-comes", "two"))
	must(os.Rename(s.Path("renamed.new"), s.Path("renamed")))
	// in place, as Apache's tool does it
	htpasswd(s, "-bB", "edited", "edit-changes", "two")
	htpasswd(s, "-bB", "edited", "edit-comes", "two")
	htpasswd(s, "-D", "edited", "edit-goes")
	// the link in the middle, as Kubernetes does it
	must(os.Symlink("v2", s.Path("mount/..data_tmp")))
	must(os.Rename(s.Path("mount/..data_tmp"), s.Path("mount/..data")))
	// ids that are taken: by an earlier source, and from a later one
	s.Write("early.json", `{"users":[`+user("early", "l-1", "one")+`,`+user("newcomer", "n-1", "two")+`]}`)
	s.Write("late.json", `{"users":[`+user("late", "l-1", "one")+`,`+user("later", "n-1", "one")+`,`+user("latest", "l-3", "two")+`]}`)
	s.Write("clients.json", `{"clients":[{"id":"app","secret_hash":"`+harness.CheapHash(t, "two")+`"},{"id":"joiner","public":true}]}`)
	s.Write("clients", line("machine", "two"))

	asUser := func(name, password string) func() harness.Answer {
		return func() harness.Answer { return s.Login(name, password) }
	}
	client := func(id, secret string) func() harness.Answer {
		return func() harness.Answer { return s.Login("rename-keeps", "one", "client_id", id, "client_secret", secret) }
	}
	for _, test := range []struct {
		name string
		ask  func() harness.Answer
		code string
	}{
		{"rename: a new user", asUser("rename-comes", "two"), ""},
		{"rename: the new password", asUser("rename-changes", "two"), ""},
		{"rename: not the old password", asUser("rename-changes", "one"), "invalid_grant"},
		{"rename: a user who was removed", asUser("rename-goes", "one"), "invalid_grant"},
		{"rename: a user who stayed", asUser("rename-keeps", "one"), ""},
		{"htpasswd: a new user", asUser("edit-comes", "two"), ""},
		{"htpasswd: the new password", asUser("edit-changes", "two"), ""},
		{"htpasswd: not the old password", asUser("edit-changes", "one"), "invalid_grant"},
		{"htpasswd -D: a user who was removed", asUser("edit-goes", "one"), "invalid_grant"},
		{"htpasswd: a user who stayed", asUser("edit-keeps", "one"), ""},
		{"Kubernetes: the new password", asUser("mounted", "two"), ""},
		{"Kubernetes: not the old password", asUser("mounted", "one"), "invalid_grant"},
		{"an id of a later source: the earlier user keeps logging in", asUser("early", "one"), ""},
		{"an id of a later source: its user is refused", asUser("late", "one"), "invalid_grant"},
		{"an id of an earlier source: its user is refused", asUser("later", "one"), "invalid_grant"},
		{"an id of an earlier source: the earlier user", asUser("newcomer", "two"), ""},
		{"an id of an earlier source: the rest of the file counts", asUser("latest", "two"), ""},
		{"a client: the new secret", client("app", "two"), ""},
		{"a client: not the old secret", client("app", "one"), "invalid_client"},
		{"a client that joined", client("joiner", ""), ""},
		{"a client that left", client("leaver", ""), "invalid_client"},
		{"a client in an htpasswd file: the new secret", client("machine", "two"), ""},
		{"a client in an htpasswd file: not the old secret", client("machine", "one"), "invalid_client"},
	} {
		t.Run(test.name, func(t *testing.T) {
			harness.Eventually(t, test.name, func() bool {
				code, _ := test.ask().JSON["error"].(string)
				return code == test.code
			})
		})
	}
	t.Run("a clash of ids is logged with both files and the id", func(t *testing.T) {
		for _, id := range []string{"l-1", "n-1"} {
			lines := s.Logged(func(line map[string]any) bool {
				remedy := fmt.Sprint(line["remedy"])
				return line["reason"] == "duplicate_subject" && strings.Contains(remedy, id) &&
					strings.Contains(remedy, s.Path("late.json")) && strings.Contains(remedy, s.Path("early.json"))
			})
			if len(lines) == 0 {
				t.Errorf("no refusal tells about %s", id)
			}
		}
	})
	t.Run("and the token of the earlier one is for that id", func(t *testing.T) {
		_, claims := harness.Decoded(t, s.Login("early", "one").Text(t, "access_token"))
		if claims["sub"] != "l-1" || claims["username"] != "early" {
			t.Fatalf("claims %v", claims)
		}
	})
}

// A file that broke keeps its last good version, across reloads too, and says so once
// and at each reload.
func TestBrokenFilesKeepTheirLastVersion(t *testing.T) {
	s := harness.NewSite(t)
	broken := map[string]string{
		"cut":       "cut:" + harness.HashBcrypt[:40] + "\n",
		"emptied":   "",
		"commented": "# nobody\n",
		"nonsense":  "this is no users file, but it has hunter2 in it\n",
		"deleted":   "",
		"json":      `{"users":[{"username":"json"`,
	}
	lines := ""
	for name := range broken {
		if name == "json" {
			s.Write(name, `{"users":[{"username":"json","password_hash":"`+harness.CheapHash(t, "password")+`"}]}`)
			lines += "users json %DIR%/json\n"
			continue
		}
		s.Write(name, name+":"+harness.CheapHash(t, "password")+"\n")
		lines += "users htpasswd %DIR%/" + name + "\n"
	}
	s.Write("clock", "clock:"+harness.CheapHash(t, "0")+"\n")
	lines += "users htpasswd %DIR%/clock\n"
	s.Reload("", harness.WebSite(lines))

	for name, content := range broken {
		if name == "deleted" {
			if err := os.Remove(s.Path(name)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		s.WriteOld(name, content)
	}
	failures := func(name string) []map[string]any {
		return s.Logged(func(line map[string]any) bool { return line["level"] == "error" && line["path"] == s.Path(name) })
	}
	still := func(t *testing.T) {
		t.Helper()
		for name := range broken {
			s.Relogin(name, "password").Want(t, 200, "")
		}
	}
	// a change of another file comes into force: so the broken ones were polled as often
	wait := func(t *testing.T) {
		t.Helper()
		s.Write("clock", "clock:"+harness.CheapHash(t, "1")+"\n")
		harness.Eventually(t, "the next polls are over", func() bool { return s.Relogin("clock", "1").Status == 200 })
	}

	t.Run("C18: the last good version stays, and the log says why, once", func(t *testing.T) {
		for name := range broken {
			harness.Eventually(t, "the log says that a file is broken: "+name, func() bool { return len(failures(name)) > 0 })
		}
		still(t)
	})
	t.Run("C18: it stays across reloads, several in a row, and the log repeats it at each of them only", func(t *testing.T) {
		for i := range 3 {
			s.Reload("", harness.WebSite(lines+fmt.Sprintf("access_token_ttl %ds", 60+i)))
			still(t)
		}
		wait(t)
		still(t)
		for name := range broken {
			found := failures(name)
			if len(found) != 1+3 {
				t.Errorf("%d error lines about %s: %v", len(found), name, found)
			}
			if text := fmt.Sprint(found); strings.Contains(text, harness.HashBcrypt[:30]) || strings.Contains(text, "hunter2") {
				t.Errorf("a piece of the file is in the log: %s", text)
			}
		}
	})
	t.Run("C18: a repaired file comes into force, after reloads too", func(t *testing.T) {
		for name := range broken {
			if name == "json" {
				s.Write(name, `{"users":[{"username":"json","password_hash":"`+harness.CheapHash(t, "repaired")+`"}]}`)
			} else {
				s.Write(name, name+":"+harness.CheapHash(t, "repaired")+"\n")
			}
		}
		for name := range broken {
			harness.Eventually(t, "the repaired file is active: "+name, func() bool { return s.Relogin(name, "repaired").Status == 200 })
			s.Login(name, "password").Want(t, 400, "invalid_grant")
		}
	})
}

// Apache's tool truncates the live file and writes it again. Whoever is in the file
// before and after must be able to log in at every moment between.
func TestHtpasswdRewritesALargeFile(t *testing.T) {
	s := harness.NewSite(t)
	tool := standin.Path(t, "htpasswd")
	const users = 20000
	hash := harness.HashWith(t, "{SHA}", "password")
	var content strings.Builder
	for i := range users {
		fmt.Fprintf(&content, "user%05d:%s\n", i, hash)
	}
	s.Write("users", content.String())
	s.Reload("", harness.WebSite("users htpasswd %DIR%/users\nallow_weak_hashes\npassword_checks {\nwait 50s\n}"))

	stop := make(chan struct{})
	var group sync.WaitGroup
	var logins [3]int
	for worker, name := range []string{"user00000", "user10000", "user19999"} {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				a, err := s.Attempt(name, "password")
				if err != nil || a.Status != 200 {
					t.Errorf("%s is refused while the file is rewritten: %d %s %v", name, a.Status, a.Body, err)
					return
				}
				logins[worker]++
			}
		})
	}
	var slowest time.Duration
	for i := range 40 {
		began := time.Now()
		cmd := exec.Command(tool, "-bs", filepath.Base(s.Path("users")), "changing", fmt.Sprint("password", i))
		cmd.Dir = s.Dir
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("htpasswd: %v\n%s", err, output)
			break
		}
		slowest = max(slowest, time.Since(began))
	}
	harness.Eventually(t, "the last change is active", func() bool {
		a, err := s.Attempt("changing", "password39")
		return err == nil && a.Status == 200
	})
	close(stop)
	group.Wait()
	for _, n := range logins {
		if n == 0 {
			t.Error("a user did not log in at all")
		}
	}
	// a file that was left empty for a second, on a busy machine, is rightly reported
	if lines := s.Logged(func(line map[string]any) bool { return line["level"] == "error" }); len(lines) > 0 && slowest < time.Second {
		t.Errorf("errors in the log: %v", lines)
	}
}
