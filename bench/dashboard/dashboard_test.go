package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

const checkout = "../.."

func theDashboard(t *testing.T) *dashboard {
	t.Helper()
	d, err := readDashboard(checkout + "/examples/grafana/caddy-grant.json")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Each query of each panel, and each variable, has something to show when a real
// Prometheus reads a real Caddy.
func TestPrometheusHasDataForEachPanel(t *testing.T) {
	if os.Getenv("CADDY_GRANT_PROMETHEUS") == "" {
		t.Skip("set CADDY_GRANT_PROMETHEUS where Prometheus is installed")
	}
	const length, scrape = 20 * time.Second, time.Second
	r, err := startRun(t.Context(), checkout, scrape)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.stop)
	start := time.Now()
	if err := r.traffic(t.Context(), length); err != nil {
		t.Fatal(err)
	}
	d := theDashboard(t)
	of := span{start, time.Now(), scrape}
	queries := 0
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			if strings.Contains(target.Expr, "caddy_grant_engine_") {
				continue // this Caddy is built without a session engine
			}
			queries++
			found, err := r.prometheus.queryRange(t.Context(), d.expand(target.Expr, of), of)
			if err != nil {
				t.Fatal(err)
			}
			points, names := 0, make(map[string]bool)
			for _, s := range found {
				name := legend(target.LegendFormat, s.Metric)
				if names[name] {
					t.Errorf("%s: two lines are called %q", panel.Title, name)
				}
				names[name] = true
				points += len(s.points)
			}
			if points == 0 {
				t.Errorf("%s: no data for %s", panel.Title, target.Expr)
			}
		}
	}
	if queries < 20 {
		t.Errorf("only %d queries were found", queries)
	}
	for label, want := range map[string]string{"job": "caddy", "instance": "edge", "server": "default"} {
		var values []string
		if err := r.prometheus.get(t.Context(), "/api/v1/label/"+label+"/values?match[]=caddy_grant_requests_total", &values); err != nil {
			t.Fatal(err)
		}
		if strings.Join(values, " ") != want {
			t.Errorf("the variable %s has the values %q", label, values)
		}
	}
}

// The picture is well-formed and has all panels, whatever they show.
func TestPictureHasAllPanels(t *testing.T) {
	d := theDashboard(t)
	answers := make(map[int][]line)
	for i, panel := range d.Panels {
		switch i % 4 {
		case 0:
			answers[panel.ID] = []line{{"zero", []point{{0, 0}, {.5, 0}, {1, 0}}}}
		case 1:
			answers[panel.ID] = []line{{"a <b> & c", []point{{0, 1e-9}, {.5, 1e9}, {.6, 3}, {1, 4}}}, {"one", []point{{.5, 1}}}}
		case 2:
			answers[panel.ID] = []line{{"empty", nil}}
		}
	}
	picture := draw(d, answers, 10*time.Minute)
	var text strings.Builder
	for decoder := xml.NewDecoder(strings.NewReader(string(picture))); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := token.(xml.CharData); ok {
			text.Write(data)
			text.WriteByte(' ')
		}
	}
	for _, panel := range d.Panels {
		if !strings.Contains(text.String(), panel.Title[:min(10, len(panel.Title))]) {
			t.Errorf("the picture has no %q", panel.Title)
		}
	}
	if strings.Contains(string(picture), "NaN") || strings.Contains(string(picture), "Inf") {
		t.Error("the picture has a place that is not a number")
	}
}

// Axes end at round numbers, in units that people read.
func TestAxes(t *testing.T) {
	for _, test := range []struct {
		unit string
		most float64
		want string
	}{
		{"reqps", 28, "30 req/s"}, {"reqps", .9, "1.00 req/s"}, {"reqps", 0, "1.00 req/s"}, {"percentunit", 1, "100%"},
		{"s", .3, "300 ms"}, {"s", 8, "8 s"}, {"s", 300, "6 min"}, {"none", 60, "60"}, {"none", 3, "3"},
	} {
		var panel panel
		panel.FieldConfig.Defaults.Unit = test.unit
		if a := newAxis(test.most, panel); a.label(a.most) != test.want {
			t.Errorf("an axis of %q up to %v ends at %s, not %s", test.unit, test.most, a.label(a.most), test.want)
		}
	}
}
