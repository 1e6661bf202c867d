package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// theRun is a Caddy and a Prometheus that reads its metrics, in a directory of their own.
type theRun struct {
	dir        string
	caddy      string // the address of its site
	prometheus prometheus
	processes  []*exec.Cmd
	hashes     []string // of thePassword
	key        string   // for scripts
}

const thePassword = "correct-horse"

// caddyfile has a check of each kind. Its outside issuer has the keys of the server. Requests say which address they come from, so that
// there are many.
const caddyfile = `{
	admin off
	persist_config off
	auto_https off
	storage file_system %[1]s/storage
	servers {
		trusted_proxies static 127.0.0.0/8
		trusted_proxies_strict
	}
}

http://%[2]s {
	bind 127.0.0.1
	token_endpoint {
		issuer http://%[2]s
		users htpasswd %[1]s/users.htpasswd
		api_keys lines %[1]s/keys
		refresh_grace 0s
		client app {
			public
		}
		client web {
			secret web-secret
		}
	}
	bearer_auth /app
	bearer_auth /write {
		scopes write
	}
	bearer_auth /open {
		optional
	}
	bearer_auth /trial {
		shadow
	}
	bearer_auth /script {
		keys
		issuer https://id.example.com {
			jwks_url http://%[2]s/token/jwks
			audience app
		}
	}
	respond "the app"
}

http://%[3]s {
	bind 127.0.0.1
	metrics
}
`

// prometheusConfig names files as they are named in the docs.
const prometheusConfig = `global:
  scrape_interval: %[1]s
  scrape_timeout: %[1]s
scrape_configs:
  - job_name: caddy
    static_configs:
      - targets: [%[2]s]
        labels:
          instance: edge
    metric_relabel_configs:
      - source_labels: [path]
        regex: %[3]s/(.*)
        target_label: path
        replacement: /etc/caddy/$1
`

// startRun builds Caddy and starts both.
func startRun(ctx context.Context, root string, scrape time.Duration) (r *theRun, err error) {
	if _, err := exec.LookPath("prometheus"); err != nil {
		return nil, fmt.Errorf("%w: install it, or name another one with -prometheus", err)
	}
	dir, err := os.MkdirTemp("", "dashboard")
	if err != nil {
		return nil, err
	}
	r = &theRun{dir: dir}
	defer func() {
		if err != nil {
			r.stop()
		}
	}()
	binary := r.path("caddy")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/caddy")
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building Caddy: %w\n%s", err, output)
	}
	for _, kind := range [][]string{{"bcrypt", "--bcrypt-cost", "10"}, {"argon2id"}} {
		args := append([]string{"hash-password", "--plaintext", thePassword, "--algorithm"}, kind...)
		hash, err := exec.CommandContext(ctx, binary, args...).Output()
		if err != nil {
			return nil, fmt.Errorf("hashing a password: %w", err)
		}
		r.hashes = append(r.hashes, strings.TrimSpace(string(hash)))
	}
	if err := r.writeUsers(40); err != nil {
		return nil, err
	}

	key, err := exec.CommandContext(ctx, binary, "grant", "key", "add", "nightly", "--user", "user1", "--file", r.path("keys")).Output()
	if err != nil {
		return nil, fmt.Errorf("making an API key: %w", err)
	}
	r.key = strings.TrimSpace(string(key))

	var addresses [3]string
	for i := range addresses {
		if addresses[i], err = freeAddress(); err != nil {
			return nil, err
		}
	}
	r.caddy = addresses[0]
	metrics := addresses[1]
	r.prometheus = prometheus{"http://" + addresses[2]}
	if err := errors.Join(
		os.WriteFile(r.path("Caddyfile"), fmt.Appendf(nil, caddyfile, dir, r.caddy, metrics), 0o600),
		os.WriteFile(r.path("prometheus.yml"), fmt.Appendf(nil, prometheusConfig, scrape, metrics, dir), 0o600),
	); err != nil {
		return nil, err
	}
	if err := r.start(ctx, "http://"+metrics+"/metrics", binary, "run", "--config", "Caddyfile"); err != nil {
		return nil, err
	}
	return r, r.start(ctx, r.prometheus.url+"/-/ready", "prometheus", "--config.file=prometheus.yml",
		"--storage.tsdb.path=data", "--web.listen-address="+addresses[2])
}

func (r *theRun) path(name string) string { return filepath.Join(r.dir, name) }

// writeUsers replaces the users file by one of user0, user1 and so on, of whom every
// fourth has an argon2id hash.
func (r *theRun) writeUsers(n int) error {
	var lines strings.Builder
	for i := range n {
		hash := r.hashes[0]
		if i%4 == 3 {
			hash = r.hashes[1]
		}
		fmt.Fprintf(&lines, "user%d:%s\n", i, hash)
	}
	return r.replaceUsers(lines.String())
}

func (r *theRun) replaceUsers(text string) error {
	if err := os.WriteFile(r.path("users.new"), []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(r.path("users.new"), r.path("users.htpasswd"))
}

// start runs a program until stop, and waits until it answers.
func (r *theRun) start(ctx context.Context, ready string, program string, args ...string) error {
	log, err := os.Create(r.path(filepath.Base(program) + ".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.dir, log, log
	cmd.Env = append(os.Environ(), "HOME="+r.dir, "XDG_DATA_HOME=", "XDG_CONFIG_HOME=")
	if err := cmd.Start(); err != nil {
		return err
	}
	r.processes = append(r.processes, cmd)
	for range 600 {
		if response, err := http.Get(ready); err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	output, _ := os.ReadFile(log.Name())
	return fmt.Errorf("%s does not answer:\n%s", program, output)
}

// stop ends both and removes what they left.
func (r *theRun) stop() {
	for _, cmd := range r.processes {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	_ = os.RemoveAll(r.dir)
}

// freeAddress returns an address on which nothing listens.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
