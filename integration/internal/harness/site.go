// Package harness runs caddy-grant in a real Caddy that listens on loopback, in this
// process ([Site]) or in one of its own ([Process]), and has what the tests of several
// packages share: requests as clients, attackers and browsers send them, apps behind
// the edge, sites to serve, and a look at the log, the metrics and the storage.
package harness

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddygrant/caddy-grant"
)

// Site is a Caddy that serves one config. In this process there is one at a time, since
// a process has one running config: tests that start one must not be parallel, unless
// it is [Apart].
type Site struct {
	T       *testing.T
	Dir     string // of the test: %DIR% in configs
	Port    int    // free when the test began: %PORT% in configs
	TLSPort int    // another one: %TLSPORT%
	Client  *http.Client

	apart *apart // nil: its Caddy is in this process
	log   *readLog
}

// GlobalOptions keep the server off the machine: no admin API, nothing in the home.
const GlobalOptions = `{
	admin off
	persist_config off
	skip_install_trust
	https_port %TLSPORT%
	storage file_system "%DIR%/storage"
	log default {
		output file "%DIR%/log.json" {
			mode 0644
		}
		format json
		level DEBUG
	}
	%OPTIONS%
}
`

// WithoutPKI is [GlobalOptions] without skip_install_trust, which brings Caddy's own
// certificate authority along: it writes to the storage, and does not start without it.
var WithoutPKI = strings.NewReplacer("\tskip_install_trust\n", "", "%OPTIONS%", "").Replace(GlobalOptions)

// Start serves the sites of a Caddyfile until the test ends.
func Start(t *testing.T, sites string) *Site {
	t.Helper()
	s := NewSite(t)
	s.Reload("", sites)
	return s
}

// StartWith does the same with more global options.
func StartWith(t *testing.T, options, sites string) *Site {
	t.Helper()
	s := NewSite(t)
	s.Reload(options, sites)
	return s
}

// NewSite has a directory and ports, and serves nothing until Reload.
func NewSite(t *testing.T) *Site {
	t.Helper()
	s := newSite(t)
	t.Cleanup(func() {
		s.Client.CloseIdleConnections()
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping Caddy: %v", err)
		}
	})
	return s
}

func newSite(t *testing.T) *Site {
	t.Helper()
	s := &Site{T: t, Dir: tempDir(t), Port: FreePort(t), TLSPort: FreePort(t), log: new(readLog)}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	s.Client = &http.Client{Transport: transport, Timeout: time.Minute}
	t.Cleanup(transport.CloseIdleConnections)
	return s
}

// tempDir is a directory that is removed when what a config had begun to write at its end
// is there.
func tempDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() {
		for range 100 {
			if os.RemoveAll(dir) == nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	return dir
}

// Reload changes the running config and fails the test if Caddy refuses it.
func (s *Site) Reload(options, sites string) {
	s.T.Helper()
	if err := s.TryReload(options, sites); err != nil {
		s.T.Fatalf("loading the config: %v", err)
	}
}

// TryReload changes the running config, even to an equal one.
func (s *Site) TryReload(options, sites string) error {
	s.T.Helper()
	text := strings.Replace(GlobalOptions, "%OPTIONS%", options, 1) + sites
	if s.apart != nil {
		text = strings.Replace(text, "admin off", "admin "+s.apart.admin, 1)
	}
	config, err := Adapt(s.Expand(text))
	switch {
	case err != nil:
		return err
	case s.apart != nil:
		return s.apart.load(s, config)
	}
	return s.Load(config)
}

// Expand replaces %DIR%, %PORT% and %TLSPORT%.
func (s *Site) Expand(text string) string {
	return strings.NewReplacer("%DIR%", s.Dir, "%PORT%", strconv.Itoa(s.Port), "%TLSPORT%", strconv.Itoa(s.TLSPort)).Replace(text)
}

// Adapt turns a Caddyfile into JSON.
func Adapt(caddyfile string) ([]byte, error) {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	return config, err
}

// Write puts a file into the test's directory and returns its path.
func (s *Site) Write(name, content string) string {
	s.T.Helper()
	path := filepath.Join(s.Dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.T.Fatal(err)
	}
	return path
}

// Address is the plain port's.
func (s *Site) Address() string { return fmt.Sprintf("127.0.0.1:%d", s.Port) }

// URL of a path on the plain port.
func (s *Site) URL(path string) string { return "http://" + s.Address() + path }

// WriteOld puts a file in the test's directory that was written an hour ago. A broken
// file is then refused at once: a young one might be half written, and is tried again.
func (s *Site) WriteOld(name, content string) string {
	s.T.Helper()
	path := s.Write(name, content)
	hourAgo := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, hourAgo, hourAgo); err != nil {
		s.T.Fatal(err)
	}
	return path
}

// Path of a file in the test's directory.
func (s *Site) Path(name string) string { return filepath.Join(s.Dir, name) }

// For is the site for a test of its own.
func (s *Site) For(t *testing.T) *Site {
	other := *s
	other.T = t
	return &other
}

// Restart ends the running config, so that nothing of it is left in the process, and
// nothing in the storage of the failures that it had counted.
func (s *Site) Restart(options, sites string) {
	s.T.Helper()
	if err := caddy.Stop(); err != nil {
		s.T.Fatalf("stopping Caddy: %v", err)
	}
	told, err := filepath.Glob(filepath.Join(StorageOf(s), "grant", "*", "failures"))
	for _, folder := range told {
		err = cmp.Or(err, os.RemoveAll(folder))
	}
	if err != nil {
		s.T.Fatal(err)
	}
	s.Reload(options, sites)
}

// WantLoadError fails the test unless there is an error that holds all of the texts.
func WantLoadError(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", texts)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("no %q in the error: %v", text, err)
		}
	}
}
