package monitoring

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
	"github.com/caddygrant/caddy-grant/internal/apikey"
)

// dashboard is what a test needs to know of examples/grafana/caddy-grant.json.
type dashboard struct {
	ID         any    `json:"id"`
	UID        string `json:"uid"`
	Title      string `json:"title"`
	Panels     []panel
	Templating struct {
		List []struct {
			Name, Type string
			Query      any
			Datasource *datasource
		}
	}
}

type panel struct {
	ID          int
	Type, Title string
	Description string
	Datasource  *datasource
	GridPos     struct{ X, Y, W, H int }
	Targets     []struct {
		Datasource         *datasource
		Expr, LegendFormat string
	}
}

type datasource struct{ Type, UID string }

// The dashboard asks for what there is and for all of it, by labels that there are.
func TestGrafanaDashboard(t *testing.T) {
	text, err := os.ReadFile(repo.Path("examples/grafana/caddy-grant.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if d.ID != nil || d.UID == "" || d.Title == "" {
		t.Errorf("id %v, uid %q, title %q: an id keeps it from being imported", d.ID, d.UID, d.Title)
	}

	metrics := metricLabels(t)
	used := make(map[string]bool)
	variables := map[string]bool{"__rate_interval": true}
	for i, v := range d.Templating.List {
		switch {
		case v.Type == "datasource":
			if i != 0 || v.Name != "datasource" || v.Query != "prometheus" {
				t.Errorf("the data source is %+v", v)
			}
		case v.Datasource == nil || v.Datasource.UID != "${datasource}":
			t.Errorf("the variable %s has another data source", v.Name)
		default:
			query, _ := v.Query.(map[string]any)["query"].(string)
			call := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`).FindStringSubmatch(query)
			if call == nil {
				t.Fatalf("the variable %s is %v", v.Name, v.Query)
			}
			selector := checkPromQL(t, call[1], metrics, variables)
			if len(selector.metrics) != 1 || metrics[selector.metrics[0]][call[2]] == nil {
				t.Errorf("%s: there is no label %s", query, call[2])
			}
		}
		variables[v.Name] = true
	}

	ids := make(map[int]bool)
	taken := make(map[[2]int]string)
	for _, p := range d.Panels {
		if ids[p.ID] || p.ID == 0 || p.Title == "" {
			t.Errorf("panel %d %q: its id or title is invalid", p.ID, p.Title)
		}
		ids[p.ID] = true
		if p.GridPos.W < 1 || p.GridPos.H < 1 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%s: it does not fit: %+v", p.Title, p.GridPos)
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				cell := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if other := taken[cell]; other != "" {
					t.Fatalf("%s covers %s", p.Title, other)
				}
				taken[cell] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Description == "" || len(p.Targets) == 0 || p.Datasource == nil || p.Datasource.UID != "${datasource}" {
			t.Errorf("%s: it lacks a description, a query or the data source", p.Title)
		}
		for _, target := range p.Targets {
			if target.Datasource == nil || *target.Datasource != (datasource{"prometheus", "${datasource}"}) {
				t.Errorf("%s: its data source is %v", p.Title, target.Datasource)
			}
			q := checkPromQL(t, target.Expr, metrics, variables)
			for _, metric := range q.metrics {
				used[family(metric)] = true
			}
			for _, label := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				if !slices.Contains(q.by, label[1]) {
					t.Errorf("%s: the legend has %s, which the query does not keep", p.Title, label[1])
				}
			}
		}
	}
	for metric := range metrics {
		if !used[family(metric)] {
			t.Errorf("no panel has %s", metric)
		}
	}
}

// family is the metric that a series of a histogram belongs to.
func family(metric string) string {
	return regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(metric, "")
}

// labels are the labels of a metric with the values that they have.
type labels map[string][]string

// metricLabels are all metrics of the module in a Caddy that has everything, and those
// of Caddy's own that are named, with the labels that Prometheus knows them by.
func metricLabels(t *testing.T, ofCaddy ...string) map[string]labels {
	t.Helper()
	s := harness.NewSite(t)
	s.Write("users.htpasswd", "carol:"+harness.CheapHash(t, "x")+"\n")
	key := apikey.Make()
	s.Write("keys", "deploy "+apikey.DigestOf(key).Hash()+" user=carol\n")
	s.Reload("", strings.NewReplacer(
		"%SETTINGS%", "users htpasswd %DIR%/users.htpasswd\n\t\tapi_keys lines %DIR%/keys\n\t\tsessions memory grafana {\n\t\t\talso storage\n\t\t}\n\t\tlogin_page",
		"handle /metrics {", "bearer_auth /key counted {\n\t\tkeys\n\t\tissuer http://127.0.0.1:1 {\n\t\t\taudience app\n\t\t}\n\t}\n\thandle /metrics {",
	).Replace(harness.WithCheapHashes(t, countedSite)))
	s.Do(s.Request("GET", "/key", "", harness.Bearer(key))).Want(t, 200, "")
	metrics := make(map[string]labels)
	for series := range s.Metrics() {
		name, pairs, _ := strings.Cut(series, "{")
		name = harness.OurMetrics + name
		if metrics[name] == nil {
			metrics[name] = labels{"instance": {}, "job": {}}
		}
		for _, pair := range regexp.MustCompile(`(\w+)="([^"]*)"`).FindAllStringSubmatch(pairs, -1) {
			metrics[name][pair[1]] = append(metrics[name][pair[1]], pair[2])
		}
	}
	for _, name := range ofCaddy {
		if strings.Contains(s.AllMetrics(), "\n"+name+" ") {
			metrics[name] = labels{"instance": {}, "job": {}}
		}
	}
	return metrics
}
