package engines

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgresServer is a PostgreSQL of this test on loopback, with a data directory of its
// own. It writes through to the disk, as it does by default.
type postgresServer struct {
	t    *testing.T
	bin  string
	dir  string
	port int
	as   *syscall.Credential // it does not run as root
	cmd  *exec.Cmd
}

func newPostgres(t *testing.T) *postgresServer {
	t.Helper()
	need(t)
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // where Debian has it
	if len(found) == 0 {
		initdb, err := exec.LookPath("initdb")
		if err != nil {
			t.Fatal("initdb and postgres are needed for this test: apt-get install postgresql")
		}
		found = []string{initdb}
	}
	slices.Sort(found)
	dir, err := os.MkdirTemp("", "caddy-grant-engines-") // t.TempDir is root's alone
	if err != nil {
		t.Fatal(err)
	}
	p := &postgresServer{t: t, bin: filepath.Dir(found[len(found)-1]), dir: dir, port: freePort(t)}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Cleanup(p.kill)
	if os.Getuid() == 0 {
		p.as = credential(t, "postgres", "nobody")
		if err := os.Chown(dir, int(p.as.Uid), int(p.as.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	initdb := p.command("initdb", "--pgdata", dir+"/data", "--username", "grant", "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	p.start()
	return p
}

func credential(t *testing.T, names ...string) *syscall.Credential {
	t.Helper()
	for _, name := range names {
		if found, err := user.Lookup(name); err == nil {
			uid, _ := strconv.Atoi(found.Uid)
			gid, _ := strconv.Atoi(found.Gid)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	t.Fatal("PostgreSQL does not run as root, and there is no other user")
	return nil
}

func (p *postgresServer) command(name string, arguments ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, name), arguments...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as}
	return cmd
}

// start returns when the server answers, which after a crash takes a while.
func (p *postgresServer) start() {
	p.t.Helper()
	log, err := os.OpenFile(p.dir+"/log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	p.cmd = p.command("postgres", "-D", p.dir+"/data", "-p", strconv.Itoa(p.port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "max_connections=100", "-c", "shared_buffers=32MB")
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	for range 400 {
		conn, err := pgx.Connect(context.Background(), "postgres://grant@"+p.address()+"/postgres?sslmode=disable&connect_timeout=1")
		if err == nil {
			conn.Close(context.Background())
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	text, _ := os.ReadFile(p.dir + "/log")
	p.t.Fatalf("PostgreSQL does not answer:\n%s", text[max(0, len(text)-2000):])
}

func (p *postgresServer) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)) }

// postgresLine is the setting for a PostgreSQL at an address.
func postgresLine(address string) string {
	return "postgres postgres://grant@" + address + "/postgres?sslmode=disable"
}

// all are the process of the server and its children.
func (p *postgresServer) all() (pids []int) {
	pid := p.cmd.Process.Pid
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	pids = []int{pid}
	for child := range strings.FieldsSeq(string(text)) {
		n, _ := strconv.Atoi(child)
		pids = append(pids, n)
	}
	return pids
}

// kill ends all processes at once, as when the machine fails.
func (p *postgresServer) kill() {
	if p.cmd == nil {
		return
	}
	p.freeze()
	for _, pid := range p.all()[1:] {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	p.gone()
	p.cmd = nil
}

// freeze stops the process that makes the others, and returns when it makes no more.
func (p *postgresServer) freeze() {
	_ = p.cmd.Process.Signal(syscall.SIGSTOP)
	for range 400 {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		if _, state, _ := strings.Cut(string(stat), ") "); state == "" || state[0] == 'T' || state[0] == 'Z' {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	p.t.Error("PostgreSQL does not stop")
}

// gone returns when no process has the data directory open: killed ones take a moment.
func (p *postgresServer) gone() {
	lock, _ := os.ReadFile(p.dir + "/data/postmaster.pid")
	lines := strings.Split(string(lock), "\n")
	if len(lines) < 7 {
		return
	}
	_, memory, _ := strings.Cut(strings.TrimSpace(lines[6]), " ") // its key and its ID
	memory = strings.TrimSpace(memory)
	for range 400 {
		text, _ := os.ReadFile("/proc/sysvipc/shm")
		attached := false
		for line := range strings.Lines(string(text)) {
			block := strings.Fields(line)
			attached = attached || len(block) > 6 && block[1] == memory && block[6] != "0"
		}
		if !attached {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.t.Error("processes of PostgreSQL stay")
}

// pause has the server stand still, and resume go on with what has come meanwhile.
func (p *postgresServer) pause() {
	p.freeze()
	p.signal(syscall.SIGSTOP)
}

func (p *postgresServer) resume() { p.signal(syscall.SIGCONT) }

func (p *postgresServer) signal(signal syscall.Signal) {
	for _, pid := range p.all() {
		_ = syscall.Kill(pid, signal)
	}
}

// do runs statements of the test itself.
func (p *postgresServer) do(statements ...string) {
	p.t.Helper()
	conn, err := pgx.Connect(p.t.Context(), "postgres://grant@"+p.address()+"/postgres?sslmode=disable")
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, statement := range statements {
		if _, err := conn.Exec(p.t.Context(), statement); err != nil {
			p.t.Fatalf("%s: %v", statement, err)
		}
	}
}
