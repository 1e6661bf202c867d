package postgres_test

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
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// server is a PostgreSQL of these tests on loopback, with a data directory of its own.
type server struct {
	t    testing.TB
	bin  string
	dir  string
	port int
	as   *syscall.Credential // it does not run as root
	cmd  *exec.Cmd
	set  []string // settings beyond its files
}

const (
	// urlPassword has what a URL needs escaped.
	urlPassword   = "p%40ss%2Fw0rd%25"
	plainPassword = "p@ss/w0rd%"
)

// needPostgres skips what is no part of what a checkout needs, so the variable says
// that PostgreSQL is there; then it must be.
func needPostgres(t testing.TB) (bin string) {
	t.Helper()
	if os.Getenv("CADDY_GRANT_POSTGRES") == "" {
		t.Skip("set CADDY_GRANT_POSTGRES where PostgreSQL is installed")
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // where Debian has it
	if len(found) == 0 {
		initdb, err := exec.LookPath("initdb")
		if err != nil {
			t.Fatal("initdb and postgres are needed for this test: apt-get install postgresql")
		}
		found = []string{initdb}
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1])
}

// newServer makes and starts a server that ends with the test.
func newServer(t testing.TB, settings ...string) *server {
	t.Helper()
	s := &server{t: t, bin: needPostgres(t), port: freePort(t), set: settings}
	s.dir = s.folder()
	t.Cleanup(func() { os.RemoveAll(s.dir) })
	t.Cleanup(s.stop)
	password := filepath.Join(s.dir, "password")
	if err := os.WriteFile(password, []byte(plainPassword), 0o644); err != nil {
		t.Fatal(err)
	}
	s.run("initdb", "--pgdata", s.dir+"/data", "--username", "grant", "--pwfile", password,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	s.start()
	return s
}

// folder makes one that the server's user can write to.
func (s *server) folder() string {
	dir, err := os.MkdirTemp("", "caddy-grant-sessions-") // t.TempDir is root's alone
	if err != nil {
		s.t.Fatal(err)
	}
	if os.Getuid() == 0 {
		s.as = credential(s.t, "postgres", "nobody")
		if err := os.Chown(dir, int(s.as.Uid), int(s.as.Gid)); err != nil {
			s.t.Fatal(err)
		}
	}
	return dir
}

func credential(t testing.TB, names ...string) *syscall.Credential {
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

func (s *server) command(path string, arguments ...string) *exec.Cmd {
	if !strings.Contains(path, "/") {
		path = filepath.Join(s.bin, path)
	}
	cmd := exec.Command(path, arguments...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PGPASSWORD="+plainPassword)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	return cmd
}

func (s *server) run(path string, arguments ...string) {
	s.t.Helper()
	if out, err := s.command(path, arguments...).CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v\n%s", path, err, out)
	}
}

// start returns when the server answers.
func (s *server) start() {
	s.t.Helper()
	log, err := os.OpenFile(s.dir+"/log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	arguments := []string{
		"-D", s.dir + "/data", "-p", strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "max_connections=150", "-c", "shared_buffers=32MB",
	}
	for _, setting := range s.set {
		arguments = append(arguments, "-c", setting)
	}
	s.cmd = s.command("postgres", arguments...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.awaits()
}

func (s *server) awaits() {
	s.t.Helper()
	for range 400 {
		conn, err := pgx.Connect(context.Background(), s.url("postgres")+"&connect_timeout=1")
		if err == nil {
			conn.Close(context.Background())
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	text, _ := os.ReadFile(s.dir + "/log")
	s.t.Fatalf("PostgreSQL does not answer:\n%s", text)
}

// all are the process of the server and its children.
func (s *server) all() (pids []int) {
	pid := s.cmd.Process.Pid
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	pids = []int{pid}
	for child := range strings.FieldsSeq(string(text)) {
		n, _ := strconv.Atoi(child)
		pids = append(pids, n)
	}
	return pids
}

// signal sends one to all processes of the server.
func (s *server) signal(signal syscall.Signal) {
	for _, pid := range s.all() {
		_ = syscall.Kill(pid, signal)
	}
}

// kill ends all processes at once, as `kill -9` does.
func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGSTOP) // so that it makes no more
	for _, pid := range s.all()[1:] {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.gone()
	s.cmd = nil
}

// gone returns when no process has the server's shared memory, which stays after a kill,
// and removes it.
func (s *server) gone() {
	lock, _ := os.ReadFile(s.dir + "/data/postmaster.pid")
	lines := strings.Split(string(lock), "\n") // of which the seventh has the key and the ID of the memory
	if len(lines) < 7 || len(strings.Fields(lines[6])) != 2 {
		return
	}
	id := strings.Fields(lines[6])[1]
	for range 400 {
		text, _ := os.ReadFile("/proc/sysvipc/shm")
		attached := false
		for line := range strings.Lines(string(text)) {
			block := strings.Fields(line)
			attached = attached || len(block) > 6 && block[1] == id && block[6] != "0"
		}
		if !attached {
			const remove = 0 // IPC_RMID
			n, _ := strconv.Atoi(id)
			_, _, _ = syscall.Syscall(syscall.SYS_SHMCTL, uintptr(n), remove, 0)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Fatal("processes of PostgreSQL stay")
}

// stop ends it at once, and leaves no shared memory behind as kill does.
func (s *server) stop() {
	if s.cmd != nil {
		s.end(syscall.SIGQUIT)
	}
}

// end ends it with a signal: SIGINT closes the connections first.
func (s *server) end(signal syscall.Signal) {
	_ = s.cmd.Process.Signal(signal)
	_ = s.cmd.Wait()
	s.cmd = nil
}

func (s *server) url(database string) string {
	return fmt.Sprintf("postgres://grant:%s@127.0.0.1:%d/%s?sslmode=disable", urlPassword, s.port, database)
}

// database makes a new one, and a pool of the test itself in it.
func (s *server) database(t testing.TB) (url string, db *pgxpool.Pool) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.url("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	databases.Lock()
	databases.n++
	name := fmt.Sprintf("test%d", databases.n)
	databases.Unlock()
	if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return s.url(name), connect(t, s.url(name))
}

var databases struct {
	sync.Mutex
	n int
}

func connect(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	db, err := pgxpool.New(t.Context(), url+"&application_name=test&default_query_exec_mode=exec")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// run executes a statement of the test.
func run(t testing.TB, db *pgxpool.Pool, sql string, parameters ...any) {
	t.Helper()
	if _, err := db.Exec(t.Context(), sql, parameters...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// value is that of a statement of the test.
func value[T any](t testing.TB, db *pgxpool.Pool, sql string, parameters ...any) (v T) {
	t.Helper()
	if err := db.QueryRow(t.Context(), sql, parameters...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// shared is a server for all tests that leave it as it is.
var shared struct {
	sync.Mutex
	*server
}

func sharedServer(t testing.TB) *server {
	t.Helper()
	needPostgres(t)
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		shared.server = newServer(holder{t})
	}
	return shared.server
}

// holder has what a test leaves behind stay until all have ended.
type holder struct{ testing.TB }

func (holder) Cleanup(f func()) { atEnd = append(atEnd, f) }

var atEnd []func()

func TestMain(m *testing.M) {
	code := m.Run()
	for _, f := range slices.Backward(atEnd) {
		f()
	}
	os.Exit(code)
}
