package docs

import (
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
	"github.com/caddygrant/caddy-grant/internal/password"
)

var migrationGroups = []group{
	{"an import says what comes over", []string{"import-dry-run", "import-dry-run-answer", "user-import"}, testImportDryRun},
	{"a file of another server is read as it is", []string{"migrated-htpasswd", "migrated-path"}, testMigratedHtpasswd},
	{"a group is a scope", []string{"migrated-group", "import-nginx"}, testMigratedGroup},
	{"users come from Authelia and Dovecot", []string{"import-authelia", "import-dovecot"}, testImports},
	{"users come from a table", []string{"import-table", "import-csv"}, testImportTable},
	{"an app gets its own Basic header", []string{"basic-inside"}, testBasicInside},
}

// imported runs commands of the docs, of which some users may be skipped.
func imported(t *testing.T, dir, command string) string {
	t.Helper()
	return shell(t, dir, strings.ReplaceAll(strings.TrimSuffix(command, "\n"), "\n", " || [ $? -eq 2 ]\n")+" || [ $? -eq 2 ]", "")
}

func testImportDryRun(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	dir := r.Dir
	users := "alice:" + harness.HashBcrypt + "\nbob:" + harness.HashWith(t, "apr1", "correct horse") +
		"\ncarol:{SHA}MNLW6wfRtawHZ/atRhQOJCUt398=\ndan:0MBgE.Wr4nZMM\n"
	r.Write("users.htpasswd", users)
	printed := strings.Split(imported(t, dir, blocks["import-dry-run"].text), "\n")
	for i, line := range strings.Split(blocks["import-dry-run-answer"].text, "\n") {
		if shown, cut := strings.CutSuffix(line, "…"); i >= len(printed) || printed[i] != line && !(cut && strings.HasPrefix(printed[i], shown)) {
			t.Errorf("the docs say\n%s\nin truth it says\n%q", line, printed)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "users.json")); err == nil {
		t.Error("a dry run made a file")
	}
	r.Write("old.htpasswd", users)
	imported(t, dir, blocks["user-import"].text)
	if got := namesIn(t, r); !reflect.DeepEqual(got, []any{"alice", "bob"}) {
		t.Errorf("there came over %v", got)
	}
}

