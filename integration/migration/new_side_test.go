package migration

import (
	"encoding/base64"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// These need Go alone, so they are never skipped.

func TestTheSitesThatWereApachesAndLighttpdsKeepTheirUsers(t *testing.T) {
	for _, name := range []string{"from-apache", "from-lighttpd"} {
		t.Run(name, func(t *testing.T) {
			e := startExample(t, name)
			e.wantSameUsers(staticMembers...)
			alice, bob := e.bearer("alice"), e.bearer("bob")
			if a := e.ask("GET", "/reports/", "", alice); string(a.Body) != "Only alice reads this\n" {
				t.Errorf("alice reads %q", a.Body)
			}
			// what Caddy reads as a path below /reports is one
			for _, path := range []string{"/reports", "/Reports/", "/reports/index.html", "//reports/", "/./reports/", "/x/../reports/", "/%72eports/", "/reports%2f"} {
				if a := e.ask("GET", path, "", bob); strings.Contains(string(a.Body), "Only alice") || a.Status == 200 {
					t.Errorf("bob opens %s: %d", path, a.Status)
				}
			}
		})
	}
}

var staticMembers = []member{
	{"alice", map[string]int{"/": 200, "/reports/": 200}},
	{"bob", map[string]int{"/": 200, "/reports/": 403}},
}

func TestTheAppThatWasBehindNginxKeepsItsUsers(t *testing.T) {
	e := startExample(t, "from-nginx")
	e.wantSameUsers(appMembers...)
	e.app.Take()
	alice, bob := e.bearer("alice"), e.bearer("bob")
	e.ask("GET", "/admin/x", "", alice, "X-User: mallory")
	got := e.app.One(t)
	got.WantIdentity(t, "X-User", "alice")
	if got.Header.Get("Authorization") != "" {
		t.Errorf("the app got the token")
	}
	for _, path := range []string{"/admin/", "/admin/x", "/admin;x/", "/%61dmin/", "/x/..%2fadmin/", "//admin/", "/ADMIN/"} {
		if a := e.ask("GET", path, "", bob); a.Status < 400 {
			t.Errorf("bob opens %s: %d", path, a.Status)
		}
	}
	if e.app.Reached() {
		t.Errorf("the app received %+v", e.app.Take())
	}
}

var appMembers = []member{
	{"alice", map[string]int{"/": 200, "/admin/": 200}},
	{"bob", map[string]int{"/": 200, "/admin/": 403}},
}

// What Traefik's config says is what Caddy's does.
func TestTheAppThatWasBehindTraefikKeepsItsUsers(t *testing.T) {
	var dynamic struct {
		HTTP struct {
			Middlewares struct {
				Staff struct {
					BasicAuth struct {
						Realm, UsersFile, HeaderField string
						RemoveHeader                  bool
					} `yaml:"basicAuth"`
				}
			}
		}
	}
	text := strings.NewReplacer("usersFile", "usersfile", "headerField", "headerfield", "removeHeader", "removeheader").Replace(repo.Read(t, "examples/from-traefik/dynamic.yml"))
	if err := yaml.Unmarshal([]byte(text), &dynamic); err != nil {
		t.Fatal(err)
	}
	old := dynamic.HTTP.Middlewares.Staff.BasicAuth
	if old.Realm != "Staff only" || old.UsersFile != "/etc/traefik/users.htpasswd" || !old.RemoveHeader {
		t.Fatalf("the old config is %+v", old)
	}
	e := startExample(t, "from-traefik")
	e.wantSameUsers(member{"alice", map[string]int{"/": 200}}, member{"bob", map[string]int{"/": 200}})
	e.app.Take()
	e.ask("GET", "/", "", e.bearer("bob"), old.HeaderField+": mallory")
	got := e.app.One(t)
	got.WantIdentity(t, old.HeaderField, "bob")
	if got.Header.Get("Authorization") != "" {
		t.Errorf("the app got the token")
	}
}

func TestTheAppThatWasBehindAutheliaKeepsItsUsersAndGroups(t *testing.T) {
	e := startExample(t, "from-authelia")
	e.wantSameUsers(appMembers...) // mallory is disabled
	e.app.Take()
	if _, err := harness.Adapt(repo.Read(t, "examples/from-authelia/Caddyfile.before")); err != nil {
		t.Errorf("the old config: %v", err)
	}
	headers := strings.Fields(regexp.MustCompile(`copy_headers (.*)`).FindStringSubmatch(repo.Read(t, "examples/from-authelia/Caddyfile.before"))[1])
	cookie, _ := e.session("alice", "alice-password")
	want := map[string]string{"Remote-User": "alice", "Remote-Groups": "admins,staff", "Remote-Email": "alice@example.com", "Remote-Name": "Alice Liddell"}
	if len(headers) != len(want) {
		t.Fatalf("Authelia sent %v", headers)
	}
	e.ask("GET", "/admin/", "", cookie, "Remote-User: mallory", "Remote-Groups: root")
	got := e.app.One(t)
	for _, header := range headers {
		got.WantIdentity(t, header, want[header])
	}
	if got.Header.Get("Cookie") != "" {
		t.Errorf("the app got the session")
	}
}

// The old side is Caddy itself, so this needs Go alone, too.
func TestUsersOfBasicAuthGetInBeforeAndWhileTheyMove(t *testing.T) {
	e := startExample(t, "from-basic-auth")
	before := harness.NewSite(t)
	before.Write("Caddyfile", "{\n\tadmin off\n\tpersist_config off\n\tstorage file_system storage\n}\n"+
		oldConfig(t, "from-basic-auth", "Caddyfile.before", "app.example.com", "http://"+before.Address(), "127.0.0.1:9000", e.app.In("%APP%")))
	harness.StartProcess(t, before.Dir, "Caddyfile")
	password := harness.Basic("alice", "alice-password")
	for name, test := range map[string]struct {
		header string
		status int
	}{"her password": {password, 200}, "a wrong one": {harness.Basic("alice", "wrong"), 401}, "nothing": {"Accept: */*", 401}} {
		if a := before.Do(before.Request("GET", "/", "", test.header)); a.Status != test.status {
			t.Errorf("before, alice opens it with %s: %d", name, a.Status)
		}
		if a := e.ask("GET", "/", "", test.header); a.Status != test.status {
			t.Errorf("while she moves, alice opens it with %s: %d", name, a.Status)
		}
	}
	e.app.One(t).WantIdentity(t, "X-User", "alice")
	form := url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {"alice-password"}}
	a := e.ask("POST", "/token", form.Encode(), harness.FormType, harness.Basic("web", "demo-secret"))
	a.Want(t, 200, "")
	if a := e.ask("GET", "/", "", harness.Bearer(a.Text(t, "access_token"))); a.Status != 200 || string(a.Body) != "You are alice.\n" {
		t.Errorf("with a token: %d %s", a.Status, a.Body)
	}
}

