package deploy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// container is the id of a service's container.
func (e *engine) container(t *testing.T, service string) string {
	t.Helper()
	id := strings.TrimSpace(e.run(t, inside, "podman ps --quiet --filter label=com.docker.compose.service="+service))
	if id == "" || strings.Contains(id, "\n") {
		t.Fatalf("the containers of %s: %q", service, id)
	}
	return id
}

// The stack does what docs/deploy.md says, by its own commands.
func TestComposeStackRuns(t *testing.T) {
	e := needEngine(t)
	const here = "cd checkout/examples/compose\n"
	e.run(t, inside, "cd checkout\n"+docsBlock(t, "sh compose-up"))
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(e.run(t, inside, here+"docker compose logs edge 2>&1"))
		}
		e.run(t, inside, here+"docker compose down -v")
	})
	login := docsBlock(t, "sh compose-token")
	answer := docsBlock(t, "text compose-answer")
	e.eventually(t, login, answer)
	edge, app := e.container(t, "edge"), e.container(t, "app")
	for _, id := range []string{edge, app} {
		e.eventually(t, "podman healthcheck run "+id, "")
		status := e.run(t, inside, "podman exec "+id+" cat /proc/1/status")
		for _, want := range []string{"Uid:\t65532\t65532\t65532\t65532", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"} {
			if !strings.Contains(status, want+"\n") {
				t.Errorf("want %q in\n%s", want, status)
			}
		}
		e.fails(t, "podman exec "+id+" touch /etc/x /srv/x /usr/bin/caddy")
	}

	const call = `curl -sk -w ' %{http_code}' -H "Authorization: Bearer $(cat token)" -H 'X-User: mallory' https://localhost/contacts`
	e.run(t, inside, login+`printf %s "$TOKEN" >token`)
	if got := e.run(t, inside, call); got != answer+" 200" {
		t.Errorf("with a token: %q", got)
	}
	if got := e.run(t, inside, "curl -sk -o /dev/null -w '%{http_code}' https://localhost/contacts"); got != "401" {
		t.Errorf("without a token: %s", got)
	}

	// the app: reached by the edge alone, and reaching nothing
	e.run(t, inside, "podman exec "+edge+" wget -q -O - http://app:9000/")
	if ports := e.run(t, inside, "podman port "+app); ports != "" {
		t.Errorf("the app publishes %s", ports)
	}
	wayOut := func(id string) bool {
		return strings.Contains(e.run(t, inside, "podman exec "+id+" ip route"), "default via ")
	}
	if wayOut(app) {
		t.Error("the app has a way out")
	}
	if !wayOut(edge) {
		t.Error("the edge has no way out, so that the last test shows nothing")
	}

	// a new secret, and another user
	as := func(user, password, secret string) string {
		return "curl -sk -u web:" + secret + " -d grant_type=password -d username=" + user + " -d password=" + password + " https://localhost/token"
	}
	e.run(t, inside, here+docsBlock(t, "sh compose-secret"))
	secret, err := os.ReadFile(filepath.Join(e.dir, "checkout/examples/compose/secrets/web.secret"))
	if err != nil {
		t.Fatal(err)
	}
	user := strings.Replace(docsBlock(t, "sh compose-user"), "read -rs PASSWORD", "read -r PASSWORD", 1)
	e.run(t, inside, here+user, "carols password\n")
	e.eventually(t, as("carol", "'carols password'", "demo-secret"), `"access_token"`)
	e.eventually(t, as("alice", "alice-password", "demo-secret"), `"invalid_grant"`)
	e.run(t, inside, here+docsBlock(t, "sh compose-reload"))
	e.eventually(t, as("carol", "'carols password'", string(secret)), `"access_token"`)
	e.eventually(t, as("carol", "'carols password'", "demo-secret"), `"invalid_client"`)

	// the keys outlive the container
	kid := e.run(t, inside, "curl -sk https://localhost/token/jwks")
	e.run(t, inside, here+"docker compose down && docker compose up -d")
	e.eventually(t, "curl -sk https://localhost/token/jwks", kid)
}