// usersIn are the users of users.json.
func usersIn(t *testing.T, r *recipe) []map[string]any {
	t.Helper()
	content, err := os.ReadFile(r.Path("users.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Users []map[string]any }
	unmarshal(t, string(content), &file)
	return file.Users
}

func namesIn(t *testing.T, r *recipe) (names []any) {
	t.Helper()
	for _, user := range usersIn(t, r) {
		names = append(names, user["username"])
	}
	return names
}

// asScript logs in as the client scripts.
func (r *recipe) asScript(username string) string {
	r.T.Helper()
	form := url.Values{"grant_type": {"password"}, "username": {username}, "password": {"correct horse"}}
	a := r.Post("/token", form.Encode(), harness.Basic("scripts", "scripts-secret"))
	a.Want(r.T, 200, "")
	return harness.Bearer(a.Text(r.T, "access_token"))
}

func testMigratedHtpasswd(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.Write("etc/scripts.secret", "scripts-secret\n")
	// as several tools wrote it
	r.Write("etc/users.htpasswd", "# made by Apache\nalice:"+harness.HashBcrypt+"\r\nbob:"+harness.HashWith(t, "apr1", "correct horse")+":a remark\n")
	r.serve(blocks["migrated-htpasswd"].text)
	for _, name := range []string{"alice", "bob"} {
		r.wantUser("/", name, r.asScript(name))
	}
	b := r.browser()
	b.logIn("/page")
	b.wantOpen("/page", 200, "the app at /page")
	b.wantAlice()

	if err := os.Mkdir(r.Path("www/reports"), 0o700); err != nil {
		t.Fatal(err)
	}
	r.Write("www/reports/index.html", "the reports")
	r.serve(blocks["migrated-path"].text)
	b = r.browser()
	b.logIn("/reports/")
	b.wantOpen("/reports/", 200, "the reports")
	bob := r.browser()
	bob.submit("/token/login", "username=bob&password=correct+horse")
	bob.wantOpen("/", 200, "the index")
	bob.wantOpen("/reports/", 403, "")
	r.browser().wantOpen("/", 303, "")
}

func testMigratedGroup(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	other := harness.HashCheap
	r.Write("users.htpasswd", "alice:"+other+"\nbob:"+harness.HashBcrypt+"\n")
	r.Write("admins.htpasswd", "alice:"+harness.HashBcrypt+"\n")
	shell(t, r.Dir, blocks["import-nginx"].text, "")
	content, err := os.ReadFile(r.Path("users.json"))
	if err != nil || strings.Contains(string(content), other) {
		t.Fatalf("alice has her password of the first file, or %v", err)
	}
	r.Write("etc/users.json", string(content))
	r.serve(blocks["migrated-group"].text)
	for name, status := range map[string]int{"alice": 200, "bob": 403} {
		b := r.browser()
		b.submit("/token/login", "username="+name+"&password=correct+horse")
		b.wantOpen("/", 200, "the app at /")
		b.wantOpen("/admin/", status, "")
	}
}

func testImports(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.Write("users_database.yml", repo.Read(t, "examples/from-authelia/users_database.yml"))
	shell(t, r.Dir, blocks["import-authelia"].text, "")
	var want struct{ Users []map[string]any }
	unmarshal(t, repo.Read(t, "examples/from-authelia/users.json"), &want)
	if got := usersIn(t, r); !reflect.DeepEqual(got, want.Users) {
		t.Errorf("the users are %v", got)
	}
	if err := os.Remove(r.Path("users.json")); err != nil {
		t.Fatal(err)
	}
	const place = "/etc/dovecot/users"
	command := strings.Replace(blocks["import-dovecot"].text, place, repo.Path("internal/userimport/testdata/dovecot.passwd"), 1)
	if command == blocks["import-dovecot"].text {
		t.Fatalf("the command does not read %s", place)
	}
	imported(t, r.Dir, command)
	for _, user := range usersIn(t, r) {
		if claims, ok := user["claims"].(map[string]any); user["username"] == "argon2id" && (!ok || claims["name"] != "User ARGON2ID") {
			t.Errorf("the claims are %v", user["claims"])
		}
	}
	if n := len(usersIn(t, r)); n < 10 {
		t.Errorf("only %d users came over", n)
	}
}

func testImportTable(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.Write("staff.csv", blocks["import-table"].text)
	if printed := shell(t, r.Dir, blocks["import-csv"].text, ""); strings.Contains(printed, "weak") {
		t.Errorf("the docs have a weak password: %s", printed)
	}
	users := usersIn(t, r)
	for i, line := range strings.Split(strings.TrimSpace(blocks["import-table"].text), "\n")[1:] {
		cells := strings.Split(line, ",")
		hash, err := password.Parse(users[i]["password_hash"].(string), false)
		if err != nil || !hash.Matches(cells[1]) || users[i]["username"] != cells[0] {
			t.Errorf("%s became %v, %v", cells[0], users[i]["username"], err)
		}
		if claims, _ := users[i]["claims"].(map[string]any); claims["email"] != cells[3] || len(users[i]["scopes"].([]any)) != len(strings.Fields(cells[2])) {
			t.Errorf("%s has %v and %v", cells[0], claims, users[i]["scopes"])
		}
	}
}

func testBasicInside(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.Write("etc/app.basic", "ZWRnZTppbm5lcg==\n")
	r.serve(blocks["basic-inside"].text)
	b := r.browser()
	b.logIn("/page")
	b.wantOpen("/page", 200, "the app at /page")
	got := r.lastReceived()
	if sent := got["Authorization"]; len(sent) != 1 || sent[0] != "Basic ZWRnZTppbm5lcg==" || got.Get("X-User") != "alice" || got["Cookie"] != nil {
		t.Errorf("the app received %v", got)
	}
}
