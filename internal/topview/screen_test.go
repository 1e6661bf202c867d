package topview

import (
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/caddygrant/caddy-grant/internal/statusview"
)

// still is a watcher of what a test sets.
type still struct {
	view     statusview.View
	interval time.Duration
}

func (s *still) View() statusview.View              { return s.view }
func (s *still) Interval() time.Duration            { return s.interval }
func (s *still) SetInterval(interval time.Duration) { s.interval = interval }

var at = time.Date(2026, 11, 29, 3, 12, 45, 0, time.Local)

func server(name string) statusview.Server {
	return statusview.Server{
		Name: name, Issuer: "https://auth.example.com",
		Done: []statusview.Count{
			{Label: "Logins", Known: true, PerSecond: 0.5, LastMinute: 30, Total: 12345},
			{Label: "Refused", Known: true, PerSecond: 0.05, LastMinute: 3, Total: 40},
		},
		Refused: []statusview.Count{{Label: "password: invalid_grant", LastMinute: 3, Total: 40}},
		Facts: []statusview.Fact{
			{Label: "Throttled", Text: "2 accounts", Level: statusview.Notice},
			{Label: "File", Text: "/etc/caddy/users.htpasswd is BROKEN: line 3: the hash is not one that is supported. The version of 02:00:00 is active: 3 users", Level: statusview.Bad},
		},
	}
}

func screenOf(t *testing.T, width, height int, nodes ...statusview.Node) *model {
	t.Helper()
	m := &model{watcher: &still{statusview.View{Nodes: nodes}, 2 * time.Second}}
	m.Update(tea.WindowSizeMsg{Width: width, Height: height})
	m.Update(changed{})
	return m
}

// see is the screen as text. No line of it may be wider than the screen.
func (m *model) see(t *testing.T) string {
	t.Helper()
	content := m.View().Content
	lines := strings.Split(content, "\n")
	if len(lines) > m.height {
		t.Errorf("%d lines on a screen of %d", len(lines), m.height)
	}
	for i, line := range lines {
		if ansi.StringWidth(line) > m.width {
			t.Errorf("%q is wider than %d", line, m.width)
		}
		lines[i] = strings.TrimRight(ansi.Strip(line), " ")
	}
	return strings.Join(lines, "\n")
}

func (m *model) pressed(keys string) *model {
	for _, key := range keys {
		m.Update(tea.KeyPressMsg{Code: key, Text: string(key)})
	}
	return m
}

func one() statusview.Node {
	return statusview.Node{
		Address: "localhost:2019", Asked: true, Last: at, Servers: []statusview.Server{server("default"), server("other")},
		Facts: []statusview.Fact{{Label: "Passwords", Text: "1 of 2 running, 0 of 64 waiting"}},
	}
}

func silent() statusview.Node {
	return statusview.Node{Address: "10.0.0.2:2019", Asked: true, Error: "Caddy does not answer at 10.0.0.2:2019: connection refused"}
}

func TestScreenOf80ColumnsShowsTwoNodes(t *testing.T) {
	const want = `caddy grant top  all servers, 2 nodes  3 problems                       03:12:45
nodes                                         logins/s    refused/s     problems
  localhost:2019                                  1.00         0.10            2
  10.0.0.2:2019                                                        NO ANSWER

localhost:2019
  Passwords  1 of 2 running, 0 of 64 waiting
server default                              per second  last minute        total
  File       /etc/caddy/users.htpasswd is BROKEN: line 3: the hash is not one
             that is supported. The version of 02:00:00 is active: 3 users
  Logins                                          0.50           30       12,345
  Refused                                         0.05            3           40
    password: invalid_grant                          -            3           40
  Issuer     https://auth.example.com
  Throttled  2 accounts
server other                                per second  last minute        total
  File       /etc/caddy/users.htpasswd is BROKEN: line 3: the hash is not one
             that is supported. The version of 02:00:00 is active: 3 users
  Logins                                          0.50           30       12,345
  Refused                                         0.05            3           40
    password: invalid_grant                          -            3           40
  Issuer     https://auth.example.com
  Throttled  2 accounts
q quit  s server  ? help  +- every 2s                  up/down: lines 1-22 of 26`
	if got := screenOf(t, 80, 24, one(), silent()).see(t); got != want {
		t.Errorf("the screen is\n%s", got)
	}
}

