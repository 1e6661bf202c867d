package docs

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

var adminGroups = []group{
	{"an operator changes a running Caddy", []string{
		"admin-status", "admin-sessions", "lost-device", "lost-device-all", "unlock-user", "unlock-address", "revoke-all",
		"admin-curl", "admin-revoked", "audit-log", "audit-line", "running-caddy", "leaver-file", "leaver-revoke",
	}, testOperator},
	{"the admin endpoint on a socket", []string{"admin-socket", "admin-address"}, testAdminSocket},
	{"the admin endpoint of another machine", []string{"remote-admin", "remote-status"}, testRemoteAdmin},
}

// operated is a Caddy at whose admin endpoint the commands of the docs arrive.
type operated struct {
	*harness.Site
	admin   string // address of the endpoint
	process *harness.Process
}

// operate starts a Caddy with these global options, or the default admin endpoint. The
// users alice and carol have the password "correct horse".
func operate(t *testing.T, options string) *operated {
	t.Helper()
	o := &operated{Site: harness.NewSite(t), admin: fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))}
	t.Setenv("CADDY_ADMIN", o.admin) // what Caddy and the commands take for the default
	if err := os.Mkdir(o.Path("etc"), 0o700); err != nil {
		t.Fatal(err)
	}
	o.Write("etc/users.htpasswd", "alice:"+harness.HashCheap+"\ncarol:"+harness.HashCheapAnother+"\n")
	o.Write("etc/Caddyfile", o.Expand(o.there(strings.TrimSuffix(options, "}\n"))+`
	persist_config off
	storage file_system "%DIR%/storage"
}
http://127.0.0.1:%PORT% {
	token_endpoint {
		issuer https://auth.example.com
		users  htpasswd %DIR%/etc/users.htpasswd
		throttle {
			delay 1h 1h
		}
		client web {
			secret web-secret
		}
	}
	bearer_auth /app
	respond /app "in"
	respond "the app"
}
`))
	o.process = harness.StartProcess(t, o.Site.Dir, "etc/Caddyfile")
	return o
}

// there puts the places of the test in a text of the docs.
func (o *operated) there(text string) string {
	return strings.NewReplacer("sudo ", "", "/etc/caddy", o.Path("etc"), "/var/log/caddy", o.Path("log"), "localhost:2019", o.admin).Replace(text)
}

// run runs a block of the docs.
func (o *operated) run(b block, env ...string) string {
	o.T.Helper()
	return shell(o.T, o.Dir, o.there(b.text), "", env...)
}

// ask is what the API answers to a GET.
func (o *operated) ask(path string) string {
	o.T.Helper()
	a := o.Do(o.Request(http.MethodGet, "http://"+o.admin+path, ""))
	a.Want(o.T, 200, "")
	return string(a.Body)
}

func (o *operated) wantOver(session harness.TokenPair) {
	o.T.Helper()
	o.Web().WantOver(o.T, session)
}

func (o *operated) wantGoing(session harness.TokenPair) harness.TokenPair {
	o.T.Helper()
	return o.Web().WantGoing(o.T, session)
}

func testOperator(t *testing.T, blocks map[string]block) {
	o := operate(t, blocks["audit-log"].text)
	sameMembers(t, blocks["admin-status"], o.ask("/grant/servers/default"))

	// a device is lost
	lost, other := o.Web().Login(t, "alice"), o.Web().Login(t, "alice")
	lost = o.wantGoing(lost)
	_, claims := harness.Decoded(t, lost.Access)
	answer := ""
	harness.Eventually(t, "the session is listed", func() bool { // a refresh does not wait for that
		answer = o.ask("/grant/servers/default/sessions?user=alice")
		return strings.Contains(answer, `"sid"`)
	})
	sameMembers(t, blocks["admin-sessions"], answer)
	var got, want struct{ Sessions []json.RawMessage }
	unmarshal(t, answer, &got)
	unmarshal(t, blocks["admin-sessions"].text, &want)
	if len(got.Sessions) != 1 || len(want.Sessions) != 1 {
		t.Fatalf("the sessions are %s", answer)
	}
	sameMembers(t, block{place: blocks["admin-sessions"].place, text: string(want.Sessions[0])}, string(got.Sessions[0]))
	sid := fmt.Sprint(claims["sid"])
	if printed := o.run(blocks["lost-device"], "SESSION="+sid); !strings.Contains(printed, "\n"+sid+"  ") || !strings.Contains(printed, "Revoked session "+sid+".") {
		t.Errorf("it prints %s", printed)
	}
	o.wantOver(lost)
	other = o.wantGoing(other)
	o.run(blocks["lost-device-all"])
	o.wantOver(other)
	sameMembers(t, blocks["audit-line"], o.lastAudited())
	if strings.Contains(o.process.Printed(), "grant.admin") {
		t.Error("the default log has the lines too")
	}

	// a user is locked out
	for _, name := range []string{"unlock-user", "unlock-address"} {
		for i := range 5 {
			o.Login("alice", fmt.Sprint(name, i)).Want(t, 400, "invalid_grant")
		}
		if a := o.Login("alice", "correct horse"); a.Status != http.StatusTooManyRequests {
			t.Fatalf("after wrong passwords: %d %s", a.Status, a.Body)
		}
		o.run(blocks[name])
		o.Login("alice", "correct horse").Want(t, 200, "")
	}

	// by a program
	session := o.Web().Login(t, "alice")
	sameMembers(t, blocks["admin-revoked"], o.run(blocks["admin-curl"]))
	o.wantOver(session)

	// all of them, on a terminal
	session = o.Web().Login(t, "carol")
	if failed := shell(t, o.Dir, "! "+strings.TrimSpace(blocks["revoke-all"].text)+" 2>&1", ""); !strings.Contains(failed, "--yes") {
		t.Errorf("without a terminal it prints %s", failed)
	}
	session = o.wantGoing(session)
	shell(t, o.Dir, strings.TrimSpace(blocks["revoke-all"].text)+" --yes", "")
	o.wantOver(session)

	for line := range strings.Lines(blocks["running-caddy"].text) {
		if shell(t, o.Dir, line, "") == "" {
			t.Errorf("it prints nothing: %s", line)
		}
	}

	// an employee leaves
	leaver, session := o.Web().Login(t, "alice"), o.Web().Login(t, "carol")
	users := o.ask("/grant/servers/default")
	if printed := o.run(blocks["leaver-file"]); !strings.Contains(printed, o.Path("etc/users.htpasswd")+"  users  1 ") {
		t.Errorf("it prints %s", printed)
	}
	o.Login("alice", "correct horse").Want(t, 400, "invalid_grant")
	o.run(blocks["leaver-revoke"])
	o.wantOver(leaver)
	o.wantGoing(session)
	if after := o.ask("/grant/servers/default"); !strings.Contains(users, `"users":{"count":2}`) || !strings.Contains(after, `"users":{"count":1}`) {
		t.Errorf("the state was %s and is %s", users, after)
	}
}

