package monitoring

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

const alertRules = "examples/prometheus/caddy-grant.rules.yml"

// Those that last for days have a file of their own, since promtool evaluates the rules
// of a file at one interval.
var alertTests = []string{
	"examples/prometheus/caddy-grant.rules.test.yml",
	"examples/prometheus/caddy-grant.rules.days.test.yml",
}

// alertRule is a rule of Prometheus that raises an alert.
type alertRule struct {
	Alert, Expr         string
	Labels, Annotations map[string]string
}

func readAlertRules(t *testing.T) []alertRule {
	t.Helper()
	var file struct {
		Groups []struct{ Rules []alertRule }
	}
	if err := yaml.Unmarshal([]byte(repo.Read(t, alertRules)), &file); err != nil {
		t.Fatal(err)
	}
	var rules []alertRule
	for _, group := range file.Groups {
		rules = append(rules, group.Rules...)
	}
	return rules
}

// Alerts ask for metrics that there are, by labels and values that there are, and say in
// one sentence what they mean.
func TestAlertRules(t *testing.T) {
	const config = "caddy_config_last_reload_successful"
	metrics := metricLabels(t, config)
	if metrics[config] == nil {
		t.Fatalf("Caddy has no %s", config)
	}
	metrics["up"] = labels{"instance": {}, "job": {}} // is Prometheus's own

	rules := readAlertRules(t)
	if len(rules) == 0 {
		t.Fatal("there are no rules")
	}
	names := make(map[string]bool)
	sentence := regexp.MustCompile(`^[A-Z].*[^.]\.$`)
	for _, rule := range rules {
		if names[rule.Alert] || !strings.HasPrefix(rule.Alert, "CaddyGrant") {
			t.Errorf("the name %s is not new, or not one of ours", rule.Alert)
		}
		names[rule.Alert] = true
		q := checkPromQL(t, rule.Expr, metrics, nil)
		kept := q.by
		if len(kept) == 0 {
			for label := range metrics[q.metrics[0]] {
				kept = append(kept, label)
			}
		}
		summary := rule.Annotations["summary"]
		if !sentence.MatchString(summary) || strings.Contains(summary, ". ") {
			t.Errorf("%s: the summary is not one sentence: %s", rule.Alert, summary)
		}
		for _, label := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(summary, -1) {
			if !slices.Contains(kept, label[1]) {
				t.Errorf("%s: the summary has %s, which the alert does not have", rule.Alert, label[1])
			}
		}
		if !slices.Contains([]string{"critical", "warning", "info"}, rule.Labels["severity"]) {
			t.Errorf("%s: the severity is %q", rule.Alert, rule.Labels["severity"])
		}
	}
}

// Each alert has a unit test in which it fires; and none fires in ordinary traffic and
// at a restart, of which the tests have all that the rules ask for.
func TestAlertRulesAreTested(t *testing.T) {
	type unitTests struct {
		Tests []struct {
			Name   string
			Series []struct{ Series string } `yaml:"input_series"`
			Checks []struct {
				Expr    string
				Samples []struct{ Labels string } `yaml:"exp_samples"`
			} `yaml:"promql_expr_test"`
		}
	}
	var all unitTests
	for _, name := range alertTests {
		var file unitTests
		if err := yaml.Unmarshal([]byte(repo.Read(t, name)), &file); err != nil {
			t.Fatal(err)
		}
		all.Tests = append(all.Tests, file.Tests...)
	}
	fires, asked := make(map[string]bool), make(map[string]bool)
	rules := readAlertRules(t)
	for _, rule := range rules {
		for _, metric := range regexp.MustCompile(`\b(?:caddy_\w+|up)\b`).FindAllString(rule.Expr, -1) {
			asked[metric] = true
		}
	}
	silent := map[string]bool{"ordinary traffic is silent": false, "a restart is silent": false}
	for _, test := range all.Tests {
		_, quiet := silent[test.Name]
		if quiet {
			silent[test.Name] = len(test.Checks) > 0
			for metric := range asked {
				if !slices.ContainsFunc(test.Series, func(s struct{ Series string }) bool { return strings.HasPrefix(s.Series, metric+"{") }) {
					t.Errorf("%s: it lacks %s", test.Name, metric)
				}
			}
		}
		for _, check := range test.Checks {
			if check.Expr != `ALERTS{alertstate="firing"}` || quiet && len(check.Samples) > 0 {
				t.Errorf("%s: it does not ask for all that fires: %s", test.Name, check.Expr)
			}
			for _, sample := range check.Samples {
				fires[regexp.MustCompile(`alertname="(\w+)"`).FindStringSubmatch(sample.Labels)[1]] = true
			}
		}
	}
	for name, there := range silent {
		if !there {
			t.Errorf("there is no test %q", name)
		}
	}
	for _, rule := range rules {
		if !fires[rule.Alert] {
			t.Errorf("%s fires in no test", rule.Alert)
		}
	}
}