func TestEndOfTheScreenSaysWhyANodeDoesNotAnswer(t *testing.T) {
	m := screenOf(t, 80, 24, one(), silent()).pressed("G")
	if got := m.see(t); !strings.Contains(got, "  Why        Caddy does not answer at 10.0.0.2:2019: connection refused. It has\n             not answered yet") {
		t.Errorf("the screen is\n%s", got)
	}
	if got := m.pressed("g").see(t); !strings.Contains(got, "logins/s") {
		t.Errorf("the screen is\n%s", got)
	}
}

// No size breaks it, and the lines stay as wide as the screen: see checks that.
func TestScreenOfAnySize(t *testing.T) {
	for width := 1; width < 100; width++ {
		for _, height := range []int{1, 2, 24} {
			for _, keys := range []string{"", "?", "sG"} {
				screenOf(t, width, height, one(), silent()).pressed(keys).see(t)
			}
		}
	}
	if got := screenOf(t, 30, 40, one()).see(t); !strings.Contains(got, "    is BROKEN: line 3: the\n    hash is not") || !strings.Contains(got, "  Logins                  0.50") {
		t.Errorf("in 30 columns the screen is\n%s", got)
	}
}

func TestKeyForTheNextServerGoesThroughAllAndBack(t *testing.T) {
	m := screenOf(t, 80, 50, one())
	for _, want := range []struct{ header, shown, hidden string }{
		{"server default", "server default ", "server other "},
		{"server other", "server other ", "server default "},
		{"all servers", "server default ", ""},
	} {
		got := m.pressed("s").see(t)
		header, rest, _ := strings.Cut(got, "\n")
		if !strings.Contains(header, want.header) || !strings.Contains(rest, want.shown) || want.hidden != "" && strings.Contains(rest, want.hidden) {
			t.Errorf("want %+v, the screen is\n%s", want, got)
		}
	}
}

func TestServerThatIsGoneNoLongerHidesTheOthers(t *testing.T) {
	m := screenOf(t, 80, 50, one()).pressed("ss")
	node := one()
	node.Servers = node.Servers[:1]
	m.watcher.(*still).view.Nodes[0] = node
	m.Update(changed{})
	if got := m.see(t); !strings.Contains(got, "all servers") || !strings.Contains(got, "server default ") {
		t.Errorf("the screen is\n%s", got)
	}
}

func TestKeysChangeTheInterval(t *testing.T) {
	m := screenOf(t, 80, 24, one())
	for _, test := range []struct {
		from time.Duration
		keys string
		want time.Duration
	}{
		{2 * time.Second, "+", 5 * time.Second},
		{2 * time.Second, "-", time.Second},
		{time.Second, "-", time.Second},
		{time.Minute, "+", time.Minute},
		{7 * time.Second, "+", 10 * time.Second},
		{7 * time.Second, "-", 5 * time.Second},
		{time.Hour, "+", time.Minute},
		{2 * time.Second, "=++", 30 * time.Second},
	} {
		m.watcher.SetInterval(test.from)
		if got := m.pressed(test.keys).watcher.Interval(); got != test.want {
			t.Errorf("from %v, %s goes to %v, want %v", test.from, test.keys, got, test.want)
		}
	}
}

func TestHelpComesAndGoes(t *testing.T) {
	m := screenOf(t, 80, 24, one())
	before := m.see(t)
	if got := m.pressed("?").see(t); !strings.Contains(got, "s            show the next server") {
		t.Errorf("the screen is\n%s", got)
	}
	if got := m.pressed("?").see(t); got != before {
		t.Errorf("the screen is\n%s", got)
	}
}
