package docs

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
	"github.com/caddygrant/caddy-grant/internal/apikey"
	"github.com/caddygrant/caddy-grant/internal/credential"
)

// The docs name the module's metrics, all and no other.
func TestDocsMetrics(t *testing.T) {
	r := newRecipe(t)
	// a server with a page has a metric more, and so has one with a key that is used, or
	// with an engine
	key := apikey.Make()
	r.Write("etc/keys.txt", "deploy "+apikey.DigestOf(key).Hash()+" user=alice\n")
	r.serve("http://api.example.com {\n\timport tokens\n\tbearer_auth /app {\n\t\tissuer http://127.0.0.1:1 {\n\t\t\taudience app\n\t\t}\n\t}\n\tbearer_auth /keys page {\n\t\tkeys\n\t}\n\tmetrics /metrics\n\thandle /page/* {\n\t\ttoken_endpoint {\n\t\t\tname page\n\t\t\tsessions memory facts\n\t\t\tlogin_page\n\t\t\tapi_keys lines /etc/caddy/keys.txt\n\t\t\tuser alice " + harness.HashBcrypt + "\n\t\t}\n\t}\n}\n")
	r.Login("alice", "correct horse").Want(t, 200, "")
	r.wantStatus("/keys", 200, harness.Bearer(key))
	metrics := string(r.Do(r.Request("GET", "/metrics", "")).Body)

	names := make(map[string]bool)
	for _, match := range regexp.MustCompile(`(?m)^# TYPE (caddy_grant_\w+) `).FindAllStringSubmatch(metrics, -1) {
		names[match[1]] = true
	}
	listed := make(map[string]string) // the labels
	mentioned := make(map[string]bool)
	for line := range strings.Lines(repo.Docs(t)) {
		for _, name := range regexp.MustCompile(`caddy_grant_\w+`).FindAllString(line, -1) {
			mentioned[name] = true
		}
		if cells := row(line); len(cells) == 3 && strings.HasPrefix(cells[0], "`caddy_grant_") {
			listed[strings.Trim(cells[0], "`")] = cells[1]
		}
	}
	want := slices.Sorted(maps.Keys(names))
	if got := slices.Sorted(maps.Keys(listed)); len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("the docs' table has %v, Caddy %v", got, want)
	}
	if got := slices.Sorted(maps.Keys(mentioned)); !slices.Equal(got, want) {
		t.Errorf("the docs mention %v, Caddy has %v", got, want)
	}
	for name := range names {
		sample := regexp.MustCompile(`(?m)^` + name + `(?:_count)?(\{.*\})? `).FindStringSubmatch(metrics)
		if sample == nil {
			t.Errorf("there is no series of %s", name)
			continue
		}
		var got []string
		for _, label := range regexp.MustCompile(`[{,](\w+)="`).FindAllStringSubmatch(sample[1], -1) {
			got = append(got, label[1])
		}
		labels := strings.Split(strings.ReplaceAll(listed[name], "`", ""), ", ")
		if listed[name] == "none" {
			labels = nil
		}
		if slices.Sort(labels); !slices.Equal(got, labels) {
			t.Errorf("%s has the labels %v, the docs say %v", name, got, labels)
		}
	}
	if !strings.Contains(metrics, `caddy_grant_file_last_reload_successful{path="`+r.etc+`/users.htpasswd",reads="users"} 1`) {
		t.Errorf("the file is not in %s", metrics)
	}
}

// The table of metrics and the text on logs name every value that a label or a field of the
// throttle can have.
func TestDocsThrottleNames(t *testing.T) {
	text := repo.Docs(t)
	for _, value := range repo.Constants(t, "Limit") {
		if !strings.Contains(text, "`"+value+"`") {
			t.Errorf("the docs do not say what the limit %s is", value)
		}
	}
	values := slices.Concat(credential.Results, repo.Constants(t, "endpoint"), repo.Constants(t, "outcome"))
	for _, value := range values {
		if !strings.Contains(section(t, "## Metrics"), "`"+value+"`") {
			t.Errorf("the docs' metrics lack the value %s", value)
		}
	}
}

// The docs say what comes before the endpoint and what after it.
func TestDocsDirectiveOrder(t *testing.T) {
	for _, test := range []struct{ directive, sample string }{
		{"header", "header X-A b"},
		{"request_body", "request_body {\n\t\tmax_size 1MB\n\t}"},
		{"redir", "redir /old /new"},
		{"rewrite", "rewrite /old /new"},
		{"uri", "uri /old strip_prefix /old"},
		{"try_files", "try_files {path} /index.html"},
		{"basic_auth", "basic_auth {\n\t\tadmin " + harness.HashBcrypt + "\n\t}"},
		{"", ""},
		{"forward_auth", "forward_auth localhost:9000 {\n\t\turi /auth\n\t}"},
		{"request_header", "request_header X-A b"},
		{"encode", "encode gzip"},
		{"handle", "handle {\n\t\trespond x\n\t}"},
		{"route", "route {\n\t\trespond x\n\t}"},
		{"abort", "abort /x"},
		{"error", "error /x 404"},
		{"respond", "respond x"},
		{"reverse_proxy", "reverse_proxy localhost:9000"},
		{"file_server", "file_server"},
	} {
		if test.directive == "" {
			continue
		}
		config, err := harness.Adapt("http://localhost {\n\troot * /srv/www\n\t" + test.sample + "\n\ttoken_endpoint {\n\t\tusers json /u\n\t\tclients json /c\n\t}\n\tbearer_auth\n}\n")
		if err != nil {
			t.Fatal(err)
		}
		handler := map[string]string{
			"header": `"handler":"headers"`, "request_body": `"handler":"request_body"`, "redir": `"/new"`, "rewrite": `"/new"`, "uri": `"strip_path_prefix"`,
			"try_files": `"try_files"`, "basic_auth": `"handler":"authentication"`, "forward_auth": `"handler":"reverse_proxy"`, "request_header": `"handler":"headers"`, "encode": `"handler":"encode"`,
			"handle": `"body":"x"`, "route": `"body":"x"`, "abort": `"abort":true`, "error": `"handler":"error"`, "respond": `"body":"x"`,
			"reverse_proxy": `"handler":"reverse_proxy"`, "file_server": `"handler":"file_server"`,
		}[test.directive]
		endpoint, other := strings.Index(string(config), `"handler":"token_endpoint"`), strings.Index(string(config), handler)
		check := strings.Index(string(config), `"handler":"bearer_auth"`)
		if endpoint < 0 || other < 0 {
			t.Fatalf("%s: not in %s", test.directive, config)
		}
		if check < endpoint || (other < endpoint) != (other < check) {
			t.Errorf("%s: the check does not come right after the endpoint", test.directive)
		}
		list := "after them"
		if other < endpoint {
			list = "before them run"
		}
		found := false
		for line := range strings.Lines(repo.Docs(t)) {
			found = found || strings.HasPrefix(line, "- "+list) && strings.Contains(line, "`"+test.directive+"`")
		}
		if !found {
			t.Errorf("the docs do not say that %s comes %s", test.directive, list)
		}
	}
}
