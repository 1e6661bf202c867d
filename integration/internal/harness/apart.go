package harness

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/caddygrant/caddy-grant/internal/keyring"
)

// Tests that wait, such as for a token to end, wait side by side: each has a Caddy
// [Apart], which is the program of the tests once more. So nothing more is built, the
// race detector sees it if it is on, and its pace is that of [Site].

// beCaddy is the environment variable that makes the program of the tests a caddy.
const beCaddy = "CADDY_GRANT_TEST_IS_CADDY"

// atOnce is how many tests run side by side, unless -parallel says it: more than there
// are cores, since what they do is to wait.
const atOnce = "8"

// Main is TestMain of the packages that have a Caddy [Apart].
func Main(m *testing.M) {
	if os.Getenv(beCaddy) != "" {
		keyring.FollowEvery = 500 * time.Millisecond
		caddycmd.Main()
		return
	}
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", atOnce); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// quickCaddyCommand is [CaddyCommand] with the program of the tests, in their directory.
func quickCaddyCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := commandIn(context.Background(), t, "", program, args...)
	cmd.Env = append(cmd.Env, beCaddy+"=1")
	return cmd
}

// apart is the process of a site.
type apart struct {
	admin   string // address
	process *Process
}

// Apart serves the sites of a Caddyfile until the test ends, from a process of its own:
// such tests may be parallel. The package needs [Main].
func Apart(t *testing.T, sites string) *Site {
	t.Helper()
	return ApartWith(t, "", sites)
}

// ApartIn does the same after prepare has written the files that the sites need.
func ApartIn(t *testing.T, sites string, prepare func(*Site)) *Site {
	t.Helper()
	s := newSite(t)
	s.apart = &apart{admin: fmt.Sprintf("127.0.0.1:%d", FreePort(t))}
	prepare(s)
	s.Reload("", sites)
	return s
}

// ApartWith does the same with more global options.
func ApartWith(t *testing.T, options, sites string) *Site {
	t.Helper()
	s := newSite(t)
	s.apart = &apart{admin: fmt.Sprintf("127.0.0.1:%d", FreePort(t))}
	s.Reload(options, sites)
	return s
}

// Admin is the address of the admin endpoint of a site that is [Apart].
func (s *Site) Admin() string { return s.apart.admin }

// load is caddy.Load in the process of the site.
func (a *apart) load(s *Site, config []byte) error {
	if a.process == nil {
		return a.start(s, config)
	}
	request, err := http.NewRequestWithContext(s.T.Context(), http.MethodPost, "http://"+a.admin+"/load", bytes.NewReader(config))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Cache-Control", "must-revalidate") // even if it is equal
	response, err := s.Client.Do(request)
	if err != nil {
		return err
	}
	defer s.waitForOldServers()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(string(body))
	}
	return err
}

func (a *apart) start(s *Site, config []byte) (err error) {
	a.process, err = startRunning(s.T, quickCaddyCommand(s.T, "run", "--config", s.Write("apart.json", string(config))))
	return err
}
