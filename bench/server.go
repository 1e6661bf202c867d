package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// setup is what a Caddy is started with.
type setup struct {
	name    string
	program string // "caddy", unless another one is named
	globals string
	site    string // what is in its one site
	storage string // the directory of its storage; its own, unless another one is named
	pinned  bool   // to the core that is for servers
	procs   int    // of Go, see withProcs; 0: as many as it has cores

	users int    // how many there are in the htpasswd file "users" of its directory
	hash  string // what all of them have
}

// server is a Caddy process with its own directory.
type server struct {
	process
	setup setup
	dir   string
	admin *client

	ready time.Duration // from the start of the process until it answers and all is started
}

// start runs a Caddy with one site on loopback and waits until it answers. What the run
// leaves behind is in a directory of that name, including what was there before.
func (b *bench) start(ctx context.Context, with setup) (*server, error) {
	s := &server{setup: with, dir: b.path(with.name), process: process{name: "the Caddy for " + with.name}}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	if s.address, err = freeAddress(); err != nil {
		return nil, err
	}
	if with.users > 0 {
		if err := writeUsers(filepath.Join(s.dir, "users"), with.users, with.hash); err != nil {
			return nil, err
		}
	}
	s.admin = newAdmin(filepath.Join(s.dir, "admin"))
	config := filepath.Join(s.dir, "Caddyfile")
	if err := os.WriteFile(config, []byte(s.caddyfile(0)), 0o600); err != nil {
		return nil, err
	}
	program, core := cmp.Or(with.program, "caddy"), anyCore
	if with.pinned {
		core = b.cores.server
	}
	s.cmd = exec.Command(b.path(program), "run", "--config", config, "--adapter", "caddyfile")
	s.cmd.Dir = s.dir
	s.cmd.Env = append(withProcs(with.procs), "HOME="+s.dir, "XDG_DATA_HOME=", "XDG_CONFIG_HOME=")
	begun := time.Now()
	err = s.process.start(ctx, b, core, func() bool {
		// apps start in any order, and HTTP may be ready before the keys are
		return s.logged("serving initial configuration", "level", new(string)) == nil
	})
	s.ready = time.Since(begun)
	return s, err
}

// newAdmin is for the admin API, which listens on a socket.
func newAdmin(socket string) *client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return &client{http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial}, Timeout: time.Minute}}
}

// caddyfile is the config of the server; another version is another config. A site may
// import the client of this program.
func (s *server) caddyfile(version int) string {
	return fmt.Sprintf(`{
	admin unix/%s
	persist_config off
	storage file_system %s
	auto_https off
	%s
}
(client) {
	client %s {
		secret %s
		scopes read
	}
}
http://%s {
	bind 127.0.0.1
	header X-Version %d
	respond /ready "ready"
	%s
}
`, filepath.Join(s.dir, "admin"), cmp.Or(s.setup.storage, filepath.Join(s.dir, "storage")), s.setup.globals, clientID, clientSecret, s.address, version, s.setup.site)
}

// reload loads another version of the config, as `caddy reload` does, and returns how
// long it took. Caddy ignores a config that is already active, so it checks that the
// new config is.
func (s *server) reload(ctx context.Context, version int) (time.Duration, error) {
	begun := time.Now()
	if _, err := s.ask(ctx, http.MethodPost, "/load", s.caddyfile(version)); err != nil {
		return 0, fmt.Errorf("reloading: %w", err)
	}
	took := time.Since(begun)
	config, err := s.ask(ctx, http.MethodGet, "/config/", "")
	if err == nil && !bytes.Contains(config, fmt.Appendf(nil, `"X-Version":["%d"]`, version)) {
		err = fmt.Errorf("%s: the config is not version %d after a reload: %.300s", s.name, version, config)
	}
	return took, err
}

// ask sends a request to the admin API.
func (s *server) ask(ctx context.Context, method, path, caddyfile string) ([]byte, error) {
	a, err := s.admin.send(ctx, method, "http://admin"+path, caddyfile, map[string]string{"Content-Type": "text/caddyfile"})
	if err == nil {
		err = a.expect(http.StatusOK, "")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", s.name, path, err)
	}
	return a.body, nil
}

// profile returns a number of a profile that the admin API has.
func (s *server) profile(ctx context.Context, name string, number *regexp.Regexp) (float64, error) {
	body, err := s.ask(ctx, http.MethodGet, "/debug/pprof/"+name, "")
	if err != nil {
		return 0, err
	}
	match := number.FindSubmatch(body)
	if match == nil {
		return 0, fmt.Errorf("%s: the profile %s has no %s", s.name, name, number)
	}
	return strconv.ParseFloat(string(match[1]), 64)
}

// logged returns a field of the first log line with that message.
func (s *server) logged(message, field string, into any) error {
	content, err := os.ReadFile(s.log)
	if err != nil {
		return err
	}
	for line := range bytes.Lines(content) {
		var fields map[string]json.RawMessage
		if json.Unmarshal(line, &fields) == nil && string(fields["msg"]) == strconv.Quote(message) {
			return json.Unmarshal(fields[field], into)
		}
	}
	return fmt.Errorf("%s: the log has no %q", s.name, message)
}

var (
	goroutineTotal = regexp.MustCompile(`goroutine profile: total (\d+)`)
	heapAlloc      = regexp.MustCompile(`# HeapAlloc = (\d+)`)
)
