package docs

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/tty"
	"github.com/caddygrant/caddy-grant/internal/standin"
)

var watchGroups = []group{
	{"a person watches nodes in a terminal", []string{"watch", "watch-screen", "watch-nodes"}, testWatch},
	{"a person watches them in a browser", []string{"status-page", "status-page-ssh"}, testStatusPage},
}

// command is a block of the docs as a process, with programs of the test first.
func (o *operated) command(text string, programs map[string]string) *exec.Cmd {
	o.T.Helper()
	binary, err := harness.CaddyBinary()
	if err != nil {
		o.T.Fatal(err)
	}
	dir := o.T.TempDir()
	for name, script := range programs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil { //nolint:gosec // it is a program
			o.T.Fatal(err)
		}
	}
	cmd := exec.CommandContext(context.Background(), "sh", "-euc", "exec "+o.there(text))
	cmd.Dir = o.Dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME=", "XDG_CONFIG_HOME=",
		"PATH="+strings.Join([]string{dir, filepath.Dir(binary), standin.SearchPath(o.T)}, string(os.PathListSeparator)))
	return cmd
}

func testWatch(t *testing.T, blocks map[string]block) {
	o := operate(t, blocks["audit-log"].text)
	watching := tty.Start(t, o.command(blocks["watch"].text, nil), 80, 24)
	watching.UntilShows("server default", "every 2s")
	o.Login("alice", "correct horse").Want(t, 200, "")
	for i := range 5 {
		o.Login("carol", fmt.Sprint(i)).Want(t, 400, "invalid_grant")
	}
	o.Do(o.Request("GET", "/app", "")).Want(t, 401, "")
	shown := watching.UntilShows("bearer_auth: no token", "1 account from one source")
	if got, want := labels(shown), labels(blocks["watch-screen"].text); !slices.Equal(got, want) {
		t.Errorf("%s has the labels %q, in truth they are %q:\n%s", blocks["watch-screen"].place, want, got, shown)
	}
	watching.Press("q")
	if status := watching.End(); status != 0 {
		t.Errorf("after q the status is %d", status)
	}

	nodes := strings.NewReplacer("10.0.0.2:2019", o.admin, "10.0.0.3:2019", fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t)))
	watching = tty.Start(t, o.command(nodes.Replace(blocks["watch-nodes"].text), nil), 80, 50)
	watching.UntilShows("2 nodes", "server default", "NO ANSWER", "connection refused")
}

// labels are what stands at the beginning of the lines of a screen, without figures,
// addresses, and what is wrapped.
func labels(shown string) (found []string) {
	label := regexp.MustCompile(`^ {0,4}[A-Za-z+]\S*( \S+)*?(  |$)`)
	for line := range strings.Lines(shown) {
		name := strings.TrimSpace(label.FindString(strings.TrimRight(line, "\n")))
		if name != "" && !strings.Contains(name, ":2") {
			found = append(found, name)
		}
	}
	return found
}

func testStatusPage(t *testing.T, blocks map[string]block) {
	o := operate(t, blocks["audit-log"].text)
	opened := o.Path("opened")
	programs := map[string]string{
		"xdg-open": `echo "$@" > ` + opened + `.new; mv ` + opened + `.new ` + opened,
		// there is the machine of the test
		"ssh": `[ "$1 $2 $4" = "-t -L edge.example.com" ] || exit 9; echo "$3" > ` + opened + `; shift 4; exec "$@"`,
	}
	port := fmt.Sprint(harness.FreePort(t))
	for name, check := range map[string]func(){
		"status-page": func() {
			harness.Eventually(t, "a browser is opened", func() bool {
				content, err := os.ReadFile(opened)
				return err == nil && strings.HasPrefix(string(content), "file:///")
			})
		},
		"status-page-ssh": func() {
			if content, err := os.ReadFile(opened); err != nil || strings.TrimSpace(string(content)) != port+":127.0.0.1:"+port {
				t.Errorf("ssh forwards %q, %v", content, err)
			}
		},
	} {
		cmd := o.command(strings.ReplaceAll(blocks[name].text, "8123", port), programs)
		output, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		line, _ := bufio.NewReader(output).ReadString('\n')
		link := strings.TrimSpace(line)
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		browser := &http.Client{Jar: jar}
		get := func(url string) string {
			response, err := browser.Get(url)
			if err != nil {
				t.Fatalf("%v: %s", err, stderr.String())
			}
			defer response.Body.Close()
			body, _ := io.ReadAll(response.Body)
			return string(body)
		}
		get(link)
		home, _, _ := strings.Cut(link, "/open/")
		harness.Eventually(t, "the page shows the server", func() bool { return strings.Contains(get(home+"/"), "Server default") })
		check()
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, output)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: after Ctrl-C: %v: %s", name, err, stderr.String())
		}
	}
}
