package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is a Caddy process with a directory of its own.
type server struct {
	name    string
	dir     string
	address string
	site    string // what is in its one site
	globals string
	cmd     *exec.Cmd
	admin   *http.Client
	ended   chan struct{}

	ready time.Duration // from the start of the process until it answers and all is started
}

// start runs a Caddy with one site on loopback and waits until it answers. What the run leaves behind is in a
// directory of the name, also what was there before.
func (b *bench) start(ctx context.Context, name, binary, globals, site string) (*server, error) {
	return b.startOn(ctx, anyCore, name, binary, globals, site)
}

// startPinned is start on the core that is for servers.
func (b *bench) startPinned(ctx context.Context, name, binary, globals, site string) (*server, error) {
	return b.startOn(ctx, b.cores.server, name, binary, globals, site)
}

func (b *bench) startOn(ctx context.Context, core int, name, binary, globals, site string) (*server, error) {
	s := &server{name: name, dir: b.path(name), site: site, globals: globals, ended: make(chan struct{})}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	if s.address, err = freeAddress(); err != nil {
		return nil, err
	}
	socket := filepath.Join(s.dir, "admin")
	s.admin = &http.Client{
		Timeout: time.Minute,
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}},
	}
	config := filepath.Join(s.dir, "Caddyfile")
	if err := os.WriteFile(config, []byte(s.caddyfile(0)), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(s.logPath())
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd = exec.Command(binary, "run", "--config", config, "--adapter", "caddyfile")
	s.cmd.Dir = s.dir
	s.cmd.Env = append(os.Environ(), "HOME="+s.dir, "XDG_DATA_HOME=", "XDG_CONFIG_HOME=")
	s.cmd.Stdout, s.cmd.Stderr = log, log

	begun := time.Now()
	if err := onCore(core, s.cmd.Start); err != nil {
		return nil, err
	}
	go func() {
		defer close(s.ended)
		_ = s.cmd.Wait()
	}()
	if err := s.awaitReady(ctx); err != nil {
		s.stop()
		return nil, err
	}
	s.ready = time.Since(begun)
	return s, nil
}

// path is that of something in the directory of the run.
func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// caddyfile is the config of the server; another version is another config.
func (s *server) caddyfile(version int) string {
	return fmt.Sprintf(`{
	admin unix/%s
	persist_config off
	storage file_system %s
	auto_https off
	%s
}
http://%s {
	bind 127.0.0.1
	header X-Version %d
	respond /ready "ready"
	%s
}
`, filepath.Join(s.dir, "admin"), filepath.Join(s.dir, "storage"), s.globals, s.address, version, s.site)
}

func (s *server) logPath() string { return filepath.Join(s.dir, "log") }

func (s *server) pid() int { return s.cmd.Process.Pid }

func (s *server) url(path string) string { return "http://" + s.address + path }

func (s *server) awaitReady(ctx context.Context) error {
	c := newClient()
	for deadline := time.Now().Add(time.Minute); ; {
		a, err := c.get(ctx, s.url("/ready"), nil)
		// apps start in any order, and HTTP may be ready before the keys are
		if err == nil && a.expect(http.StatusOK, "ready") == nil && s.logged("serving initial configuration", "level", new(string)) == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ended:
			return fmt.Errorf("%s: Caddy ended at once:\n%s", s.name, s.lastLines())
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: Caddy does not answer:\n%s", s.name, s.lastLines())
		}
	}
}

// stop ends the process.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(15 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
}

// reload loads another version of the config, as `caddy reload` does, and returns how long it took. A config that is the
// one in force already would be no reload, so it looks whether the new one is.
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
	r, err := http.NewRequestWithContext(ctx, method, "http://admin"+path, strings.NewReader(caddyfile))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "text/caddyfile")
	answer, err := s.admin.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: status %d: %.300s", s.name, path, answer.StatusCode, body)
	}
	return body, err
}

// goroutines is how many the process has.
func (s *server) goroutines(ctx context.Context) (float64, error) {
	return s.profile(ctx, "goroutine?debug=1", goroutineTotal)
}

// liveHeap is what a garbage collection leaves, in MiB.
func (s *server) liveHeap(ctx context.Context) (float64, error) {
	bytes, err := s.profile(ctx, "heap?debug=1&gc=1", heapAlloc)
	return bytes / (1 << 20), err
}

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
	content, err := os.ReadFile(s.logPath())
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

func (s *server) lastLines() string {
	content, _ := os.ReadFile(s.logPath())
	return string(content[max(0, len(content)-3000):])
}

// freeAddress returns an address on which nothing listens.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// sleep waits unless the run ends.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

var (
	goroutineTotal = regexp.MustCompile(`goroutine profile: total (\d+)`)
	heapAlloc      = regexp.MustCompile(`# HeapAlloc = (\d+)`)
)
