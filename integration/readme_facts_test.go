package integration

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The README names the module's metrics, all and no other.
func TestReadmeMetrics(t *testing.T) {
	r := newRecipe(t)
	r.serve("http://api.example.com {\n\timport tokens\n\tbearer_auth /app\n\tmetrics /metrics\n}\n")
	names := func(text string) []string {
		found := make(map[string]bool)
		for _, name := range regexp.MustCompile(`caddy_grant_\w+`).FindAllString(text, -1) {
			found[name] = true
		}
		return slices.Sorted(maps.Keys(found))
	}
	metrics := string(r.do(r.request("GET", "/metrics", "")).body)
	if got, want := names(readRepo(t, "README.md")), names(metrics); len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("the README has %v, Caddy %v", got, want)
	}
	if !strings.Contains(metrics, `caddy_grant_file_last_reload_successful{path="`+r.etc+`/users.htpasswd",reads="users"} 1`) {
		t.Errorf("the labels are others: %s", metrics)
	}
}

// Links within the README lead somewhere.
func TestReadmeLinks(t *testing.T) {
	readme := readRepo(t, "README.md")
	anchors := make(map[string]bool)
	code := false
	for line := range strings.Lines(readme) {
		if strings.HasPrefix(line, "```") {
			code = !code
		}
		if heading := strings.TrimLeft(line, "#"); heading != line && !code {
			anchor := strings.ToLower(strings.TrimSpace(heading))
			anchor = regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(anchor, "")
			anchors[strings.ReplaceAll(anchor, " ", "-")] = true
		}
	}
	for _, match := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(readme, -1) {
		target := match[1]
		if anchor, ok := strings.CutPrefix(target, "#"); ok {
			if !anchors[anchor] {
				t.Errorf("no heading for %s", target)
			}
		} else if !strings.Contains(target, "://") {
			if _, err := os.Stat(filepath.Join("..", target)); err != nil {
				t.Error(err)
			}
		}
	}
}

// The README says what comes before the endpoint and what after it.
func TestReadmeDirectiveOrder(t *testing.T) {
	for _, test := range []struct{ directive, sample string }{
		{"header", "header X-A b"},
		{"request_body", "request_body {\n\t\tmax_size 1MB\n\t}"},
		{"redir", "redir /old /new"},
		{"rewrite", "rewrite /old /new"},
		{"uri", "uri /old strip_prefix /old"},
		{"try_files", "try_files {path} /index.html"},
		{"basic_auth", "basic_auth {\n\t\tadmin " + hashBcrypt + "\n\t}"},
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
		config, err := adapt("http://localhost {\n\troot * /srv/www\n\t" + test.sample + "\n\ttoken_endpoint {\n\t\tusers json /u\n\t\tclients json /c\n\t}\n\tbearer_auth\n}\n")
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
		for line := range strings.Lines(readRepo(t, "README.md")) {
			found = found || strings.HasPrefix(line, "- "+list) && strings.Contains(line, "`"+test.directive+"`")
		}
		if !found {
			t.Errorf("the README does not say that %s comes %s", test.directive, list)
		}
	}
}
