//go:build unix

package realserver

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Postgres is a PostgreSQL on loopback, as initdb leaves it but for its settings. Its
// superuser is named grant.
type Postgres struct {
	bin      string
	dir      string
	port     int
	password string
	settings []string            // beyond those of its files
	as       *syscall.Credential // it does not run as root
	process  *Process
}

// NewPostgres makes the data directory of a PostgreSQL, which [Postgres.Start] starts.
// Without a password it trusts all who connect. Settings are written as
// "max_connections=100".
func NewPostgres(password string, settings ...string) (*Postgres, error) {
	bin, err := postgresPrograms()
	if err != nil {
		return nil, err
	}
	p, err := newPostgres(Postgres{bin: bin, password: password, settings: settings})
	if err != nil {
		return nil, err
	}
	options := []string{"--pgdata", p.data(), "--username", "grant", "--encoding", "UTF8", "--locale", "C", "--no-sync"}
	if password == "" {
		options = append(options, "--auth", "trust")
	} else {
		file := filepath.Join(p.dir, "password")
		if err := os.WriteFile(file, []byte(password), 0o644); err != nil {
			return nil, errors.Join(err, p.Close())
		}
		options = append(options, "--auth", "scram-sha-256", "--pwfile", file)
	}
	if err := p.run("initdb", options...); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// NewStandby makes a copy of a server that runs, which follows it once it is started.
func (p *Postgres) NewStandby() (*Postgres, error) {
	standby, err := newPostgres(Postgres{bin: p.bin, password: p.password, settings: p.settings})
	if err != nil {
		return nil, err
	}
	err = standby.run("pg_basebackup", "--host", "127.0.0.1", "--port", strconv.Itoa(p.port), "--username", "grant",
		"--pgdata", standby.data(), "--write-recovery-conf", "--checkpoint", "fast", "--no-sync")
	if err != nil {
		return nil, errors.Join(err, standby.Close())
	}
	return standby, nil
}

// newPostgres adds a port, a directory and a user to run as.
func newPostgres(p Postgres) (_ *Postgres, err error) {
	if p.as, err = notRoot(); err != nil {
		return nil, err
	}
	if p.port, err = FreePort(); err != nil {
		return nil, err
	}
	if p.dir, err = p.NewDir(); err != nil {
		return nil, err
	}
	return &p, nil
}

// postgresPrograms is the directory of the programs of the PATH or, as Debian has them in
// no PATH, of the newest of Debian.
func postgresPrograms() (string, error) {
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if initdb, err = filepath.EvalSymlinks(initdb); err == nil {
			return filepath.Dir(initdb), nil // where all of them are
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", errors.New("initdb and postgres are needed: apt-get install postgresql")
	}
	version := func(initdb string) float64 { // 9.6 came before 10
		v, _ := strconv.ParseFloat(strings.Split(initdb, "/")[4], 64)
		return v
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return cmp.Compare(version(a), version(b)) })), nil
}

// notRoot is the user as which the server runs if this program runs as root.
func notRoot() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(found.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(found.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody")
}

// NewDir makes a directory that the server's user can write to, which is not one of
// testing's: those are root's alone.
func (p *Postgres) NewDir() (string, error) {
	dir, err := os.MkdirTemp("", "caddy-grant-postgres-")
	if err == nil && p.as != nil {
		err = os.Chown(dir, int(p.as.Uid), int(p.as.Gid))
	}
	return dir, err
}

// Command is a program of PostgreSQL, or another one by its path, that runs as the user
// and with the password of the server.
func (p *Postgres) Command(program string, arguments ...string) *exec.Cmd {
	if !strings.Contains(program, "/") {
		program = filepath.Join(p.bin, program)
	}
	cmd := exec.Command(program, arguments...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if p.password != "" {
		cmd.Env = append(cmd.Env, "PGPASSWORD="+p.password)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as}
	return cmd
}

func (p *Postgres) run(program string, arguments ...string) error {
	if out, err := p.Command(program, arguments...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	return nil
}

// Port is where it listens.
func (p *Postgres) Port() int { return p.port }

// Address is where it listens.
func (p *Postgres) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)) }

// Dir is where it keeps its files.
func (p *Postgres) Dir() string { return p.dir }

func (p *Postgres) data() string { return filepath.Join(p.dir, "data") }

// URL is how a client of the superuser finds a database.
func (p *Postgres) URL(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("grant"), Host: p.Address(), Path: database, RawQuery: "sslmode=disable"}
	if p.password != "" {
		u.User = url.UserPassword("grant", p.password)
	}
	return u.String()
}
