package docs

import (
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// startDemo runs Caddyfile.example, and returns what replaces its port in a command.
func startDemo(t *testing.T) (*harness.Site, *strings.Replacer) {
	t.Helper()
	s := harness.NewSite(t)
	port := strings.NewReplacer("8080", strconv.Itoa(s.Port))
	s.Write("Caddyfile.example", port.Replace(repo.Read(t, "Caddyfile.example")))
	harness.StartProcess(t, s.Dir, "Caddyfile.example")
	return s, port
}

func testSessions(t *testing.T, blocks map[string]block) {
	s, port := startDemo(t)
	ask := func(path string, pairs ...string) harness.Answer {
		form := make(url.Values)
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		return s.Post(path, form.Encode(), harness.Basic("demo-client", "demo-secret"))
	}
	refresh := func(token string, pairs ...string) harness.Answer {
		return ask("/token", append(pairs, "grant_type", "refresh_token", "refresh_token", token)...)
	}
	contacts := func(token string) int {
		return s.Do(s.Request("GET", "/contacts", "", "Authorization: Bearer "+token)).Status
	}

	printed := shell(t, s.Dir, port.Replace(blocks["refresh"].text)+`echo "$REFRESH_TOKEN"`, "")
	lines := strings.Split(strings.TrimSpace(printed), "\n")
	if len(lines) != 2 {
		t.Fatalf("printed %s", printed)
	}
	sameMembers(t, blocks["answer"], lines[0])
	spent := lines[1]
	var got struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		Scope        string `json:"scope"`
	}
	unmarshal(t, lines[0], &got)
	if got.RefreshToken == spent || contacts(got.AccessToken) != 200 || contacts(got.RefreshToken) != 401 {
		t.Errorf("the tokens are %+v", got)
	}

	// scopes
	narrowed := refresh(got.RefreshToken, "scope", "contacts.read")
	narrowed.Want(t, 200, "")
	refresh(narrowed.Text(t, "refresh_token"), "scope", "contacts.read contacts.delete").Want(t, 400, "invalid_scope")
	whole := refresh(narrowed.Text(t, "refresh_token"))
	whole.Want(t, 200, "")
	if narrowed.Text(t, "scope") != "contacts.read" || whole.Text(t, "scope") != got.Scope {
		t.Errorf("got %q, then %q", narrowed.Text(t, "scope"), whole.Text(t, "scope"))
	}

	// a logout, by a token that is spent
	access := whole.Text(t, "access_token")
	if printed := shell(t, s.Dir, port.Replace(blocks["revoke"].text), "", "REFRESH_TOKEN="+spent); strings.TrimSpace(printed) != "{}" {
		t.Errorf("the logout printed %s", printed)
	}
	refresh(whole.Text(t, "refresh_token")).Want(t, 400, "invalid_grant")
	if contacts(access) != 401 {
		t.Error("the access token is good after the logout")
	}

	// a second use
	first := ask("/token", "grant_type", "password", "username", "demo", "password", "demo-password")
	second := refresh(first.Text(t, "refresh_token"))
	second.Want(t, 200, "")
	refresh(first.Text(t, "refresh_token")).Want(t, 400, "invalid_grant")
	refresh(second.Text(t, "refresh_token")).Want(t, 400, "invalid_grant")
	if contacts(first.Text(t, "access_token")) != 401 || contacts(second.Text(t, "access_token")) != 401 {
		t.Error("a second use leaves access tokens good")
	}

	// introspection, with the TOKEN of the section above it
	both := port.Replace(blocks["call"].text + blocks["introspect"].text)
	introspection := strings.TrimPrefix(shell(t, s.Dir, both, ""), blocks["call-answer"].text)
	sameMembers(t, blocks["introspection"], introspection)
	var want, have map[string]any
	unmarshal(t, blocks["introspection"].text, &want)
	unmarshal(t, introspection, &have)
	for _, other := range []string{"exp", "iat", "nbf", "jti", "sid"} {
		if reflect.TypeOf(want[other]) != reflect.TypeOf(have[other]) {
			t.Errorf("%s is %v", other, have[other])
		}
		delete(want, other)
		delete(have, other)
	}
	if !reflect.DeepEqual(want, have) {
		t.Errorf("the docs say %v, the answer %v", want, have)
	}
	for _, token := range []string{access, spent, "x"} {
		if printed := shell(t, s.Dir, port.Replace(blocks["introspect"].text), "", "TOKEN="+token); strings.TrimSpace(printed) != `{"active":false}` {
			t.Errorf("got %s", printed)
		}
	}
}

