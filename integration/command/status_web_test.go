package command

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// statusPage is a running `caddy grant status --web`.
type statusPage struct {
	t      *testing.T
	cmd    *exec.Cmd
	link   string
	output io.Reader // of both kinds, after the link
}

func startStatusPage(t *testing.T, args ...string) *statusPage {
	t.Helper()
	cmd := harness.CaddyCommand(context.Background(), t, t.TempDir(), append([]string{"grant", "status", "--web"}, args...)...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = new(bytes.Buffer)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	p := &statusPage{t: t, cmd: cmd, output: stdout}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	p.link = strings.TrimSpace(line)
	if err != nil || !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/open/[A-Z2-7]{26}$`).MatchString(p.link) {
		t.Fatalf("it prints %q, %v: %s", line, err, p.end())
	}
	return p
}

// end waits until the command has ended, and returns what it said.
func (p *statusPage) end() string {
	p.t.Helper()
	_, _ = io.Copy(io.Discard, p.output)
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("it ends with %v", err)
	}
	return p.cmd.Stderr.(*bytes.Buffer).String()
}

// get is what a client with these cookies is answered.
func (p *statusPage) get(jar http.CookieJar, url string) (int, string) {
	p.t.Helper()
	response, err := (&http.Client{Jar: jar}).Get(url)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func (p *statusPage) home() string { return p.link[:strings.Index(p.link, "/open/")+1] }

func TestStatusPageIsForTheFirstThatOpensTheLink(t *testing.T) {
	t.Parallel()
	site, admin, _ := startWatched(t)
	p := startStatusPage(t, "--address", admin)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	if status, body := p.get(jar, p.home()); status != 403 {
		t.Errorf("before the link: %d %s", status, body)
	}
	if status, body := p.get(jar, p.link); status != 200 {
		t.Errorf("the link: %d %s", status, body)
	}
	site.Login("alice", "correct horse").Want(t, 200, "")
	login := regexp.MustCompile(`Logins</th><td>[-0-9.]+</td><td>[01]</td><td>1</td>`)
	harness.Eventually(t, "the login is shown", func() bool {
		status, body := p.get(jar, p.home())
		return status == 200 && login.MatchString(body)
	})
	for _, url := range []string{p.link, p.home()} {
		if status, body := p.get(nil, url); status != 403 || strings.Contains(body, "Logins") {
			t.Errorf("another client at %s: %d %s", url, status, body)
		}
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if said := p.end(); !strings.Contains(said, "It works once.") {
		t.Errorf("it said %q", said)
	}
}

func TestStatusPageEndsWithoutABrowser(t *testing.T) {
	t.Parallel()
	p := startStatusPage(t, "--address", "127.0.0.1:1", "--idle", "1s")
	if said := p.end(); !strings.Contains(said, "No browser has asked for the page for 1s: it has ended.") {
		t.Errorf("it said %q", said)
	}
}

func TestStatusRefusesFlagsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--open":                 "--open needs --web",
		"--port 8000":            "--port needs --web",
		"--idle 1m":              "--idle needs --web",
		"--web --json":           "cannot be used together",
		"--web --server default": "cannot be used together",
		"--web --idle 1ms":       "must be at least 1s",
		"--web --port 70000":     "the page has no port",
		"--address localhost:1 --address localhost:2": "use --web, or caddy grant top",
	} {
		cmd := harness.CaddyCommand(t.Context(), t, t.TempDir(), append([]string{"grant", "status"}, strings.Fields(args)...)...)
		if output, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(output), want) {
			t.Errorf("%s: %v: %s", args, err, output)
		}
	}
}
