package deploy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// machine is a small Debian: its own /etc and the host's /usr, of which it gets a copy
// to write to. systemd hands on credentials by a shared mount.
const machine = `
mkdir -p debian/root && cd debian/root
mkdir -p etc/systemd/system etc/caddy etc/ssl/certs var/lib var/log run tmp proc sys dev root usr work
for dir in bin sbin lib lib64; do ln -s usr/$dir $dir; done
printf '%s\n' 'root:x:0:0::/root:/bin/sh' 'caddy:x:999:999::/var/lib/caddy:/usr/sbin/nologin' >etc/passwd
printf '%s\n' 'root:x:0:' 'caddy:x:999:' >etc/group
: >etc/machine-id
cp /etc/ssl/certs/ca-certificates.crt etc/ssl/certs/
cp -r ../../checkout/examples work/
cp ../../checkout/examples/htpasswd/users.htpasswd etc/caddy/
printf 'FROM scratch\nCOPY root/ /\n' >../Dockerfile
podman build --quiet --tag debian ..
podman run --detach --name debian --privileged --systemd=always --network none --volume /usr:/usr:O debian \
	sh -c 'mount --make-rshared / && exec /lib/systemd/systemd --unit=basic.target'
`

// The drop-in under a real systemd, on the unit of Debian's package, by the commands of
// the docs.
func TestSystemdRunsTheDropIn(t *testing.T) {
	e := needEngine(t)
	e.run(t, inside, machine)
	t.Cleanup(func() { e.run(t, inside, "podman rm --force --time 0 debian") })
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(e.dir, "file")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		e.run(t, inside, "podman cp file debian:"+name)
	}
	in := func(command string) string {
		t.Helper()
		return e.run(t, inside, "podman exec --interactive --workdir /work debian sh -eu", "sudo() { \"$@\"; }\n"+command)
	}
	e.eventually(t, "podman exec debian systemctl is-active basic.target", "active")

	unit, err := os.ReadFile("testdata/caddy.service")
	if err != nil {
		t.Fatal(err)
	}
	// There is no network to wait for.
	write("/etc/systemd/system/caddy.service", strings.Replace(string(unit), "Requires=network-online.target\n", "", 1))
	const options = "{\n\tskip_install_trust\n}\n"
	e.run(t, inside, "podman create --name binary caddy-grant && podman cp binary:/usr/bin/caddy binary && podman rm binary && podman cp binary debian:/work/caddy")
	// no client has a secret yet
	write("/etc/caddy/Caddyfile", options+"localhost {\n\ttoken_endpoint {\n\t\tusers htpasswd /etc/caddy/users.htpasswd\n\t\tlogin_page\n\t}\n\tbearer_auth\n}\n")
	in(docsBlock(t, "sh systemd-install"))
	in(docsBlock(t, "sh systemd-restart"))
	if got := in("curl -sk -o page -w '%{http_code}' https://localhost/token/login"); got != "200" {
		t.Fatalf("the login page: %s\n%s", got, in("journalctl --no-pager -u caddy"))
	}
	write("/work/web.secret", "first-secret")
	in(docsBlock(t, "sh systemd-secret"))
	write("/etc/caddy/Caddyfile", options+strings.Replace(docsBlock(t, "caddyfile systemd-site"), "api.example.com", "localhost", 1))
	in(docsBlock(t, "sh systemd-restart"))

	login := func(secret string) string {
		return in("curl -sk -u web:" + secret + " -d grant_type=password -d username=alice -d password=alice-password https://localhost/token")
	}
	if got := login("first-secret"); !strings.Contains(got, `"access_token"`) {
		t.Fatalf("%s\n%s", got, in("journalctl --no-pager -u caddy"))
	}
	status := in("cat /proc/$(systemctl show --value -p MainPID caddy)/status")
	for _, want := range []string{"Uid:\t999\t999\t999\t999", "CapEff:\t0000000000000400", "CapBnd:\t0000000000000400", "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(status, want+"\n") {
			t.Errorf("want %q in\n%s", want, status)
		}
	}
	in("systemd-analyze verify caddy.service && systemd-analyze security --threshold=20 caddy.service")
	e.fails(t, "podman exec debian systemd-analyze security --threshold=10 caddy.service") // it is below what it is

	// a credential is read at a start, not at a reload
	write("/etc/caddy/web.secret", "second-secret")
	in("sudo systemctl reload caddy")
	if got := login("second-secret"); !strings.Contains(got, "invalid_client") {
		t.Errorf("after a reload: %s", got)
	}
	in("sudo systemctl restart caddy")
	if got := login("second-secret"); !strings.Contains(got, `"access_token"`) {
		t.Errorf("after a restart: %s", got)
	}
	if log := in("journalctl --no-pager -u caddy"); strings.Contains(log, `"level":"error"`) {
		t.Errorf("errors in the log:\n%s", log)
	}
}
