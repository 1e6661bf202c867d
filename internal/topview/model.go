// Package topview is `caddy grant top`: a view of nodes in a terminal that is drawn again
// as they change.
package topview

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/caddygrant/caddy-grant/internal/statusview"
)

// Run draws the nodes until the person quits, or the context ends.
func Run(ctx context.Context, in io.Reader, out io.Writer, targets []statusview.Target, interval time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var program *tea.Program
	watcher := statusview.NewWatcher(targets, interval, func() { program.Send(changed{}) })
	program = tea.NewProgram(&model{watcher: watcher, view: watcher.View()}, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out))
	var watching sync.WaitGroup
	watching.Go(func() { watcher.Run(ctx) })
	_, err := program.Run()
	cancel()
	watching.Wait()
	if errors.Is(err, tea.ErrInterrupted) {
		return nil
	}
	return err
}

// watcher is what the model needs of a [statusview.Watcher].
type watcher interface {
	View() statusview.View
	Interval() time.Duration
	SetInterval(time.Duration)
}

// changed says that there is a new view.
type changed struct{}

// model is the state of the screen.
type model struct {
	watcher       watcher
	view          statusview.View
	width, height int
	server        string // the only one that is shown; empty: all
	top           int    // the first line of the body that is shown
	help          bool
}

// intervals are what + and - go through.
var intervals = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute,
}

func (m *model) Init() tea.Cmd { return nil }

func (m *model) Update(message tea.Msg) (tea.Model, tea.Cmd) {
	switch message := message.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = message.Width, message.Height
	case changed:
		m.view = m.watcher.View()
		if !slices.Contains(m.view.Names(), m.server) && allAsked(m.view) {
			m.server = "" // it is gone
		}
	case tea.KeyPressMsg:
		return m, m.press(message.String())
	}
	return m, nil
}

func allAsked(view statusview.View) bool {
	return !slices.ContainsFunc(view.Nodes, func(node statusview.Node) bool { return !node.Asked || node.Error != "" })
}

func (m *model) press(key string) tea.Cmd {
	page := max(1, m.bodyHeight()-1)
	switch key {
	case "q", "ctrl+c":
		return tea.Quit
	case "ctrl+z":
		return tea.Suspend
	case "?":
		m.help, m.top = !m.help, 0
	case "esc":
		m.help, m.top = false, 0
	case "s":
		m.nextServer()
	case "+", "=":
		m.changeInterval(1)
	case "-", "_":
		m.changeInterval(-1)
	case "down", "j":
		m.top++
	case "up", "k":
		m.top--
	case "pgdown", "space", "f":
		m.top += page
	case "pgup", "b":
		m.top -= page
	case "home", "g":
		m.top = 0
	case "end", "G":
		m.top = len(m.body())
	}
	m.top = max(0, min(m.top, len(m.body())-m.bodyHeight()))
	return nil
}

// nextServer shows the next server alone, and after the last one all of them.
func (m *model) nextServer() {
	names := m.view.Names()
	next := slices.Index(names, m.server) + 1
	m.server, m.top = "", 0
	if next < len(names) {
		m.server = names[next]
	}
}

// changeInterval goes to the next longer or shorter interval.
func (m *model) changeInterval(by int) {
	now := m.watcher.Interval()
	i := slices.Index(intervals, now) + by
	if !slices.Contains(intervals, now) { // one of the command line
		i, _ = slices.BinarySearch(intervals, now)
		if by < 0 {
			i--
		}
	}
	m.watcher.SetInterval(intervals[max(0, min(i, len(intervals)-1))])
}

// View draws the screen. Before its size is known there is nothing to draw.
func (m *model) View() tea.View {
	var view tea.View
	view.AltScreen = true
	if m.width < 1 || m.height < 1 {
		return view
	}
	body := m.body()
	first := max(0, min(m.top, len(body)-m.bodyHeight()))
	shown := body[first:min(len(body), first+m.bodyHeight())]
	lines := append([]string{m.header()}, shown...)
	for len(lines) < m.height-1 {
		lines = append(lines, "")
	}
	if m.height > 2 {
		lines = append(lines, m.footer(first, len(body)))
	}
	for i, line := range lines {
		lines[i] = cut(line, m.width)
	}
	view.SetContent(strings.Join(lines[:min(len(lines), m.height)], "\n"))
	return view
}

// bodyHeight is how many lines are between the first and the last one.
func (m *model) bodyHeight() int { return max(1, m.height-2) }
