package admin

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

func TestAConfigWithoutAnEndpointHasNoServers(t *testing.T) {
	t.Parallel()
	n := &node{Site: harness.NewSite(t), admin: fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))}
	config := n.Write("plain.caddyfile", n.Expand("{\n\tadmin "+n.admin+"\n\tpersist_config off\n\tstorage file_system \"%DIR%/storage\"\n}\nhttp://127.0.0.1:%PORT% {\n\trespond hello\n}\n"))
	harness.StartQuickProcess(t, config)
	if got := n.Do(n.Request(http.MethodGet, "http://"+n.admin+"/grant/servers", "")); got.Status != 200 || string(got.Body) != "[]\n" {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if out, _ := n.grant(0, "status", "--json"); out != "[]\n" {
		t.Errorf("it prints %s", out)
	}
	for _, args := range [][]string{{"revoke", "--user", "alice"}, {"reload"}, {"status", "--server", "default"}} {
		if _, errs := n.grant(1, args...); !strings.HasPrefix(errs, "Error: the running config has no token_endpoint") {
			t.Errorf("%v: %s", args, errs)
		}
	}
}

// The admin endpoint of a config is there before its apps are, and for a while after the
// next one has replaced them: it always answers for the config that runs.
func TestTheAPIIsThatOfTheConfigThatRuns(t *testing.T) {
	t.Parallel()
	a := startNode(t, t.TempDir(), "", "")
	request := func() harness.Answer {
		return a.Do(a.Request(http.MethodGet, "http://"+a.admin+"/grant/servers", ""))
	}
	if got := string(request().Body); !strings.Contains(got, `"name":"default"`) {
		t.Fatal(got)
	}
	for _, test := range []struct{ lines, want, not string }{
		{"name second", `"name":"second"`, `"name":"default"`},
		{"name third", `"name":"second"`, `"name":"third"`}, // does not start
		{"name fourth", `"name":"fourth"`, `"name":"second"`},
	} {
		_, name, _ := strings.Cut(test.lines, " ")
		if name == "third" {
			name = "nothing"
		}
		config := a.Write("next.caddyfile", strings.Replace(a.text(test.lines), "bearer_auth /app*", "bearer_auth /app* "+name, 1))
		cmd := harness.CaddyCommand(t.Context(), t, t.TempDir(), "reload", "--config", config, "--address", a.admin, "--force")
		out, err := cmd.CombinedOutput()
		if refused := name == "nothing"; (err != nil) != refused {
			t.Fatalf("%v: %s", err, out)
		}
		if got := string(request().Body); !strings.Contains(got, test.want) || strings.Contains(got, test.not) {
			t.Errorf("with %q: %s", test.lines, got)
		}
	}
	if _, errs := a.grant(1, "revoke", "--all", "--yes", "--server", "default"); !strings.Contains(errs, "the servers are: fourth") {
		t.Error(errs)
	}
}

// Two endpoints of one config have servers of their own.
func TestSeveralServersAreToldApart(t *testing.T) {
	t.Parallel()
	a := startNode(t, t.TempDir(), "}\ntoken_endpoint /internal {\nname internal\nissuer https://internal.example\nclient job {\nsecret job-secret\n}\nuser carol "+harness.HashCheap, "")
	if got := grantJSON[[]adminapi.Status](a, "status"); len(got) != 2 || got[0].Name != "default" || got[1].Name != "internal" || got[1].Issuer != "https://internal.example" {
		t.Errorf("%+v", got)
	}
	if _, errs := a.grant(1, "revoke", "--user", "carol"); !strings.Contains(errs, "--server default or --server internal") {
		t.Error(errs)
	}
	a.grant(1, "revoke", "--user", "carol", "--server", "default")
	s := a.login("alice", "web")
	a.grant(0, "revoke", "--all", "--yes", "--server", "internal")
	a.wantGoing(s)
}
