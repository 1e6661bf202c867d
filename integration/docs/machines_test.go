package docs

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// machineGroups execute docs/machines.md, as far as other programs do not.
var machineGroups = []group{
	{"a service gets a token for itself", []string{"machine-client", "machine-request", "machine-claims"}, testMachine},
}

func testMachine(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	shell(t, r.etc, blocks["machine-client"].text, "")
	secret, err := os.ReadFile(filepath.Join(r.etc, "backup.secret"))
	if err != nil {
		t.Fatal(err)
	}
	r.Write("etc/backup.secret", "backup-secret")
	r.Write("etc/prometheus.secret", "prometheus-secret")
	r.serve(blocks["machine-site"].text)
	head, body, _ := strings.Cut(strings.TrimSuffix(blocks["machine-request"].text, "\n"), "\n\n")
	head = strings.Replace(head, "Host: api.example.com", "Host: "+r.Address(), 1)
	w := r.Dial()
	w.Send(fmt.Sprintf("%s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", strings.ReplaceAll(head, "\n", "\r\n"), len(body), body))
	a := w.Receive()
	a.Want(t, 200, "")
	_, got := harness.Decoded(t, a.Text(t, "access_token"))
	var want map[string]any
	if err := json.Unmarshal([]byte(blocks["machine-claims"].text), &want); err != nil {
		t.Fatal(err)
	}
	sameMembers(t, blocks["machine-claims"], decodePart(t, a.Text(t, "access_token"), 1))
	for _, name := range []string{"iss", "sub", "cid", "client_id", "scope", "gty"} {
		if got[name] != want[name] {
			t.Errorf("%s is %v, the page has %v", name, got[name], want[name])
		}
	}

	// the client that the command has added
	site := strings.Replace(blocks["machine-site"].text, "users htpasswd", "clients json /etc/caddy/clients.json\n\t\tusers htpasswd", 1)
	before, after, _ := strings.Cut(site, "\t\tclient backup {")
	_, after, _ = strings.Cut(after, "\t\t}\n")
	r.serve(before + after)
	a = r.Post("/token", "grant_type=client_credentials&client_id=backup&client_secret="+string(secret))
	a.Want(t, 200, "")
	if scope := a.Text(t, "scope"); scope != "backups.write" {
		t.Errorf("its scope is %q", scope)
	}
}