// lastAudited is the last line of the audit log.
func (o *operated) lastAudited() string {
	o.T.Helper()
	content, err := os.ReadFile(o.Path("log/audit.log"))
	if err != nil {
		o.T.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return lines[len(lines)-1]
}

func testAdminSocket(t *testing.T, blocks map[string]block) {
	dir, err := os.MkdirTemp("", "admin") // short: the path of a socket is bounded
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := func(text string) string { return strings.ReplaceAll(text, "/run/caddy", dir) }
	o := operate(t, socket(blocks["admin-socket"].text))
	if info, err := os.Stat(filepath.Join(dir, "admin.sock")); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket is %v, %v", info, err)
	}
	for line := range strings.Lines(blocks["admin-address"].text) {
		if printed := shell(t, o.Dir, o.there(socket(line)), ""); !strings.HasPrefix(printed, "Server default, ") {
			t.Errorf("%s: it prints %s", line, printed)
		}
	}
}

// The config of the docs gets an issuer that needs no public name, and certificates.
func testRemoteAdmin(t *testing.T, blocks map[string]block) {
	o := operate(t, "{\n}\n")
	adapted, err := harness.Adapt(harness.ReadIfThere(t, o.Path("etc/Caddyfile")))
	if err != nil {
		t.Fatal(err)
	}
	config := make(map[string]map[string]any)
	unmarshal(t, string(adapted), &config)
	anna, onlooker := harness.NewClientCertificate(t, "anna"), harness.NewClientCertificate(t, "onlooker")
	port := fmt.Sprint(harness.FreePort(t))
	unmarshal(t, strings.NewReplacer(
		"<DER of a certificate in base64>", anna.Base64, "<DER of another certificate in base64>", onlooker.Base64,
		"edge.example.com", "localhost", ":2021", "127.0.0.1:"+port,
	).Replace(blocks["remote-admin"].text), &config)
	config["admin"]["identity"].(map[string]any)["issuers"] = []any{map[string]any{"module": "internal"}}
	// its root is not for the machine of the test
	config["apps"]["pki"] = map[string]any{"certificate_authorities": map[string]any{"local": map[string]any{"install_trust": false}}}
	encoded, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	o.Write("remote.json", string(encoded))
	shell(t, o.Dir, "caddy reload --config remote.json 2>&1", "")
	var authority struct {
		Root string `json:"root_certificate"`
	}
	unmarshal(t, o.ask("/pki/ca/local"), &authority)
	o.Write("root.pem", authority.Root)
	command := strings.NewReplacer("edge.example.com:2021", "localhost:"+port, "anna.pem", anna.Path, "anna.key", anna.Key).
		Replace(strings.TrimSpace(blocks["remote-status"].text)) + " --ca root.pem"
	harness.Eventually(t, "the endpoint has its certificate", func() bool {
		return strings.HasPrefix(shell(t, o.Dir, command+" 2>&1 || true", ""), "Server default, ")
	})

	looks, err := adminapi.NewClient(adminapi.Endpoint{
		Address: "https://localhost:" + port, Certificate: onlooker.Path, Key: onlooker.Key, Authorities: o.Path("root.pem"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := looks.Servers(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := looks.Server("default").Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "not authorized") {
		t.Errorf("the one who may look reloads: %v", err)
	}
}
