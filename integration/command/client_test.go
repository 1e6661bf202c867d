package command

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

var secretOnly = regexp.MustCompile(`^[0-9a-f]{64}\n$`)

// secret is what a command printed on stdout, which must be a secret and nothing else.
func (d desk) secret(args ...string) string {
	d.t.Helper()
	e := d.grant("", args...)
	if e.status != 0 || !secretOnly.MatchString(e.stdout) {
		d.t.Fatalf("caddy grant %q: exit status %d: %q\n%s", args, e.status, e.stdout, e.stderr)
	}
	secret := strings.TrimSpace(e.stdout)
	if strings.Contains(e.stderr, secret) {
		d.t.Errorf("the secret is on stderr: %s", e.stderr)
	}
	return secret
}

// secretHash is the hash of a client in a file.
func (d desk) secretHash(file, id string) string {
	d.t.Helper()
	var content struct {
		Clients []struct {
			ID   string
			Hash string `json:"secret_hash"`
		}
	}
	if err := json.Unmarshal([]byte(d.read(file)), &content); err != nil {
		d.t.Fatal(err)
	}
	for _, c := range content.Clients {
		if c.ID == id {
			return c.Hash
		}
	}
	d.t.Fatalf("there is no client %s in\n%s", id, d.read(file))
	return ""
}

func TestAClientGetsASecretThatIsPrintedOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	secret := d.secret("client", "add", "web", "--file", "clients.json", "--scopes", "contacts.read,contacts.write", "--default_scopes", "contacts.read",
		"--grants", "password", "--audience", "api", "--access-token-ttl", "15m", "--introspect", "other", "--end-user-ip", "X-End-User-IP")
	hash := d.secretHash("clients.json", "web")
	wantHash(t, hash, "sha256-crypt rounds=5000", secret)
	if got, want := d.read("clients.json"), `{
  "clients": [
    {
      "id": "web",
      "secret_hash": "`+hash+`",
      "scopes": ["contacts.read", "contacts.write"],
      "default_scopes": ["contacts.read"],
      "grants": ["password"],
      "audience": ["api"],
      "access_token_ttl": "15m",
      "introspect": ["other"],
      "end_user_ip": "X-End-User-IP"
    }
  ]
}
`; got != want {
		t.Errorf("the file is\n%s\nwant\n%s", got, want)
	}

	another := d.secret("client", "rotate-secret", "web", "--file", "clients.json")
	if another == secret {
		t.Error("the secret is the same")
	}
	wantHash(t, d.secretHash("clients.json", "web"), "sha256-crypt rounds=5000", another)

	wantText(t, d.do("", "client", "add", "kiosk", "--file", "clients.json", "--public"), "Added the client kiosk")
	table := d.grant("", "client", "list", "--file", "clients.json").stdout
	if want := "ID     SCOPES                        GRANTS    AUDIENCE  SECRET\nweb    contacts.read contacts.write  password  api       sha256-crypt rounds=5000\nkiosk  -                             -         -         public\n"; table != want {
		t.Errorf("the list is\n%s\nwant\n%s", table, want)
	}
	d.do("", "client", "remove", "web", "--file", "clients.json")
	if got := d.read("clients.json"); strings.Contains(got, "web") || !strings.Contains(got, "kiosk") {
		t.Errorf("the file is\n%s", got)
	}
}

// Several kinds of hashes take different times, so a new one is as the others.
func TestANewSecretIsHashedAsTheOthersAre(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "clients.json", `{"clients": [{"id": "old", "secret_hash": "OTHER"}]}`)
	wantHash(t, d.secretHash("clients.json", "old"), "argon2id m=47104,t=1,p=1", "correct horse")
	secret := d.secret("client", "add", "web", "--file", "clients.json")
	wantHash(t, d.secretHash("clients.json", "web"), "argon2id m=47104,t=1,p=1", secret)
	secret = d.secret("client", "add", "app", "--file", "clients.json", "--algorithm", "bcrypt", "--bcrypt-cost", "10")
	wantHash(t, d.secretHash("clients.json", "app"), "bcrypt cost 10", secret)
}

func TestClientsOfAnHtpasswdFileHaveASecretAndNothingElse(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "clients", "old:"+harness.HashCheap+"\n")
	secret := d.secret("client", "rotate-secret", "old", "--file", "clients")
	wantHash(t, strings.TrimSpace(strings.TrimPrefix(d.read("clients"), "old:")), "sha256-crypt rounds=5000", secret)
	d.secret("client", "add", "web", "--file", "clients")
	d.refuse("", "names and hashes and no scopes", "client", "add", "app", "--file", "clients", "--scopes", "read")
	d.refuse("", "names and hashes and no public", "client", "add", "app", "--file", "clients", "--public")
	if got := strings.Count(d.read("clients"), "\n"); got != 2 {
		t.Errorf("there are %d lines", got)
	}
}

// A secret that is not printed is of no use, so the command fails.
func TestASecretThatCannotBePrintedIsSaid(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	cmd := harness.CaddyCommand(t.Context(), t, d.dir, "grant", "client", "add", "web", "--file", "clients.json")
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	var stderr strings.Builder
	cmd.Stdout, cmd.Stderr = full, &stderr
	if err := cmd.Run(); err == nil {
		t.Error("it does not fail")
	}
	wantText(t, stderr.String(), "the secret could not be printed, and is lost: run \"caddy grant client rotate-secret\"")
}

func TestAServiceIsAClientWithASecretAndAGrantOfItsOwn(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.secret("client", "add", "backup", "--file", "clients.json", "--grants", "client_credentials")
	if content := d.read("clients.json"); !strings.Contains(content, `"grants": ["client_credentials"]`) {
		t.Errorf("the file is %s", content)
	}
	before := d.read("clients.json")
	if e := d.grant("", "client", "add", "page", "--file", "clients.json", "--public", "--grants", "client_credentials"); e.status == 0 ||
		!strings.Contains(e.stderr, "a public client may not have client_credentials") || d.read("clients.json") != before {
		t.Errorf("status %d: %s", e.status, e.stderr)
	}
}
