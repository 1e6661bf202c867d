package engines

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// load is clients at two nodes. They go on until end, whatever happens to nodes and engine.
type load struct {
	t     *testing.T
	nodes []*node
	stop  chan struct{}
	group sync.WaitGroup
	sum   counters
	last  counters // at the end of the phase before
	rows  []string

	mu      sync.Mutex
	chains  []*chain
	gone    []tokens // revoked, and acknowledged
	wrong   []string
	reasons []string // why sessions were lost that may be lost
}

// counters are what is counted.
type counters struct {
	refreshed, unavailable, unanswered, revoked, reused atomic.Int64

	// sessions that were lost, by what may be lost
	lostWithGrace  atomic.Int64 // none
	lostForNothing atomic.Int64 // none: without a grace, and the last use was answered, if with 503 then by the same node
	lostElsewhere  atomic.Int64 // without a grace: a node said 503, and the client went to the other one
	lostAnswer     atomic.Int64 // without a grace: an answer was lost

	workedTwice atomic.Int64 // none: spent tokens that got something
	revokedGot  atomic.Int64 // none: revoked sessions that got something
}

func (c *counters) all() []*atomic.Int64 {
	return []*atomic.Int64{
		&c.refreshed, &c.unavailable, &c.unanswered, &c.revoked, &c.reused,
		&c.lostWithGrace, &c.lostForNothing, &c.lostElsewhere, &c.lostAnswer, &c.workedTwice, &c.revokedGot,
	}
}

const head = "phase                                  | refreshes |  503 | no answer | revoked | reused || lost: grace | no cause | 503, other node | answer lost || worked twice | revoked got"

// begin starts the clients, each of which has a session.
func begin(t *testing.T, nodes ...*node) *load {
	t.Helper()
	l := &load{t: t, nodes: nodes, stop: make(chan struct{}), rows: []string{head}}
	for i := range 12 {
		c := &chain{load: l, server: withGrace, name: fmt.Sprintf("client %d with a grace", i)}
		if i >= 6 {
			c.server, c.stays, c.name = withoutGrace, i < 9, fmt.Sprintf("client %d without a grace", i)
		}
		c.node = nodes[i%len(nodes)]
		c.current = wanted(t)(c.node.logIn(c.server))
		l.chains = append(l.chains, c)
		l.group.Go(c.run)
	}
	for _, server := range []string{withGrace, withoutGrace} {
		l.group.Go(func() { l.leave(server) })
		l.group.Go(func() { l.haunt(server) })
		l.group.Go(func() { l.steal(server) })
	}
	return l
}

// phase lets something happen under the load, and returns when each client goes on.
func (l *load) phase(name string, happens func()) {
	l.t.Helper()
	l.progress("before: "+name, 2)
	happens()
	l.progress("after: "+name, 3)
	row := []string{fmt.Sprintf("%-38s |", name)}
	for i, counter := range l.sum.all() {
		now := counter.Load()
		width := []string{"%10d |", "%5d |", "%10d |", "%8d |", "%7d ||", "%12d |", "%9d |", "%16d |", "%12d ||", "%13d |", "%12d"}[i]
		row = append(row, fmt.Sprintf(width, now-l.last.all()[i].Load()))
		l.last.all()[i].Store(now)
	}
	l.rows = append(l.rows, strings.Join(row, ""))
	for what, count := range map[string]int64{
		"sessions were lost within the grace": l.sum.lostWithGrace.Load(), "sessions were lost without a cause": l.sum.lostForNothing.Load(),
		"spent tokens got something": l.sum.workedTwice.Load(), "revoked sessions got something": l.sum.revokedGot.Load(),
	} {
		if count > 0 {
			l.t.Errorf("%s: %d %s", name, count, what)
		}
	}
	if l.t.Failed() {
		l.end()
		l.t.FailNow()
	}
}

// progress waits until each client has had more successes, and some sessions were revoked.
func (l *load) progress(what string, more int64) {
	l.t.Helper()
	before := make([]int64, len(l.chains))
	for i, c := range l.chains {
		before[i] = c.done.Load()
	}
	revoked := l.sum.revoked.Load()
	harness.Eventually(l.t, what+": each client goes on", func() bool {
		for i, c := range l.chains {
			if c.done.Load() < before[i]+more {
				return false
			}
		}
		return l.sum.revoked.Load() > revoked
	})
}

// end stops the clients, checks what must be true of all that they did, and shows the
// table.
func (l *load) end() {
	l.t.Helper()
	select {
	case <-l.stop:
		return
	default:
	}
	close(l.stop)
	l.group.Wait()
	l.t.Logf("\n%s\n%s", strings.Join(l.rows, "\n"), strings.Join(l.reasons, "\n"))
	for _, wrong := range l.wrong {
		l.t.Error(wrong)
	}
	if l.t.Failed() {
		for i, n := range l.nodes {
			l.t.Logf("node %d:\n%s", i, n.errors())
		}
		return
	}
	for _, c := range l.chains {
		if _, err := c.node.refresh(c.current); err != nil {
			l.t.Errorf("%s, at the end: %v", c.name, err)
		}
	}
	for i, tk := range l.gone {
		if err := l.nodes[i%len(l.nodes)].refuses(tk); err != nil {
			l.t.Errorf("a revoked session, at the end: %v", err)
		}
	}
	edgesRefuse(l.t, l.nodes, l.gone)
}

func (l *load) ended() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

func (l *load) any() *node { return l.nodes[rand.IntN(len(l.nodes))] }

// breath is so long that two cores have some left for nodes and engine.
func breath() { time.Sleep(time.Duration(rand.Int64N(int64(40 * time.Millisecond)))) }