// The app gets its own Basic header, and nothing of ours.
func TestAnAppGetsItsOwnBasicHeaderAndNeverOurToken(t *testing.T) {
	e := startExample(t, "basic-upstream")
	e.wantSameUsers(member{"alice", map[string]int{"/": 200}}, member{"bob", map[string]int{"/": 200}})
	e.app.Take()
	inner := harness.Basic("edge", "inner-secret")
	inner = strings.TrimPrefix(inner, "Authorization: ")
	bearer := e.bearer("alice")
	cookie, _ := e.session("alice", "alice-password")
	for _, test := range []struct {
		name, path string
		headers    []string
		user       string
	}{
		{"a token", "/", []string{bearer}, "alice"},
		{"a session", "/", []string{cookie}, "alice"},
		{"both", "/", []string{bearer, cookie}, "alice"},
		{"nothing, on an open path", "/healthz", nil, ""},
		{"a token, on an open path", "/healthz", []string{bearer}, ""},
		{"a Basic header of the client's, on an open path", "/healthz", []string{harness.Basic("root", "guess")}, ""},
	} {
		if a := e.ask("GET", test.path, "", test.headers...); a.Status != 200 {
			t.Errorf("%s: %d", test.name, a.Status)
			continue
		}
		got := e.app.One(t)
		got.WantIdentity(t, "X-User", test.user)
		if sent := got.Header.Values("Authorization"); len(sent) != 1 || sent[0] != inner {
			t.Errorf("%s: the app got %d Authorization headers, or another one", test.name, len(sent))
		}
		_, token, _ := strings.Cut(bearer, "Bearer ")
		_, session, _ := strings.Cut(cookie, "=")
		for name, values := range got.Header {
			if text := strings.Join(values, " "); strings.Contains(text, token) || strings.Contains(text, session) {
				t.Errorf("%s: the app got a token or a session in %s", test.name, name)
			}
		}
	}

	// a new password of the app is read at once, and a missing file lets no one in as anybody
	e.Write("examples/basic-upstream/app.basic", base64.StdEncoding.EncodeToString([]byte("edge:changed"))+"\n")
	e.ask("GET", "/", "", bearer)
	if got := e.app.One(t).Header.Get("Authorization"); "Authorization: "+got != harness.Basic("edge", "changed") {
		t.Errorf("the app got %q", got)
	}
	if err := os.Remove(e.Path("examples/basic-upstream/app.basic")); err != nil {
		t.Fatal(err)
	}
	e.ask("GET", "/", "", bearer)
	if got := e.app.One(t).Header.Get("Authorization"); strings.TrimSpace(got) != "Basic" {
		t.Errorf("the app got %q", got)
	}
}
