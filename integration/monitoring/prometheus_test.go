package monitoring

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// A checkout does not need Prometheus, so the variable says that it is there; then it
// must be.
func needPrometheus(t *testing.T) {
	t.Helper()
	if os.Getenv("CADDY_GRANT_PROMETHEUS") == "" {
		t.Skip("set CADDY_GRANT_PROMETHEUS where Prometheus is installed")
	}
	for _, program := range []string{"prometheus", "promtool"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is needed for this test: apt-get install prometheus", program)
		}
	}
}

// promtool reads the rules, and runs their unit tests.
func TestPrometheusRules(t *testing.T) {
	needPrometheus(t)
	commands := [][]string{{"check", "rules", repo.Path(alertRules)}}
	for _, name := range alertTests {
		commands = append(commands, []string{"test", "rules", repo.Path(name)})
	}
	for _, args := range commands {
		output, err := exec.Command("promtool", args...).CombinedOutput()
		if err != nil || !strings.Contains(string(output), "SUCCESS") {
			t.Errorf("promtool %s: %v\n%s", args, err, output)
		}
	}
}

// A Prometheus with the config, the rules and the commands of docs/monitoring.md reads
// the metrics of Caddyfile.example, and raises an alert when someone guesses passwords.
func TestPrometheusSeesAnAttack(t *testing.T) {
	needPrometheus(t)
	dir := t.TempDir()
	caddy, metrics := harness.FreePort(t), harness.FreePort(t)
	here := strings.NewReplacer("8080", fmt.Sprint(caddy), "9180", fmt.Sprint(metrics),
		"15s", "1s", "/etc/prometheus/", dir+"/", "sudo ", "")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(here.Replace(text)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(block string) {
		t.Helper()
		command := strings.Replace(blockOf(t, block), "sudo systemctl reload prometheus\n", "", 1)
		cmd := exec.CommandContext(t.Context(), "sh", "-eu", "-c", here.Replace(command))
		cmd.Dir = repo.Path(".")
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", block, err, output)
		}
	}

	write("Caddyfile", repo.Read(t, "Caddyfile.example")+blockOf(t, "metrics-loopback"))
	harness.StartProcess(t, dir, "Caddyfile")
	write("prometheus.yml", blockOf(t, "prometheus"))
	run("alerts")
	p := startPrometheus(t, dir)
	harness.Eventually(t, "Prometheus has read the metrics", func() bool {
		return len(p.query(t, `caddy_grant_requests_total{job="caddy",outcome="invalid_grant"}`)) > 0
	})
	if alerts := p.alerts(t); len(alerts) > 0 {
		t.Errorf("before the attack there are %+v", alerts)
	}

	run("guess")
	var alerts []promAlert
	harness.Eventually(t, "an alert fires", func() bool {
		alerts = p.alerts(t)
		return len(alerts) > 0 && alerts[0].State == "firing"
	})
	if len(alerts) != 1 || alerts[0].Labels["alertname"] != "CaddyGrantWrongPasswords" || alerts[0].Labels["server"] != "default" ||
		!strings.Contains(alerts[0].Annotations["summary"], "More logins fail at default than succeed") {
		t.Errorf("the alerts are %+v", alerts)
	}
}

// blockOf is a block of docs/monitoring.md.
func blockOf(t *testing.T, name string) string {
	t.Helper()
	match := regexp.MustCompile("(?s)\n```\\w+ " + name + "\n(.*?)```\n").FindStringSubmatch(repo.Read(t, "docs/monitoring.md"))
	if match == nil {
		t.Fatalf("docs/monitoring.md has no block %s", name)
	}
	return match[1]
}

type prometheus struct{ address string }

type promAlert struct {
	State               string
	Labels, Annotations map[string]string
}

// startPrometheus runs a Prometheus with the prometheus.yml of dir until the test ends.
func startPrometheus(t *testing.T, dir string) prometheus {
	t.Helper()
	p := prometheus{fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))}
	log, err := os.Create(filepath.Join(dir, "prometheus.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address="+p.address)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		log.Close()
		if t.Failed() {
			output, _ := os.ReadFile(log.Name())
			t.Logf("%s", output)
		}
	})
	harness.Eventually(t, "Prometheus is ready", func() bool {
		response, err := http.Get("http://" + p.address + "/-/ready")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return p
}

// get asks the API for data.
func (p prometheus) get(t *testing.T, path string, into any) {
	t.Helper()
	response, err := http.Get("http://" + p.address + "/api/v1/" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	answer := struct{ Data any }{into}
	if err != nil || response.StatusCode != http.StatusOK || json.Unmarshal(body, &answer) != nil {
		t.Fatalf("%s: %d %v %s", path, response.StatusCode, err, body)
	}
}

// query returns the labels of what an expression has now.
func (p prometheus) query(t *testing.T, expr string) []map[string]string {
	t.Helper()
	var data struct {
		Result []struct{ Metric map[string]string }
	}
	p.get(t, "query?query="+url.QueryEscape(expr), &data)
	var found []map[string]string
	for _, result := range data.Result {
		found = append(found, result.Metric)
	}
	return found
}

func (p prometheus) alerts(t *testing.T) []promAlert {
	t.Helper()
	var data struct{ Alerts []promAlert }
	p.get(t, "alerts", &data)
	return data.Alerts
}
