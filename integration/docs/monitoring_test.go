package docs

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// monitoringGroups execute docs/monitoring.md, as far as that needs neither Prometheus
// nor Grafana: with Prometheus see integration/monitoring and bench/dashboard.
var monitoringGroups = []group{
	{"Caddy shows its metrics", []string{"metrics-loopback", "metrics-private"}, testMetricsSites},
	{"Prometheus reads the metrics", []string{"prometheus", "alerts", "guess"}, testPrometheusConfig},
	{"the picture is drawn again", []string{"dashboard", "dashboard-yours"}, testDashboardCommand},
}

// endpointAt is a site that has something to count.
func endpointAt(port int) string {
	return fmt.Sprintf("http://127.0.0.1:%d {\n\ttoken_endpoint {\n\t\tclient cli {\n\t\t\tpublic\n\t\t}\n\t\tuser alice %s\n\t}\n}\n", port, harness.HashBcrypt)
}

func testMetricsSites(t *testing.T, blocks map[string]block) {
	onPort := func(name string, more ...string) string {
		return strings.NewReplacer(append(more, ":9180", ":%PORT%")...).Replace(blocks[name].text) + endpointAt(harness.FreePort(t))
	}
	s := harness.Start(t, onPort("metrics-loopback"))
	if len(s.Metrics()) == 0 {
		t.Error("the site has no metrics of ours")
	}
	for address, listen := range map[string]string{"http://:9180": "127.0.0.1:9180", "http://127.0.0.1:9180": ":9180"} {
		site := strings.Replace(blocks["metrics-loopback"].text, "http://:9180", address, 1)
		if address != "http://:9180" {
			site = strings.Replace(site, "\tbind 127.0.0.1\n", "", 1)
		}
		config, err := harness.Adapt(site)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(config), `"listen":["`+listen+`"]`) {
			t.Errorf("%s does not listen at %s: %s", address, listen, config)
		}
	}

	s.Reload("", onPort("metrics-private", "10.0.0.5", "127.0.0.1", "10.0.0.9", "127.0.0.1"))
	if len(s.Metrics()) == 0 {
		t.Error("Prometheus gets no metrics")
	}
	s.Port = harness.FreePort(t)
	s.Reload("", onPort("metrics-private", "10.0.0.5", "127.0.0.1"))
	if response, err := s.Client.Get(s.URL("/metrics")); err == nil {
		response.Body.Close()
		t.Errorf("another machine is answered %d", response.StatusCode)
	}
}

// The admin API has the metrics without any setting.
func TestDocsAdminHasMetrics(t *testing.T) {
	dir, admin, port := t.TempDir(), harness.FreePort(t), harness.FreePort(t)
	options := fmt.Sprintf("{\n\tadmin localhost:%d\n\tpersist_config off\n\tstorage file_system storage\n}\n", admin)
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(options+endpointAt(port)), 0o600); err != nil {
		t.Fatal(err)
	}
	harness.StartProcess(t, dir, "Caddyfile")
	response, err := http.Get(fmt.Sprintf("http://localhost:%d/metrics", admin))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || !strings.Contains(string(body), "\n"+harness.OurMetrics) {
		t.Errorf("the admin API has no metrics of ours: %v %.500s", err, body)
	}
}

