package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

func TestEveryChangeIsAuditedAndNothingElse(t *testing.T) {
	t.Parallel()
	a := startNode(t, t.TempDir(), "", "")
	a.grant(0, "status")
	a.grant(0, "sessions", "alice")
	a.grant(0, "revoke", "--user", "alice")
	a.grant(0, "unlock", "bob", "--ip", "127.0.0.1")
	a.grant(1, "revoke", "--user", "nobody")
	a.grant(1, "revoke", "--user", "alice", "--server", "other")
	want := []map[string]string{
		{"level": "info", "msg": "sessions revoked by operator", "change": "revoke", "server": "default", "scope": "user", "of": "alice"},
		{"level": "info", "msg": "failures forgotten by operator", "change": "unlock", "server": "default", "user": "bob", "address": "127.0.0.1"},
		{"level": "info", "msg": "change refused", "change": "revoke", "server": "default", "scope": "user", "of": "nobody"},
		{"level": "info", "msg": "change refused", "change": "revoke", "server": "other", "status": "404"},
	}
	lines := a.Logged(func(line map[string]any) bool { return line["logger"] == "grant.admin" })
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d: %v", len(lines), len(want), lines)
	}
	for i, line := range lines {
		want[i]["logger"], want[i]["remote_ip"], want[i]["origin_claim"] = "grant.admin", "127.0.0.1", "http://"+a.admin
		for name, value := range want[i] {
			if fmt.Sprint(line[name]) != value {
				t.Errorf("line %d has %s %v, want %s", i, name, line[name], value)
			}
		}
		if line["client_certificate"] != nil {
			t.Errorf("line %d has a client certificate", i)
		}
	}
}

// A token that was pasted in the wrong place, and the one that is to be explained, are
// in no log, Caddy's own included.
func TestNoTokenIsLogged(t *testing.T) {
	t.Parallel()
	a := startNode(t, t.TempDir(), "", "")
	s := a.login("alice", "web")
	for _, secret := range []string{s.access, s.refresh, a.browser("alice").cookie} {
		_, secret, _ = strings.Cut("="+secret, "=")
		for _, flag := range []string{"--user", "--session", "--subject", "--client"} {
			grantAny(t, "revoke", flag, secret, "--address", a.admin)
		}
		grantAny(t, "unlock", secret, "--address", a.admin)
		if _, err := a.client(t).Server("default").Explain(t.Context(), adminapi.ExplainRequest{Token: secret}); err != nil {
			t.Error(err)
		}
		for _, part := range strings.Split(secret, ".") {
			if log := a.RawLog(); strings.Contains(log, part[:min(len(part), 40)]) && len(part) > 20 {
				t.Errorf("a part of a token is in the log: %s", part)
			}
		}
	}
}

func (n *node) client(t *testing.T) *adminapi.Client {
	t.Helper()
	client, err := adminapi.NewClient(adminapi.Endpoint{Address: n.admin})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestOverAUnixSocketTheLineNamesIt(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "admin") // short: the path of a socket is bounded
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "admin.sock")
	a := startNode(t, t.TempDir(), "", "unix/"+socket)
	a.grant(0, "revoke", "--user", "alice")
	grant(t, 0, "revoke", "--user", "bob", "--config", a.Path("node.caddyfile"))
	lines := a.audited("sessions revoked by operator")
	if len(lines) != 2 || lines[0]["socket"] != socket || lines[1]["of"] != "bob" || lines[0]["remote_ip"] != nil || lines[0]["origin_claim"] != nil {
		t.Errorf("audit lines: %v", lines)
	}
}

// What a page in the operator's browser can send does not get past Caddy.
func TestPagesCannotChangeAnything(t *testing.T) {
	t.Parallel()
	a := startNode(t, t.TempDir(), "", "")
	for _, test := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"a page of another site", []string{"Origin: https://evil.example"}, 403},
		{"a page without an origin", []string{"Origin: null"}, 400},
		{"a form without a preflight", []string{"Sec-Fetch-Mode: no-cors"}, 400},
		{"a name that was bound to the loopback", []string{"Host: evil.example"}, 403},
		{"a form from nowhere", []string{"Content-Type: text/plain"}, 415},
		{"the operator", nil, 200},
	} {
		r := a.Request(http.MethodPost, "http://"+a.admin+"/grant/servers/default/revoke", `{"user":"alice"}`, "Content-Type: application/json")
		for _, header := range test.headers {
			name, value, _ := strings.Cut(header, ": ")
			if r.Header.Set(name, value); name == "Host" {
				r.Host = value
			}
		}
		if got := a.Do(r); got.Status != test.status {
			t.Errorf("%s: %d %s", test.name, got.Status, got.Body)
		}
	}
	if lines := a.audited("sessions revoked by operator"); len(lines) != 1 {
		t.Errorf("audit lines: %v", lines)
	}
}

