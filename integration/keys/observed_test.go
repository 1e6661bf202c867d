package keys

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

func TestLogsNameTheKeyAndNeverHoldIt(t *testing.T) {
	e := startChecks(t)
	for _, name := range []string{"deploy", "bobs", "nightly", "old", "bobs-name", "narrow"} {
		for _, path := range []string{"/users", "/clients", "/write", "/shadow", "/none", "/forwarded"} {
			e.get(path, harness.Bearer(e.key(name)))
		}
	}
	e.wantNone(t, "log", e.RawLog())
	e.wantNone(t, "exposition", e.AllMetrics())

	for _, test := range []struct {
		path, credential string
		want             map[string]string
	}{
		{"/users/1", e.key("bobs"), map[string]string{"api_key": "bobs", "user_id": "u-2", "client_id": ""}},
		{"/prefixed/1", e.key("nightly"), map[string]string{"api_key": "nightly", "user_id": "svc:batch", "client_id": "batch"}},
		{"/clients/1", e.key("nightly"), map[string]string{"api_key": "nightly", "user_id": "", "client_id": "batch"}},
		{"/users/2", e.Token("alice"), map[string]string{"api_key": "", "user_id": "alice", "client_id": ""}},
		{"/users/3", e.key("old"), map[string]string{"api_key": "", "user_id": "", "oauth_error": "invalid_token"}},
	} {
		e.get(test.path, harness.Bearer(test.credential))
		line := e.accessLine(test.path)
		for field, value := range test.want {
			if got := text(line, field); got != value {
				t.Errorf("the access log of %s: %s is %q, want %q", test.path, field, got, value)
			}
		}
	}

	for name, want := range map[string]map[string]string{
		"old":     {"reason": "the API key has expired", "api_key": "old", "user_id": "", "level": "info"},
		"narrow":  {"reason": "the token lacks a scope", "api_key": "narrow", "user_id": "alice", "scope": "read", "scope_needed": "write"},
		"nightly": {"reason": "it is a client that acts for itself, and only users may pass here", "api_key": "nightly", "user_id": "", "client_id": "batch"},
		"none":    {"reason": "no API key has its hash", "api_key": "", "user_id": "", "client_id": ""},
	} {
		e.get("/write", harness.Bearer(e.key(name)))
		line := e.LastRefusal()
		for field, value := range want {
			if got := text(line, field); got != value {
				t.Errorf("the refusal of %s: %s is %q, want %q", name, field, got, value)
			}
		}
	}
}

func TestTheLastUseOfAKeyIsKnown(t *testing.T) {
	e := startChecks(t) // no other test uses this key
	used := func() (names []string) {
		for _, line := range e.Logged(func(line map[string]any) bool { return line["msg"] == "API key used" }) {
			names = append(names, text(line, "api_key")+" "+text(line, "level"))
		}
		return names
	}
	const series = `api_key_last_used_timestamp_seconds{key="watched",server="default"}`
	if before, used := e.Metrics()[series]; used {
		t.Errorf("before any use there is %s %v", series, before)
	}
	for range 3 {
		e.want(t, 200, "/users", harness.Bearer(e.key("watched")))
		e.want(t, 401, "/users", harness.Bearer(e.key("old")))
	}
	if got := used(); len(got) != 1 || got[0] != "watched info" {
		t.Errorf("the log says that keys are used: %q", got)
	}
	metrics := e.Metrics()
	if metrics[series] < 1e9 {
		t.Errorf("%s is %v", series, metrics[series])
	}
	if _, there := metrics[strings.Replace(series, "watched", "old", 1)]; there {
		t.Error("a key that was refused has been used")
	}
	e.wantNone(t, "exposition", e.AllMetrics())
}

func TestTheOutcomesOfKeysAreCounted(t *testing.T) {
	e := startChecks(t)
	outcome := func(name string) string {
		return `bearer_checks_total{outcome="` + name + `",server="default",shadow="false"}`
	}
	before := e.Metrics()
	e.get("/users", harness.Bearer(e.key("deploy")))
	e.get("/users", harness.Bearer(e.key("old")))
	e.get("/users", harness.Bearer(e.key("nightly")))
	e.get("/write", harness.Bearer(e.key("narrow")))
	e.get("/users", harness.Bearer(e.key("deploy")), harness.Bearer(e.key("deploy")))
	after := e.Metrics()
	for name, want := range map[string]float64{"success": 1, "invalid_token": 1, "insufficient_scope": 2, "invalid_request": 1} {
		if got := after[outcome(name)] - before[outcome(name)]; got != want {
			t.Errorf("%s: %v more, want %v", name, got, want)
		}
	}
}

// Caddy leaves only Authorization and cookies out of its access log, so the log of a site
// whose keys have a header of their own needs a filter.
func TestAFilterKeepsTheHeaderOfKeysOutOfTheAccessLog(t *testing.T) {
	keys := make(ring)
	e := edge{harness.NewSite(t), keys, harness.NewApp(t)}
	e.Write("keys.txt", keys.lines("deploy", "user=alice"))
	e.Reload("", e.app.In(`http://127.0.0.1:%PORT% {
	log {
		output file %DIR%/access.json {
			mode 0644
		}
		format filter {
			request>headers>X-Api-Key delete
		}
	}
	token_endpoint {
		`+owners+`
	}
	bearer_auth {
		keys X-Api-Key
	}
	reverse_proxy %APP%
}
`))
	e.want(t, 200, "/", inHeader(keys.key("deploy")))
	content, err := os.ReadFile(e.Path("access.json"))
	if err != nil || !strings.Contains(string(content), `"api_key":"deploy"`) {
		t.Errorf("the access log is %s (%v)", content, err)
	}
	e.wantNone(t, "access log", string(content))
	for _, line := range e.Logged(func(map[string]any) bool { return true }) {
		if text(line, "logger") != "http.handlers.reverse_proxy" { // debug
			e.wantNone(t, "log", fmt.Sprint(line))
		}
	}
}