func testPrometheusConfig(t *testing.T, blocks map[string]block) {
	var config struct {
		RuleFiles     []string `yaml:"rule_files"`
		ScrapeConfigs []struct {
			JobName       string `yaml:"job_name"`
			StaticConfigs []struct{ Targets []string }
		} `yaml:"scrape_configs"`
	}
	text := strings.Replace(blocks["prometheus"].text, "static_configs", "staticconfigs", 1)
	if err := yaml.Unmarshal([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	if len(config.ScrapeConfigs) != 1 || config.ScrapeConfigs[0].JobName != "caddy" {
		t.Fatalf("the jobs are %+v", config.ScrapeConfigs)
	}
	if targets := config.ScrapeConfigs[0].StaticConfigs[0].Targets; !slices.Equal(targets, []string{"localhost:9180"}) || !strings.Contains(blocks["metrics-loopback"].text, ":9180") {
		t.Errorf("the targets are %v", targets)
	}
	copied := regexp.MustCompile(`sudo cp (\S+) /etc/prometheus/\n`).FindStringSubmatch(blocks["alerts"].text)
	if copied == nil || !slices.Equal(config.RuleFiles, []string{filepath.Base(copied[1])}) {
		t.Fatalf("the rule files are %v, and copied is %q", config.RuleFiles, copied)
	}
	repo.Read(t, copied[1])

	var variables []string
	var dashboard struct {
		Templating struct{ List []struct{ Label string } }
	}
	unmarshal(t, repo.Read(t, "examples/grafana/caddy-grant.json"), &dashboard)
	for _, variable := range dashboard.Templating.List {
		variables = append(variables, variable.Label)
	}
	var told []string
	for _, match := range regexp.MustCompile(`\*\*(Data source|Job|Instance|Server)\*\*`).FindAllStringSubmatch(section(t, "### 4. Import the dashboard"), -1) {
		told = append(told, match[1])
	}
	if !slices.Equal(told, variables) {
		t.Errorf("the page tells of %q, the dashboard asks for %q", told, variables)
	}
}

// The command that draws the picture has the flags that the page gives it, and what it
// draws is the dashboard as it is.
func testDashboardCommand(t *testing.T, blocks map[string]block) {
	source := repo.Read(t, "bench/dashboard/main.go")
	for _, name := range []string{"dashboard", "dashboard-yours"} {
		args, found := strings.CutPrefix(blocks[name].text, "go -C bench/dashboard run . ")
		if !found {
			t.Errorf("%s runs another command", blocks[name].place)
		}
		for _, flag := range regexp.MustCompile(`(?:^| )-(\w+)`).FindAllStringSubmatch(args, -1) {
			if !regexp.MustCompile(`flag\.\w+\("` + flag[1] + `"`).MatchString(source) {
				t.Errorf("%s: there is no flag -%s", blocks[name].place, flag[1])
			}
		}
	}
}

const docsOnGitHub = "https://github.com/caddygrant/caddy-grant/blob/main/"

// The page's table has the alerts, and their links lead to headings that there are.
func TestDocsAlerts(t *testing.T) {
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert               string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(repo.Read(t, "examples/prometheus/caddy-grant.rules.yml")), &file); err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, rule := range file.Groups[0].Rules {
		link := rule.Annotations["runbook_url"]
		name, anchor, _ := strings.Cut(strings.TrimPrefix(link, docsOnGitHub), "#")
		if !strings.HasPrefix(link, docsOnGitHub+"docs/") || !anchors(repo.Read(t, name))[anchor] {
			t.Errorf("%s leads to %s, which has no such heading", rule.Alert, link)
		}
		want = append(want, rule.Alert+" "+rule.Labels["severity"])
		got = append(got, rowsOfAlert(t, rule.Alert, strings.TrimPrefix(strings.TrimPrefix(link, docsOnGitHub), "docs/"))...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the page has %q, the rules are %q", got, want)
	}
	if n := strings.Count(section(t, "## The alerts"), "\n| `CaddyGrant"); n != len(want) {
		t.Errorf("the page's table has %d alerts, there are %d", n, len(want))
	}
}

// rowsOfAlert are the rows of the page's table that have an alert and its link.
func rowsOfAlert(t *testing.T, name, link string) (rows []string) {
	t.Helper()
	for line := range strings.Lines(section(t, "## The alerts")) {
		cells := row(line)
		if len(cells) == 4 && cells[0] == "`"+name+"`" {
			rows = append(rows, name+" "+cells[1])
			if !strings.Contains(cells[3], "]("+strings.TrimPrefix(link, "monitoring.md")+")") {
				t.Errorf("the page's row of %s does not lead to %s", name, link)
			}
		}
	}
	return rows
}

// Log lines that the page tells to look for are there.
func TestDocsLogLinesWorthAnAlert(t *testing.T) {
	sources := repo.Read(t, "signing_key.go") + repo.Read(t, "key_owners.go") + repo.Read(t, "sessions_followed.go") + repo.Read(t, "internal/storagecheck/background.go")
	lines := 0
	for line := range strings.Lines(section(t, "### What no metric shows")) {
		cells := row(line)
		if len(cells) != 3 || !strings.HasPrefix(cells[0], "`") {
			continue
		}
		text := strings.Split(cells[0], "`")[1]
		if text == "request refused" {
			continue // its reasons are in the table of errors
		}
		lines++
		if level := strings.ToUpper(cells[1][:1]) + cells[1][1:]; !strings.Contains(sources, level+`("`+text+`"`) {
			t.Errorf("no line at %s is %q", cells[1], text)
		}
	}
	if lines < 2 {
		t.Errorf("only %d lines were found", lines)
	}
}

// The picture is of the dashboard as it is now.
func TestDocsPictureOfTheDashboard(t *testing.T) {
	var dashboard struct {
		Panels []struct{ Title string }
	}
	if err := json.Unmarshal([]byte(repo.Read(t, "examples/grafana/caddy-grant.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	picture := repo.Read(t, "docs/images/dashboard.svg")
	if len(picture) > 150_000 {
		t.Errorf("the picture has %d bytes", len(picture))
	}
	drawn := strings.Join(regexp.MustCompile(`<text class="(?:title|row)"[^>]*>[^<]*`).FindAllString(picture, -1), " ")
	drawn = regexp.MustCompile(`<text[^>]*>`).ReplaceAllString(drawn, "")
	for _, panel := range dashboard.Panels {
		if !strings.Contains(drawn, panel.Title) {
			t.Errorf("the picture has no panel %q: draw it again, as docs/monitoring.md says", panel.Title)
		}
	}
}