// With remote admin the line has the client certificate of the operator, and Caddy's
// permissions bound what it is good for.
func TestTheLineHasTheCertificateOfRemoteAdmin(t *testing.T) {
	t.Parallel()
	a := startNode(t, t.TempDir(), "", "")
	anna, onlooker := harness.NewClientCertificate(t, "anna"), harness.NewClientCertificate(t, "onlooker")
	port := harness.FreePort(t)
	a.loadWith(t, fmt.Sprintf(`{
		"listen": %q,
		"identity": {"identifiers": ["localhost"], "issuers": [{"module": "internal"}]},
		"remote": {
			"listen": "127.0.0.1:%d",
			"access_control": [
				{"public_keys": [%q]},
				{"public_keys": [%q], "permissions": [{"paths": ["/grant"], "methods": ["GET"]}]}
			]
		}
	}`, a.admin, port, anna.Base64, onlooker.Base64))
	var authority struct {
		Root string `json:"root_certificate"`
	}
	response := a.Do(a.Request(http.MethodGet, "http://"+a.admin+"/pki/ca/local", ""))
	if err := json.Unmarshal(response.Body, &authority); err != nil {
		t.Fatal(err)
	}
	as := func(c harness.ClientCertificate) []string {
		return []string{"--address", fmt.Sprintf("https://localhost:%d", port), "--cert", c.Path, "--key", c.Key, "--ca", a.Write("root.pem", authority.Root)}
	}
	harness.Eventually(t, "the endpoint has its certificate", func() bool {
		_, _, status := grantAny(t, append([]string{"status"}, as(anna)...)...)
		return status == 0
	})
	grant(t, 0, append([]string{"status"}, as(onlooker)...)...)
	if _, errs := grant(t, 1, append([]string{"revoke", "--user", "bob"}, as(onlooker)...)...); !strings.Contains(errs, "not authorized") {
		t.Errorf("an onlooker revokes: %s", errs)
	}
	grant(t, 1, append([]string{"status"}, as(harness.NewClientCertificate(t, "stranger"))...)...)
	grant(t, 0, append([]string{"revoke", "--user", "alice"}, as(anna)...)...)
	lines := a.audited("sessions revoked by operator")
	if len(lines) != 1 {
		t.Fatalf("audit lines: %v", lines)
	}
	who, _ := lines[0]["client_certificate"].(map[string]any)
	if who["subject"] != "CN=anna,O=Example" || who["serial"] != "feed" || lines[0]["origin_claim"] != nil {
		t.Errorf("the audit line is %v", lines[0])
	}
}

// loadWith loads the config of the node with another section "admin".
func (n *node) loadWith(t *testing.T, section string) {
	t.Helper()
	adapted, err := harness.Adapt(n.text(""))
	if err != nil {
		t.Fatal(err)
	}
	config := make(map[string]json.RawMessage)
	if err := json.Unmarshal(adapted, &config); err != nil {
		t.Fatal(err)
	}
	apps := make(map[string]json.RawMessage)
	if err := json.Unmarshal(config["apps"], &apps); err != nil {
		t.Fatal(err)
	}
	// its root is not for the machine of the test
	apps["pki"] = json.RawMessage(`{"certificate_authorities": {"local": {"install_trust": false}}}`)
	if config["apps"], err = json.Marshal(apps); err != nil {
		t.Fatal(err)
	}
	config["admin"] = json.RawMessage(section)
	content, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	cmd := harness.CaddyCommand(t.Context(), t, t.TempDir(), "reload", "--config", n.Write("remote.json", string(content)), "--address", n.admin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
