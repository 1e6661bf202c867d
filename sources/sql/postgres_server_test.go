package sql_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
)

// postgres is a PostgreSQL of this test on loopback, with a data directory of its own.
type postgres struct {
	t    *testing.T
	bin  string
	dir  string
	port int
	as   *syscall.Credential // it does not run as root
	cmd  *exec.Cmd
}

const (
	// postgresPassword has what an URI needs escaped.
	postgresPassword = "p%40ss%2Fw0rd%25"
	plainPassword    = "p@ss/w0rd%"
)

// needPostgres skips what is no part of what a checkout needs, so the variable says
// that PostgreSQL is there; then it must be.
func needPostgres(t *testing.T) (bin string) {
	t.Helper()
	if os.Getenv("CADDY_GRANT_POSTGRES") == "" {
		t.Skip("set CADDY_GRANT_POSTGRES where PostgreSQL is installed")
	}
	if initdb, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(initdb)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // where Debian has it
	if len(found) == 0 {
		t.Fatal("initdb and postgres are needed for this test: apt-get install postgresql")
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1])
}

// newPostgres makes and starts a server that has the tables.
func newPostgres(t *testing.T) *postgres {
	t.Helper()
	p := &postgres{t: t, bin: needPostgres(t), port: freePort(t)}
	var err error
	if p.dir, err = os.MkdirTemp("", "caddy-grant-postgres-"); err != nil { // t.TempDir is root's alone
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(p.dir) })
	t.Cleanup(p.stop)
	if os.Getuid() == 0 {
		p.as = credential(t, "postgres", "nobody")
		if err := os.Chown(p.dir, int(p.as.Uid), int(p.as.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	password := filepath.Join(p.dir, "password")
	if err := os.WriteFile(password, []byte(plainPassword), 0o644); err != nil {
		t.Fatal(err)
	}
	initdb := p.command("initdb", "--pgdata", p.dir+"/data", "--username", "grant", "--pwfile", password,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	p.start()
	run(t, p.db(), schema)
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

func (p *postgres) command(name string, arguments ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, name), arguments...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as}
	return cmd
}

// start returns when the server answers.
func (p *postgres) start() {
	p.t.Helper()
	p.launch()
	db := p.db()
	for range 200 {
		if db.PingContext(context.Background()) == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	text, _ := os.ReadFile(p.dir + "/log")
	p.t.Fatalf("PostgreSQL does not answer:\n%s", text)
}

// launch starts the server and does not wait for it.
func (p *postgres) launch() {
	p.t.Helper()
	log, err := os.OpenFile(p.dir+"/log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	p.cmd = p.command("postgres", "-D", p.dir+"/data", "-p", strconv.Itoa(p.port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=40")
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// stop ends the server as a service manager does: connections are closed.
func (p *postgres) stop() { p.end(syscall.SIGINT) }

// crash ends it as when it is killed: it recovers at the next start.
func (p *postgres) crash() { p.end(syscall.SIGQUIT) }

func (p *postgres) end(signal os.Signal) {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(signal)
	_ = p.cmd.Wait()
	p.cmd = nil
}

// back starts it if it is not running.
func (p *postgres) back() {
	if p.cmd == nil {
		p.start()
	}
}

func (p *postgres) dsn() string {
	return fmt.Sprintf("postgres://grant:%s@127.0.0.1:%d/postgres?sslmode=disable", postgresPassword, p.port)
}

// db is a pool of the test itself, which finds the server again after a restart.
func (p *postgres) db() *sql.DB {
	p.t.Helper()
	db, err := sql.Open("pgx", p.dsn()+"&application_name=test")
	if err != nil {
		p.t.Fatal(err)
	}
	db.SetMaxIdleConns(0)
	p.t.Cleanup(func() { db.Close() })
	return db
}
