package docs

import (
	"maps"
	"regexp"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// The docs' filter keeps queries out of the access log, and out of Caddy's own lines
// about errors.
// serveLogged starts a Caddyfile of the docs with its own log, which is written to a file
// of that name. The options end within the log.
func (r *recipe) serveLogged(t *testing.T, options, site, snippet, name string) {
	t.Helper()
	options += "\n\t\toutput file \"" + r.Dir + "/" + name + "\"\n\t\tlevel DEBUG\n\t}\n\tadmin off\n\tpersist_config off\n\tstorage file_system \"" + r.Dir + "/storage\"\n}\n"
	site = strings.NewReplacer("api.example.com", "http://"+r.Address(), "localhost:9000", r.backend, "/etc/caddy/", r.etc+"/",
		"\timport tokens\n", strings.TrimSuffix(strings.TrimPrefix(snippet, "(tokens) {\n"), "}\n")).Replace(site)
	site = strings.ReplaceAll(site, "/etc/caddy/", r.etc+"/")
	config, err := harness.Adapt(options + site)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Load(config); err != nil {
		t.Fatal(err)
	}
}

func testAccessLog(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	for _, filtered := range []bool{false, true} {
		text := blocks["access-log"].text
		options, site, found := strings.Cut(text, "\n\t}\n}\n")
		if !found || !strings.HasPrefix(options, "{\n\tlog {\n") {
			t.Fatalf("not a log of the global options: %s", text)
		}
		if !filtered {
			options = "{\n\tlog {"
		}
		name := map[bool]string{false: "whole.json", true: "log.json"}[filtered]
		r.serveLogged(t, options, site, blocks["snippet"].text, name)
		for path, status := range map[string]int{
			"/token?password=hunter2": 405, "/token?x=%zz&client_secret=hunter2": 405, "/app?access_token=hunter2": 400, "/app?password=hunter2": 401,
		} {
			r.Client.CloseIdleConnections()
			if a := r.Do(r.Request("GET", path, "")); a.Status != status {
				t.Errorf("%s: %d %s", path, a.Status, a.Body)
			}
		}
		log := func() string { return harness.ReadIfThere(t, r.Path(name)) }
		harness.Eventually(t, "the access log has all requests", func() bool { return strings.Count(log(), "handled request") == 4 })
		if strings.Contains(log(), "hunter2") == filtered {
			t.Errorf("filtered %t: %s", filtered, log())
		}
		if !strings.Contains(log(), `"uri":"/app`) {
			t.Error("the path is not in the log")
		}
	}
}

// The command of the docs counts the refusals of both handlers by their reason.
func testCountingRefusals(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve("api.example.com {\n\timport tokens\n\tbearer_auth\n}\n")
	for _, password := range []string{"wrong", "wrong too"} {
		r.Login("alice", password).Want(t, 400, "invalid_grant")
	}
	r.wantStatus("/", 401)
	r.Write("caddy.log", r.RawLog())
	got := make(map[string]string)
	counted := shell(t, r.Dir, strings.ReplaceAll(blocks["refusals"].text, "/var/log/caddy/", ""), "")
	for _, match := range regexp.MustCompile(`(?m)^ *(\d+) "reason":"(.*)"$`).FindAllStringSubmatch(counted, -1) {
		got[match[2]] = match[1]
	}
	if want := map[string]string{"wrong_password": "2", "no Authorization header": "1"}; !maps.Equal(got, want) {
		t.Errorf("it prints\n%s", counted)
	}
}