func testIntrospecting(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.Write("etc/contacts-app.secret", "app-secret\n")
	r.serve(blocks["introspecting"].text)
	login := r.Login("alice", "correct horse")
	login.Want(t, 200, "")
	for member, active := range map[string]bool{"access_token": true, "refresh_token": false} {
		a := r.Post("/token/introspect", "token="+login.Text(t, member), harness.Basic("contacts-app", "app-secret"))
		if a.Status != 200 || a.JSON["active"] != active {
			t.Errorf("%s: %d %s", member, a.Status, a.Body)
		}
	}
	r.Login("alice", "correct horse", "client_id", "contacts-app", "client_secret", "app-secret").Want(t, 400, "unauthorized_client")

	// without its list it sees nothing
	without := strings.Replace(blocks["introspecting"].text, "\t\t\tintrospect https://api.example.com\n", "", 1)
	if without == blocks["introspecting"].text {
		t.Fatal("the list is not there")
	}
	r.serve(without)
	if a := r.Post("/token/introspect", "token="+login.Text(t, "access_token"), harness.Basic("contacts-app", "app-secret")); a.JSON["active"] != false {
		t.Errorf("without introspect: %s", a.Body)
	}
}

// What the docs say is written, and when, and what goes on while the storage is
// down.
func TestDocsStorageOfSessions(t *testing.T) {
	r := newRecipe(t)
	r.serve("api.example.com {\n\timport tokens\n\tbearer_auth {\n\t\tcopy_claims sub>X-User\n\t}\n\treverse_proxy localhost:9000\n}\n")
	ask := func(path, form string) harness.Answer { return r.Post(path, form, harness.Basic("web", "web-secret")) }
	servers, err := filepath.Glob(filepath.Join(r.Dir, "storage", "grant", "*"))
	if err != nil || len(servers) != 1 {
		t.Fatalf("the storage has %v (%v)", servers, err)
	}
	objects := func() []string {
		var found []string
		err := filepath.WalkDir(servers[0], func(path string, entry os.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				found = append(found, path[len(servers[0])+1:])
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}

	before := objects()
	login := r.Do(r.loginRequest())
	login.Want(t, 200, "")
	if got := objects(); !slices.Equal(got, before) {
		t.Errorf("the login wrote: before it %v, after it %v", before, got)
	}
	refresh := ask("/token", "grant_type=refresh_token&refresh_token="+login.Text(t, "refresh_token"))
	refresh.Want(t, 200, "")
	if got := objects(); len(got) != len(before)+2 { // the record, and by which user it is found
		t.Errorf("the refresh wrote: before it %v, after it %v", before, got)
	}
	other := r.Do(r.loginRequest())
	ask("/token/revoke", "token="+other.Text(t, "refresh_token")).Want(t, 200, "")
	if got := objects(); len(got) != len(before)+5 { // a record, which this session did not have, a marker and an entry
		t.Errorf("the logout wrote: before it %v, after it %v", before, got)
	}

	// a storage that is down: files where there should be directories
	for _, name := range []string{"sessions", "revocations"} {
		if err := os.Rename(filepath.Join(servers[0], name), filepath.Join(r.Dir, name)); err != nil {
			t.Fatal(err)
		}
		r.Write(strings.TrimPrefix(filepath.Join(servers[0], name), r.Dir+"/"), "")
	}
	token, form := refresh.Text(t, "access_token"), "refresh_token="+refresh.Text(t, "refresh_token")
	down := r.Do(r.loginRequest())
	down.Want(t, 200, "")
	r.Do(r.Request("GET", "/token/jwks", "")).Want(t, 200, "")
	r.Do(r.Request("GET", harness.WellKnown, "")).Want(t, 200, "")
	for _, good := range []string{token, down.Text(t, "access_token")} {
		r.wantUser("/", "alice", "Authorization: Bearer "+good)
	}
	r.wantStatus("/", 401, "Authorization: Bearer "+other.Text(t, "access_token"))
	for path, form := range map[string]string{
		"/token": "grant_type=refresh_token&" + form, "/token/revoke": "token=" + token, "/token/introspect": "token=" + token,
	} {
		a := ask(path, form)
		a.Want(t, 503, "temporarily_unavailable")
		if a.Header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", path)
		}
	}
	for _, name := range []string{"sessions", "revocations"} {
		if err := os.Remove(filepath.Join(servers[0], name)); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(r.Dir, name), filepath.Join(servers[0], name)); err != nil {
			t.Fatal(err)
		}
	}
	ask("/token", "grant_type=refresh_token&"+form).Want(t, 200, "")
}