func (l *load) note(list *[]string, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(*list) < 20 {
		*list = append(*list, fmt.Sprintf(format, args...))
	}
}

// insist asks until there is an answer other than 503, or the test ends.
func (l *load) insist(ask func() (answer, error)) (a answer, ok bool) {
	for tries := 0; ; tries++ {
		a, err := ask()
		switch {
		case err != nil:
			l.sum.unanswered.Add(1)
		case a.unavailable():
			l.sum.unavailable.Add(1)
		default:
			return a, true
		}
		if l.ended() && tries > 100 {
			l.note(&l.wrong, "no answer, at last %s, %v", a, err)
			return a, false
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// chain is a client that refreshes again and again, each time with what it got last.
type chain struct {
	load    *load
	name    string
	server  string
	stays   bool // at its node, as long as that answers
	node    *node
	current tokens
	done    atomic.Int64
}

func (c *chain) run() {
	sum := &c.load.sum
	for !c.load.ended() {
		used, moved, unanswered := c.current, false, ""
		said := make(map[*node]bool) // 503
		a, ok := c.load.insist(func() (answer, error) {
			if !c.stays {
				c.node = c.load.any()
			}
			for n := range said {
				moved = moved || n != c.node
			}
			a, err := c.node.tryRefresh(used)
			if err != nil {
				unanswered = err.Error()
			} else if a.unavailable() {
				said[c.node] = true
			}
			return a, err
		})
		switch {
		case !ok:
			return
		case a.status == http.StatusOK && a.tokens.session == used.session && a.tokens.generation == used.generation+1:
			c.current = a.tokens
			c.done.Add(1)
			sum.refreshed.Add(1)
		case a.refused():
			cause := &sum.lostForNothing
			switch {
			case c.server == withGrace:
				cause = &sum.lostWithGrace
			case unanswered != "":
				cause = &sum.lostAnswer
			case moved:
				cause = &sum.lostElsewhere
			}
			cause.Add(1)
			c.load.note(&c.load.reasons, "%s lost generation %d of %s: %q, 503 elsewhere before: %t", c.name, used.generation, used.session, unanswered, moved)
			login, ok := c.load.insist(func() (answer, error) { return c.load.any().tryLogin(c.server) })
			if !ok || login.status != http.StatusOK {
				c.load.note(&c.load.wrong, "%s: logging in: %s", c.name, login)
				return
			}
			c.current = login.tokens
		default:
			c.load.note(&c.load.wrong, "%s: after generation %d of %s: %s with generation %d", c.name, used.generation, used.session, a, a.tokens.generation)
			return
		}
		breath()
	}
}

// leave logs in, refreshes sometimes, and logs out, again and again.
func (l *load) leave(server string) {
	for !l.ended() {
		a, ok := l.insist(func() (answer, error) { return l.any().tryLogin(server) })
		if !ok || a.status != http.StatusOK {
			l.note(&l.wrong, "logging in: %s", a)
			return
		}
		tk := a.tokens
		if rand.IntN(2) > 0 {
			n := l.any()
			if a, err := n.tryRefresh(tk); err != nil || a.status != http.StatusOK {
				continue // whose answer may be lost
			} else {
				tk = a.tokens
			}
		}
		a, ok = l.insist(func() (answer, error) { return l.any().tryRevoke(tk) })
		if !ok || a.status != http.StatusOK {
			l.note(&l.wrong, "revoking: %s", a)
			return
		}
		l.sum.revoked.Add(1)
		l.mu.Lock()
		l.gone = append(l.gone, tk)
		l.mu.Unlock()
		breath()
		breath()
	}
}

// haunt uses tokens of sessions that were revoked.
func (l *load) haunt(server string) {
	for ; !l.ended(); breath() {
		l.mu.Lock()
		var tk tokens
		if len(l.gone) > 0 {
			tk = l.gone[rand.IntN(len(l.gone))]
		}
		l.mu.Unlock()
		if tk.server != server {
			continue
		}
		if a, err := l.any().tryRefresh(tk); err == nil && !a.refused() && !a.unavailable() {
			l.sum.revokedGot.Add(1)
			l.note(&l.wrong, "a revoked session got %s", a)
		}
	}
}

// steal uses spent tokens whose successors were delivered: without a grace the last one,
// else the one before it. Each ends its session, and then its successors get nothing.
func (l *load) steal(server string) {
	for ; !l.ended(); breath() {
		n := l.any()
		var all []tokens
		a, err := n.tryLogin(server)
		for range 2 + rand.IntN(3) {
			if err != nil || a.status != http.StatusOK {
				break
			}
			all = append(all, a.tokens)
			a, err = l.any().tryRefresh(a.tokens)
		}
		behind := 2
		if server == withGrace {
			behind = 3
		}
		if err != nil || a.status != http.StatusOK || len(all) < behind-1 {
			continue // 503: whether it is spent is unknown
		}
		all = append(all, a.tokens)
		if len(all) < behind {
			continue
		}
		spent := all[len(all)-behind]
		got, ok := l.insist(func() (answer, error) { return l.any().tryRefresh(spent) })
		if !ok {
			return
		}
		if !got.refused() {
			l.sum.workedTwice.Add(1)
			l.note(&l.wrong, "generation %d of %s got %s, after %d was delivered", spent.generation, spent.session, got, all[len(all)-1].generation)
			continue
		}
		l.sum.reused.Add(1)
		l.mu.Lock()
		l.gone = append(l.gone, all[len(all)-1])
		l.mu.Unlock()
	}
}
