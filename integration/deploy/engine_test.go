package deploy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// engine is Podman with images, containers and a network of its own: its commands run
// in namespaces that end with it.
type engine struct {
	dir    string
	holder *exec.Cmd
	pid    string // of the first process in the namespaces
	stop   func() error
}

// needEngine returns the one engine of the tests, with the image built by the command
// of the docs. A checkout does not need it, so the variable says that it is there.
func needEngine(t *testing.T) *engine {
	t.Helper()
	if os.Getenv("CADDY_GRANT_PODMAN") == "" {
		t.Skip("set CADDY_GRANT_PODMAN where Podman is installed and the tests run as root")
	}
	e, err := theEngine()
	if err != nil {
		t.Fatal(err)
	}
	built.Do(func() {
		e.standIns(t)
		copyCheckout(t, filepath.Join(e.dir, "checkout"))
		t.Log(e.run(t, onHostNetwork, "cd checkout\n"+docsBlock(t, "sh image-build")))
		done = true
	})
	if !done {
		t.Fatal("the image was not built")
	}
	return e
}

var (
	built sync.Once
	done  bool

	theEngine = sync.OnceValues(startEngine)
)

func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv("CADDY_GRANT_PODMAN") != "" {
		if e, err := theEngine(); err == nil {
			e.close()
		}
	}
	os.Exit(code)
}

// Go's caches stand for the builder's. crun refuses a machine that has cgroups of both
// versions, as some virtual machines do.
const setUp = `
if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi
mkdir -p tmp/buildah-cache/go/pkg/mod tmp/buildah-cache/root/.cache/go-build
mount --bind "$(go env GOMODCACHE)" tmp/buildah-cache/go/pkg/mod
mount --bind "$(go env GOCACHE)" tmp/buildah-cache/root/.cache/go-build
ip link set lo up
echo ready
cat
`

// The limits are below what a machine without CAP_SYS_RESOURCE may set.
const containersConf = `
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
[network]
network_backend = "netavark"
network_config_dir = "%s/networks"
`

// podman has images and containers of its own. A build takes the host's Go and network.
const podman = `#!/bin/sh
if [ "$1" = build ]; then
	shift
	set -- build --format docker --layers=false --pull=never --network host --volume "$(go env GOROOT):/usr/local/go:ro" "$@"
fi
exec /usr/bin/podman --root %[1]s/images --runroot %[1]s/run "$@"
`

// docker is what the docs call. podman-compose prints its own words among those of a
// command that it executes.
const docker = `#!/bin/sh
[ "$1" = compose ] || exec podman "$@"
shift
if [ "$1 $2" = "exec -T" ]; then
	id=$(podman ps --quiet --filter "label=com.docker.compose.service=$3")
	shift 3
	exec podman exec --interactive "$id" "$@"
fi
exec podman-compose "$@"
`

func startEngine() (*engine, error) {
	dir, err := os.MkdirTemp("", "caddy-grant-deploy-")
	if err != nil {
		return nil, err
	}
	e := &engine{dir: dir}
	for name, text := range map[string]string{
		"containers.conf": fmt.Sprintf(containersConf, dir),
		"bin/podman":      fmt.Sprintf(podman, dir),
		"bin/docker":      docker,
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			return nil, err
		}
	}
	e.holder = exec.Command("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-euc", setUp)
	e.holder.Dir = dir
	e.holder.Stderr = os.Stderr
	stdin, err := e.holder.StdinPipe()
	if err != nil {
		return nil, err
	}
	e.stop = stdin.Close // cat ends, and with it all that runs in the namespaces
	stdout, err := e.holder.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := e.holder.Start(); err != nil {
		return nil, err
	}
	if line, _ := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		return nil, errors.New("no namespaces for containers: is this root?")
	}
	unshare := e.holder.Process.Pid
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", unshare, unshare))
	if err != nil {
		return nil, err
	}
	e.pid = strings.TrimSpace(string(children))
	return e, nil
}

func (e *engine) close() {
	for _, command := range []string{"podman rm --all --force --time 0", "podman system reset --force"} {
		if out, err := e.command(inside, command).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n%s", command, err, out)
		}
	}
	_ = e.stop()
	_ = e.holder.Wait()
	_ = os.RemoveAll(e.dir)
}

// where a command runs: containers are started inside, images are built on the host's
// network.
type where []string

var (
	inside        = where{"--net", "--mount", "--pid"}
	onHostNetwork = where{"--mount", "--pid"}
)

// command is a command of a shell, which begins in the engine's directory.
func (e *engine) command(where where, command string) *exec.Cmd {
	args := append([]string{"--target", e.pid, "--wd=" + e.dir}, where...)
	cmd := exec.Command("nsenter", append(args, "sh", "-euc", command)...)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(e.dir, "bin")+":"+os.Getenv("PATH"),
		"CONTAINERS_CONF="+filepath.Join(e.dir, "containers.conf"), "TMPDIR="+filepath.Join(e.dir, "tmp"))
	return cmd
}

// run runs a command and returns what it printed.
func (e *engine) run(t *testing.T, where where, command string, stdin ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := e.command(where, command)
	cmd.Stdin = strings.NewReader(strings.Join(stdin, ""))
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s\n%v\n%s%s", command, err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

// fails runs a command that must fail.
func (e *engine) fails(t *testing.T, command string) {
	t.Helper()
	if out, err := e.command(inside, command).CombinedOutput(); err == nil {
		t.Errorf("it does not fail: %s\n%s", command, out)
	}
}

// eventually waits until a command succeeds and prints a text.
func (e *engine) eventually(t *testing.T, command, want string) {
	t.Helper()
	var out []byte
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		var err error
		if out, err = e.command(inside, command).CombinedOutput(); err == nil && strings.Contains(string(out), want) {
			return
		}
	}
	t.Fatalf("%s\nprints %q, want %q", command, out, want)
}

// standIns builds what stands for the two base images, which come from a registry: what
// this Dockerfile takes from them, as their own Dockerfiles make it, with busybox for
// the system.
func (e *engine) standIns(t *testing.T) {
	t.Helper()
	const system = `FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
COPY ca-certificates.crt /etc/ssl/certs/
RUN echo root:x:0:0:root:/root:/bin/sh >/etc/passwd
RUN mkdir -p /root /tmp /usr/bin /usr/local/bin && chmod 1777 /tmp
ENV PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
`
	bases := stages(t)
	for i, rest := range []string{
		"ENV GOTOOLCHAIN=local GOPATH=/go\nWORKDIR /go\n",
		`RUN mkdir -p /config/caddy /data/caddy /etc/caddy && chmod 1777 /config/caddy /data/caddy && echo :80 >/etc/caddy/Caddyfile
ENV XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data
EXPOSE 80 443 443/udp 2019
WORKDIR /srv
`,
	} {
		dir := filepath.Join(e.dir, fmt.Sprintf("base%d", i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(system+rest), 0o600); err != nil {
			t.Fatal(err)
		}
		e.run(t, onHostNetwork, `cp "$(command -v busybox)" /etc/ssl/certs/ca-certificates.crt `+dir+`
podman build --quiet --tag docker.io/library/`+bases[i].BaseName+" "+dir)
	}
}

// copyCheckout copies what is in the checkout, without what git keeps.
func copyCheckout(t *testing.T, to string) {
	t.Helper()
	out, err := exec.Command("git", "-C", inRepo(t, "."), "ls-files", "--cached", "--others", "--exclude-standard", "-z").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		content, err := os.ReadFile(inRepo(t, name))
		if errors.Is(err, os.ErrNotExist) {
			continue // removed, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
