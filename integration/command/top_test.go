package command

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/tty"
)

// watchedSite has what top and the status page show.
const watchedSite = `http://127.0.0.1:%PORT% {
	token_endpoint {
		issuer http://127.0.0.1:%PORT%
		users htpasswd %USERS%
		client web {
			secret web-secret
		}
	}
	bearer_auth /app
	handle /metrics {
		metrics
	}
	respond "the app"
}
`

// startWatched serves it, and returns the address of its admin endpoint.
func startWatched(t *testing.T) (site *harness.Site, admin, users string) {
	t.Helper()
	users = filepath.Join(t.TempDir(), "users.htpasswd")
	if err := os.WriteFile(users, []byte("alice:"+harness.HashCheap+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	site = harness.Apart(t, strings.ReplaceAll(watchedSite, "%USERS%", users))
	return site, site.Admin(), users
}

// breakFile puts something else into a file, as if an hour ago: a young file might be
// half written, and is tried again.
func breakFile(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("alice:not-a-hash\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	hourAgo := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, hourAgo, hourAgo); err != nil {
		t.Fatal(err)
	}
}

// watching is a running `caddy grant top`.
type watching struct {
	*tty.Terminal
	t *testing.T
}

// top runs `caddy grant top` in a terminal.
func top(t *testing.T, columns, rows int, environment []string, args ...string) *watching {
	t.Helper()
	cmd := harness.CaddyCommand(t.Context(), t, t.TempDir(), append([]string{"grant", "top"}, args...)...)
	cmd.Env = append(cmd.Env, environment...)
	return &watching{tty.Start(t, cmd, columns, rows), t}
}

// rowOf matches a line of the table with its total.
func rowOf(label string, total int) *regexp.Regexp {
	return regexp.MustCompile(fmt.Sprintf(`(?m)^ +%s .* %d$`, regexp.QuoteMeta(label), total))
}

func (s *watching) untilRow(label string, total int) string {
	s.t.Helper()
	return s.Until(rowOf(label, total).MatchString)
}

func TestTopShowsLoginsRefusalsAndABrokenFileAsTheyHappen(t *testing.T) {
	t.Parallel()
	site, admin, users := startWatched(t)
	s := top(t, 80, 24, nil, "--address", admin, "--interval", "1s")
	s.UntilShows("caddy grant top  all servers", admin, "server default", "per second", "Key ", "signing")
	s.untilRow("Logins", 0)
	if s.Text() == "" || s.IsAsBefore() {
		t.Error("it does not draw on a screen of its own")
	}
	site.Login("alice", "correct horse").Want(t, 200, "")
	site.Login("alice", "wrong").Want(t, 400, "invalid_grant")
	s.untilRow("Logins", 1)
	s.untilRow("password: invalid_grant", 1)
	s.untilRow("Refused", 1)
	breakFile(t, users)
	text := s.UntilShows("1 problem", "users.htpasswd is BROKEN: ", "The version of")
	t.Logf("the screen:\n%s", text)

	s.Resize(40, 20)
	s.UntilShows("per second", "up/down")
	for _, line := range strings.Split(s.Text(), "\n") {
		if len([]rune(line)) > 40 {
			t.Errorf("in 40 columns there is %q", line)
		}
	}
	s.Resize(80, 24)
	s.UntilShows("last minute")
	s.Press("q")
	if status := s.End(); status != 0 {
		t.Errorf("after q the status is %d", status)
	}
	if !s.IsAsBefore() {
		t.Error("the terminal is not as it was")
	}
}

func TestTopShowsWhyANodeDoesNotAnswerAndTheOthersAllTheSame(t *testing.T) {
	t.Parallel()
	site, admin, _ := startWatched(t)
	second, secondAdmin, _ := startWatched(t)
	nobody := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	address := other.Listener.Addr().String()
	s := top(t, 80, 60, nil, "--address", nobody, "--address", admin, "--address", address, "--address", secondAdmin, "--interval", "1s")
	text := s.UntilShows("4 nodes", "2 problems", "connection refused", "has no admin API of caddy-grant", "server default")
	for _, node := range []string{nobody, address} {
		if !regexp.MustCompile(`(?m)^  ` + node + ` +NO ANSWER$`).MatchString(text) {
			t.Errorf("the list of nodes does not say that %s gives no answer:\n%s", node, text)
		}
	}
	site.Login("alice", "correct horse").Want(t, 200, "")
	s.untilRow("Logins", 1)
	second.Login("alice", "correct horse").Want(t, 200, "")
	second.Login("alice", "correct horse").Want(t, 200, "")
	if s.untilRow("Logins", 2); !rowOf("Logins", 1).MatchString(s.Text()) {
		t.Errorf("the nodes are mixed up:\n%s", s.Text())
	}
	s.Press("\x03") // Ctrl-C
	if status := s.End(); status != 0 {
		t.Errorf("after Ctrl-C the status is %d", status)
	}
}

func TestTopShowsWhoHasToWait(t *testing.T) {
	t.Parallel()
	site, admin, _ := startWatched(t)
	s := top(t, 80, 40, nil, "--address", admin, "--interval", "1s")
	s.UntilShows("Throttled  no one")
	refused := 0
	for i := 0; refused == 0; i++ {
		if site.Login("alice", fmt.Sprintf("wrong-%d", i)).Status == 429 {
			refused++
		}
	}
	s.UntilShows("Throttled  0 accounts, 1 account from one source, 0 addresses")
	s.untilRow("too many: pair", 1)
	s.untilRow("password: temporarily_unavailable", 1)
}

func TestTopTakesKeys(t *testing.T) {
	t.Parallel()
	_, admin, _ := startWatched(t)
	s := top(t, 80, 24, nil, "--address", admin)
	s.UntilShows("server default", "every 2s")
	s.Press("+")
	s.UntilShows("every 5s")
	s.Press("--")
	s.UntilShows("every 1s")
	s.Press("s")
	s.UntilShows("caddy grant top  server default")
	s.Press("s")
	s.UntilShows("caddy grant top  all servers")
	s.Press("?")
	s.UntilShows("q, Ctrl-C    quit")
	s.Press("?")
	s.Until(func(text string) bool { return !strings.Contains(text, "q, Ctrl-C    quit") })
	if err := s.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.End()
	if !s.IsAsBefore() {
		t.Error("after SIGTERM the terminal is not as it was")
	}
}

// coloured is a sequence that sets a colour.
var coloured = regexp.MustCompile(`\x1b\[(\d+;)*(3|4|9|10)[0-7](;\d+)*m|\x1b\[(\d+;)*[34]8;`)

func TestTopUsesColoursUnlessToldNotTo(t *testing.T) {
	t.Parallel()
	nobody := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
	for environment, want := range map[string]bool{"NO_COLOR=": true, "NO_COLOR=1": false} {
		s := top(t, 80, 24, []string{environment}, "--address", nobody)
		s.UntilShows("NO ANSWER")
		s.Press("q")
		s.End()
		if got := coloured.MatchString(s.Printed()); got != want {
			t.Errorf("with %s there are colours: %v in %q", environment, got, s.Printed())
		}
	}
}

// A node may be anyone's, and so may the files that it tells of.
func TestTopLetsNoNodeControlTheTerminal(t *testing.T) {
	t.Parallel()
	hostile := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/grant/servers" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `[{"name":"evil\u001b]0;owned\u0007","issuer":"\u001b[2J\u001b[Hgone","keys":[{"kid":"\u009b31mred\u202e"}],
			"files":[{"path":"/tmp/\u001bc\r\n","reads":"users","error":"line 1: \u001b]52;c;b3duZWQ=\u0007 wide 用户 \u0000"}]}]`)
	}))
	t.Cleanup(hostile.Close)
	s := top(t, 80, 30, nil, "--address", hostile.Listener.Addr().String())
	text := s.UntilShows(`server evil\x1b]0;owned\a`, `\x1b[2J\x1b[Hgone`, `/tmp/\x1bc\r\n`, `wide 用户`, `\x00. No`, `\u009b31mred\u202e`)
	if !strings.Contains(text, "caddy grant top") {
		t.Errorf("the screen is\n%s", text)
	}
	s.Press("q")
	s.End()
	for _, sequence := range []string{"\x1b]0;", "\x1b]52;", "\x1bc", "\u009b", "\u202e"} {
		if strings.Contains(s.Printed(), sequence) {
			t.Errorf("it printed %q", sequence)
		}
	}
}

func TestTopWithoutATerminalSaysWhatToUse(t *testing.T) {
	t.Parallel()
	cmd := harness.CaddyCommand(t.Context(), t, t.TempDir(), "grant", "top")
	output, err := cmd.CombinedOutput()
	exit, ok := err.(*exec.ExitError)
	if !ok || exit.ExitCode() != 1 || !strings.Contains(string(output), "use 'caddy grant status'") {
		t.Errorf("%v: %s", err, output)
	}
}

func TestTopRefusesFlagsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--interval 10ms":  "must be at least 1s",
		"--interval never": "invalid argument",
		"--address localhost:1 --address localhost:1": "duplicate address localhost:1",
		"--address localhost:1-9":                     "must have one port",
		"extra":                                       "it takes no arguments",
	} {
		cmd := harness.CaddyCommand(t.Context(), t, t.TempDir(), append([]string{"grant", "top"}, strings.Fields(args)...)...)
		if output, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(output), want) {
			t.Errorf("%s: %v: %s", args, err, output)
		}
	}
}
