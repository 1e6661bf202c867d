package deploy

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// The image has the module, and is set as the Dockerfile says.
func TestImageIsBuilt(t *testing.T) {
	e := needEngine(t)
	modules := e.run(t, inside, "podman run --rm --network none caddy-grant caddy list-modules")
	for _, module := range []string{"http.handlers.token_endpoint", "http.handlers.bearer_auth"} {
		if !slices.Contains(strings.Fields(modules), module) {
			t.Errorf("the image's Caddy lacks %s", module)
		}
	}
	var images []struct {
		User   string
		Config struct {
			Cmd     []string
			Volumes map[string]any
		}
		Healthcheck struct{ Test []string }
	}
	if err := json.Unmarshal([]byte(e.run(t, inside, "podman image inspect caddy-grant")), &images); err != nil {
		t.Fatal(err)
	}
	image := images[0]
	if image.User != "65532:65532" || len(image.Config.Volumes) != 2 || image.Config.Cmd[0] != "caddy" {
		t.Errorf("the image is %+v", image)
	}
	if test := image.Healthcheck.Test; len(test) < 2 || test[0] != "CMD" {
		t.Errorf("the health check is %q", test)
	}
}

// A container without anything but its volumes writes nowhere else.
func TestImageRunsReadOnly(t *testing.T) {
	e := needEngine(t)
	e.run(t, inside, `mkdir site && printf '%s\n' '{' 'skip_install_trust' '}' 'localhost {' 'token_endpoint {' 'client cli {' public '}' \
	"users htpasswd /etc/caddy/users.htpasswd" '}' '}' >site/Caddyfile
cp checkout/examples/htpasswd/users.htpasswd site/
podman run --detach --name plain --read-only --read-only-tmpfs=false --cap-drop ALL --security-opt no-new-privileges \
	--sysctl net.ipv4.ip_unprivileged_port_start=0 --publish 127.0.0.1:8443:443 --volume ./site:/etc/caddy:ro caddy-grant`)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(e.run(t, inside, "podman logs plain 2>&1"))
		}
		e.run(t, inside, "podman rm --force --volumes --time 0 plain")
	})
	e.eventually(t, "curl -sk --resolve localhost:8443:127.0.0.1 -d grant_type=password -d client_id=cli -d username=alice -d password=alice-password https://localhost:8443/token", `"access_token"`)
	e.eventually(t, "podman healthcheck run plain", "")
	for line := range strings.Lines(e.run(t, inside, "podman diff plain")) {
		// what the engine itself makes for a user without a name, and for the mounts
		if !slices.Contains([]string{"C /etc", "A /etc/passwd", "A /etc/group", "C /var", "A /var", "A /var/tmp"}, strings.TrimSpace(line)) {
			t.Errorf("it wrote: %s", line)
		}
	}
	if logs := e.run(t, inside, "podman logs plain 2>&1"); strings.Contains(logs, `"level":"error"`) {
		t.Errorf("errors in the log:\n%s", logs)
	}
}

// A volume that root wrote to, as Caddy's own image does, can be taken over.
func TestVolumeOfRootIsTakenOver(t *testing.T) {
	e := needEngine(t)
	t.Cleanup(func() { e.run(t, inside, "podman volume rm caddy_data") })
	e.run(t, inside, "podman run --rm --user 0 --volume caddy_data:/data caddy-grant sh -c 'chown root /data/caddy && mkdir -m 700 /data/caddy/pki'")
	const write = "podman run --rm --volume caddy_data:/data caddy-grant touch /data/caddy/pki/x"
	e.fails(t, write)
	e.run(t, inside, docsBlock(t, "sh image-owner"))
	e.run(t, inside, write)
}

// A Caddy that does not answer is not healthy.
func TestHealthCheckFails(t *testing.T) {
	e := needEngine(t)
	var command []string
	for _, c := range stages(t)[1].Commands {
		if check, ok := c.(*instructions.HealthCheckCommand); ok {
			command = check.Health.Test[1:]
		}
	}
	if len(command) == 0 {
		t.Fatal("the Dockerfile has no health check")
	}
	e.fails(t, "podman run --rm --network none caddy-grant "+strings.Join(command, " "))
	e.run(t, inside, "mkdir "+filepath.Join(e.dir, "nosite"))
	e.fails(t, "podman run --rm --network none --volume ./nosite:/etc/caddy caddy-grant") // and none starts without a Caddyfile
}
