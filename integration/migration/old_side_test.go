package migration

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// need skips the test unless the variable says that the servers are there; then they
// must be. It returns where a program is, which Debian has in no user's path.
func need(t *testing.T, program string) string {
	t.Helper()
	if os.Getenv("CADDY_GRANT_MIGRATION") == "" {
		t.Skip("set CADDY_GRANT_MIGRATION where apache2, apache2-utils, nginx and lighttpd are installed")
	}
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	path = "/usr/sbin/" + program
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is needed for this test: .ci/run says how to install it", program)
	}
	return path
}

// old is the old side of an example.
type old struct {
	address string
	dir     string // of the example
}

// oldConfig is a config of an example with the test's places. Each must be in it.
func oldConfig(t *testing.T, name, file string, pairs ...string) string {
	t.Helper()
	text := repo.Read(t, "examples/"+name+"/"+file)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("%s has no %s, which this test replaces", file, pairs[i])
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// place is a directory with the files of an example, which a server that gives up its
// rights can read.
func place(t *testing.T, name string) *old {
	t.Helper()
	dir, err := os.MkdirTemp("", "migration-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	o := &old{address: fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t)), dir: filepath.Join(dir, name)}
	if err := os.CopyFS(o.dir, os.DirFS(repo.Path("examples/"+name))); err != nil {
		t.Fatal(err)
	}
	return o
}

// run writes a config and runs a server with it.
func (o *old) run(t *testing.T, config string, args ...string) {
	t.Helper()
	dir := filepath.Dir(o.dir)
	if err := os.WriteFile(filepath.Join(dir, "server.conf"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	harness.StartDaemon(t, dir, o.address, args...)
}

func startApache(t *testing.T, o *old) {
	t.Helper()
	program, dir := need(t, "apache2"), filepath.Dir(o.dir)
	site := oldConfig(t, "from-apache", "apache.conf", "*:80", o.address, "/srv/www", o.dir+"/public",
		"/etc/apache2/users.htpasswd", o.dir+"/users.htpasswd")
	var modules strings.Builder
	for _, module := range []string{"mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_basic", "dir", "mime"} {
		fmt.Fprintf(&modules, "LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", module, module)
	}
	config := modules.String() + "Listen " + o.address + "\nServerName localhost\nServerRoot " + dir + "\nDefaultRuntimeDir " + dir +
		"\nPidFile " + dir + "/pid\nErrorLog /dev/stderr\nTypesConfig /dev/null\nMutex sem\n" + identity + site
	o.run(t, config, program, "-D", "FOREGROUND", "-f", dir+"/server.conf")
}

// identity is who Apache becomes if root starts it.
const identity = "User www-data\nGroup www-data\n"

func startLighttpd(t *testing.T, o *old) {
	t.Helper()
	program, dir := need(t, "lighttpd"), filepath.Dir(o.dir)
	_, port, _ := strings.Cut(o.address, ":")
	config := oldConfig(t, "from-lighttpd", "lighttpd.conf", "= 80", "= "+port+"\nserver.bind = \"127.0.0.1\"", "/srv/www", o.dir+"/public",
		"/etc/lighttpd/users.htpasswd", o.dir+"/users.htpasswd")
	o.run(t, config, program, "-D", "-f", dir+"/server.conf")
}

func startNginx(t *testing.T, o *old, app string) {
	t.Helper()
	program, dir := need(t, "nginx"), filepath.Dir(o.dir)
	site := oldConfig(t, "from-nginx", "nginx.conf", "listen 80", "listen "+o.address, "127.0.0.1:9000", app,
		"/etc/nginx/users.htpasswd", o.dir+"/users.htpasswd", "/etc/nginx/admins.htpasswd", o.dir+"/admins.htpasswd")
	config := "daemon off;\nworker_processes 1;\npid " + dir + "/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n"
	for _, path := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		config += path + "_temp_path " + dir + "/" + path + ";\n"
	}
	o.run(t, config+site+"}\n", program, "-p", dir, "-e", "stderr", "-c", dir+"/server.conf")
}

// ask sends a request with a password to the old server.
func (o *old) ask(t *testing.T, path, username, password string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+o.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if username != "" {
		request.SetBasicAuth(username, password)
	}
	client := http.Client{Timeout: harness.Patience, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(content)
}

// wantOld checks that the old server lets the same users in, where the new one does. It
// answers 401 where the new one answers 403.
func (o *old) wantOld(t *testing.T, members ...member) {
	t.Helper()
	for _, m := range members {
		for path, status := range m.status {
			if status == 403 {
				status = 401
			}
			if got, _ := o.ask(t, path, m.name, m.name+"-password"); got != status {
				t.Errorf("before, %s opens %s: %d, want %d", m.name, path, got, status)
			}
			if got, _ := o.ask(t, path, m.name, "wrong"); got != 401 {
				t.Errorf("before, %s opens %s with a wrong password: %d", m.name, path, got)
			}
			if got, _ := o.ask(t, path, "", ""); got != 401 {
				t.Errorf("before, %s is open: %d", path, got)
			}
		}
	}
}

// withOldUsers runs the new side with the files of the old one, byte for byte.
func (o *old) withOldUsers(t *testing.T, name string) *example {
	t.Helper()
	return startExample(t, name, "examples/"+name+"/users.htpasswd", o.dir+"/users.htpasswd", "examples/"+name+"/public", o.dir+"/public")
}

func TestUsersOfApacheGetInToTheSameSiteHere(t *testing.T) {
	need(t, "apache2")
	o := place(t, "from-apache")
	startApache(t, o)
	o.wantOld(t, staticMembers...)
	e := o.withOldUsers(t, "from-apache")
	e.wantSameUsers(staticMembers...)
	o.wantSameContent(t, e)
}

func TestUsersOfLighttpdGetInToTheSameSiteHere(t *testing.T) {
	need(t, "lighttpd")
	o := place(t, "from-lighttpd")
	startLighttpd(t, o)
	o.wantOld(t, staticMembers...)
	e := o.withOldUsers(t, "from-lighttpd")
	e.wantSameUsers(staticMembers...)
	o.wantSameContent(t, e)
}

// wantSameContent compares what alice reads before and after.
func (o *old) wantSameContent(t *testing.T, e *example) {
	t.Helper()
	for _, path := range []string{"/", "/reports/", "/reports/index.html"} {
		_, before := o.ask(t, path, "alice", "alice-password")
		if a := e.ask("GET", path, "", e.bearer("alice")); string(a.Body) != before {
			t.Errorf("alice reads %q at %s, before it was %q", a.Body, path, before)
		}
	}
}

func TestUsersOfNginxGetInToTheSameAppHere(t *testing.T) {
	need(t, "nginx")
	e := startExample(t, "from-nginx")
	o := place(t, "from-nginx")
	startNginx(t, o, e.app.In("%APP%"))
	o.wantOld(t, appMembers...)
	e.app.Take()
	if status, _ := o.ask(t, "/admin/x", "alice", "alice-password"); status != 200 {
		t.Errorf("before, alice: %d", status)
	}
	e.app.One(t).WantIdentity(t, "X-User", "alice")
	e.wantSameUsers(appMembers...)
}

// Apache's own tool makes each kind of hash, Apache takes it, and so does the new side
// as far as docs/migrating.md says.
func TestEachKindOfHashOfApachesToolIsTakenAsTheDocsSay(t *testing.T) {
	tool := need(t, "htpasswd")
	o := place(t, "from-apache")
	users := filepath.Join(o.dir, "users.htpasswd")
	kinds := map[string]struct {
		flag  string
		taken bool
	}{
		"bcrypt": {"-B", true}, "apr1": {"-m", true}, "sha256": {"-2", true}, "sha512": {"-5", true},
		"sha1": {"-s", false}, "des": {"-d", false},
	}
	for name, kind := range kinds {
		password := name + "-pw" // DES takes 8 characters
		command := exec.Command(tool, "-i", kind.flag, users, name)
		command.Stdin = strings.NewReader(password)
		if printed, err := command.CombinedOutput(); err != nil {
			t.Fatalf("htpasswd %s: %v: %s", kind.flag, err, printed)
		}
	}
	startApache(t, o)
	for name := range kinds {
		if status, _ := o.ask(t, "/", name, name+"-pw"); status != 200 {
			t.Errorf("Apache refuses %s: %d", name, status)
		}
	}
	content, err := os.ReadFile(users)
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for line := range strings.Lines(string(content)) {
		name, _, _ := strings.Cut(line, ":")
		if kind, made := kinds[name]; !made || kind.taken {
			kept = append(kept, line)
		}
	}
	if err := os.WriteFile(users, []byte(strings.Join(kept, "")), 0o644); err != nil {
		t.Fatal(err)
	}
	e := o.withOldUsers(t, "from-apache")
	for name, kind := range kinds {
		if !kind.taken {
			continue
		}
		if a := e.token(name, name+"-pw"); a.Status != 200 {
			t.Errorf("%s cannot log in: %d %s", name, a.Status, a.Body)
		}
	}
}
