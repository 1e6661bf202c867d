package clienttools

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// startMetrics serves an app with metrics behind the site of the page, and returns the
// directory that stands for /etc/prometheus.
func startMetrics(t *testing.T) (s *harness.Site, dir string) {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "app_answers_total 42")
	}))
	t.Cleanup(app.Close)
	dir = etc(t)
	for name, content := range map[string]string{
		"users.htpasswd": "prometheus:" + harness.CheapHash(t, password) + "\n",
		"metrics.secret": "metrics-secret",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = harness.NewSite(t)
	s.Reload("", recipe(t, "metrics-site", "api.example.com {", "http://127.0.0.1:%PORT% {\n\tlog",
		"/etc/caddy", dir, "localhost:9000", app.Listener.Addr().String()))
	return s, dir
}

// logins is how many tokens were issued.
func logins(s *harness.Site) int {
	return len(s.Logged(func(line map[string]any) bool {
		request, _ := line["request"].(map[string]any)
		return request["uri"] == "/token" && line["status"] == 200.0
	}))
}

// get asks a server of a tool.
func get(t *testing.T, from string) string {
	t.Helper()
	response, err := http.Get(from)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// startPrometheus runs a Prometheus until the test ends, and waits until it answers: it
// listens before it is ready.
func startPrometheus(t *testing.T, dir, config string) (url string) {
	t.Helper()
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	daemon(t, dir, address, "prometheus", "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	url = "http://" + address
	harness.Eventually(t, "Prometheus is ready", func() bool {
		response, err := http.Get(url + "/-/ready")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return url
}

// query is the value of an expression in Prometheus, and "" if there is none.
func query(t *testing.T, prometheus, expression string) string {
	t.Helper()
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	body := get(t, prometheus+"/api/v1/query?query="+url.QueryEscape(expression))
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if len(answer.Data.Result) == 0 {
		return ""
	}
	return fmt.Sprint(answer.Data.Result[0].Value[1])
}

// Prometheus logs in once for all its scrapes, and leaves no session behind.
func TestPrometheusScrapesBehindTheEdge(t *testing.T) {
	need(t, "prometheus")
	short(t, "prometheus-scrape")
	s, dir := startMetrics(t)
	config := recipe(t, "prometheus-scrape", "https://api.example.com", origin(s), "scheme: https", "scheme: http",
		"[api.example.com]", "["+s.Address()+"]", "/etc/prometheus", dir, "…", password)
	config = "global: {scrape_interval: 1s}\n" + config
	prometheus := startPrometheus(t, dir, config)
	harness.Eventually(t, "it has scraped three times", func() bool {
		return query(t, prometheus, "app_answers_total") == "42" && query(t, prometheus, `count_over_time(up{job="app"}[5m]) >= 3`) != ""
	})
	if up := query(t, prometheus, `min_over_time(up{job="app"}[5m])`); up != "1" {
		t.Errorf("up is %s", up)
	}
	if n := logins(s); n != 1 {
		t.Errorf("it logged in %d times", n)
	}
	shown := get(t, prometheus+"/api/v1/status/config")
	if !strings.Contains(shown, "correct horse") || strings.Contains(shown, "metrics-secret") {
		t.Errorf("its configuration page is not what the docs say: %s", shown)
	}

	form := harness.LoginForm("username", "prometheus", "password", password, "client_id", "metrics", "client_secret", "metrics-secret")
	if a := s.Post("/token", form); a.Status != 200 || a.JSON["refresh_token"] != nil {
		t.Errorf("a login gets %d %s", a.Status, a.Body)
	}
}

// blackbox_exporter logs in for every probe.
func TestBlackboxExporterProbesBehindTheEdge(t *testing.T) {
	need(t, "prometheus-blackbox-exporter")
	short(t, "blackbox-module")
	s, dir := startMetrics(t)
	for right, typing := range map[string]string{"1": password, "0": harness.WrongPassword()} {
		config := recipe(t, "blackbox-module", "https://api.example.com", origin(s), "/etc/prometheus", dir, "…", typing)
		file := filepath.Join(dir, "blackbox.yml")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		address := freeAddress(t)
		daemon(t, dir, address, "prometheus-blackbox-exporter", "--config.file="+file, "--web.listen-address="+address)
		before := logins(s)
		for range 2 {
			probed := get(t, "http://"+address+"/probe?module=app&target="+url.QueryEscape(s.URL("/metrics")))
			if !strings.Contains(probed, "\nprobe_success "+right+"\n") {
				t.Errorf("with %q: %s", typing, probed)
			}
		}
		want := map[string]int{"1": 2, "0": 0}[right]
		harness.Eventually(t, fmt.Sprintf("with %q it has logged in %d times", typing, want), func() bool { return logins(s)-before >= want }) // Caddy logs after it has answered
		if n := logins(s) - before; n != want {
			t.Errorf("with %q it logged in %d times", typing, n)
		}
	}
}