// The comments of Caddyfile.example are commands that work one after the other.
func TestTheCommandsInCaddyfileExample(t *testing.T) {
	s, port := startDemo(t)
	var commands []string
	inside := false
	for line := range strings.Lines(repo.Read(t, "Caddyfile.example")) {
		line, code := strings.CutPrefix(line, "#     ")
		switch {
		case code && inside:
			commands[len(commands)-1] += line
		case code:
			commands = append(commands, line)
		}
		inside = code
	}
	var tokens, answer map[string]any
	for _, command := range commands {
		if !strings.HasPrefix(command, "curl ") {
			continue
		}
		access, _ := tokens["access_token"].(string)
		refresh, _ := tokens["refresh_token"].(string)
		command = strings.NewReplacer("<the access_token>", access, "<the refresh_token>", refresh).Replace(port.Replace(command))
		printed := shell(t, s.Dir, command, "")
		answer = nil
		if strings.HasPrefix(printed, "{") {
			unmarshal(t, printed, &answer)
		}
		switch {
		case answer["access_token"] != nil:
			tokens = answer
		case !strings.HasPrefix(printed, "You are demo.") && strings.TrimSpace(printed) != "{}":
			t.Errorf("%s\nprints %s", command, printed)
		}
	}
	if answer == nil || len(answer) > 0 {
		t.Errorf("the last command is not a logout, it prints %v", answer)
	}
	a := s.Do(s.Request("GET", "/contacts", "", "Authorization: Bearer "+tokens["access_token"].(string)))
	if a.Status != 401 {
		t.Errorf("after the logout: %d", a.Status)
	}
}

// A browser logs in to the demo, sees who it is, and logs out.
func TestABrowserLogsInToCaddyfileExample(t *testing.T) {
	s, _ := startDemo(t)
	b := (&recipe{Site: s}).browser()
	if a := b.open("/"); a.Status != 303 || a.Header.Get("Location") != "/token/login" {
		t.Fatalf("without a session: %d %v", a.Status, a.Header)
	}
	if a := b.submit("/token/login", "username=demo&password=demo-password"); a.Status != 303 || a.Header.Get("Location") != "/" {
		t.Fatalf("the login: %d %s", a.Status, a.Body)
	}
	who := b.open("/")
	if !strings.Contains(string(who.Body), "You are demo. You came through login_page") {
		t.Fatalf("the page says: %d %s", who.Status, who.Body)
	}
	out := regexp.MustCompile(`href=(/[^>]+)>Log out`).FindSubmatch(who.Body)
	if out == nil {
		t.Fatalf("there is no link to log out: %s", who.Body)
	}
	if a := b.open(string(out[1])); a.Status != 200 || !strings.Contains(string(a.Body), `<form method="post" action="/token/login/logout"`) {
		t.Fatalf("the logout: %d %s", a.Status, a.Body)
	}
	if a := b.submit("/token/login/logout", ""); a.Status != 200 {
		t.Fatalf("the logout: %d %s", a.Status, a.Body)
	}
	if a := b.open("/"); a.Status != 303 {
		t.Errorf("after the logout: %d %s", a.Status, a.Body)
	}
}
