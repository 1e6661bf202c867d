package engines

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// An engine that was emptied, all of it or in part, or that has older data than it had
// acknowledged, looks like one in which less has happened. No token that was spent, first
// ones included, and no session that was revoked gets anything for that: not before the
// operator's step, which is a reload of each node, and not after it.
func TestEnginesOfAnEmptiedEngineNothingOfBeforeWorks(t *testing.T) {
	need(t)
	var going atomic.Int64 // of the clusters: with the shard that has the feed all are lost
	t.Cleanup(func() {
		if going.Load() == 0 {
			t.Error("a shard that was lost took those of the others along, whichever it was")
		}
	})
	for _, test := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"FLUSHALL", func(t *testing.T) {
			r := newRedis(t)
			loses(t, redisLine(r.Address()), everything, func() { r.do("FLUSHALL") })
		}},
		{"a Redis without a file that restarts", func(t *testing.T) {
			r := newRedis(t, "--appendonly", "no")
			loses(t, redisLine(r.Address()), everything, func() { r.Kill(); r.start() })
		}},
		{"a Redis without a file that restarts with an old dump", func(t *testing.T) {
			r := newRedis(t, "--appendonly", "no")
			loses(t, redisLine(r.Address()), everything, func() { r.Kill(); r.start() }, func() { r.do("SAVE") })
		}},
		{"a Redis whose file is removed", func(t *testing.T) {
			r := newRedis(t)
			loses(t, redisLine(r.Address()), everything, func() {
				r.Kill()
				if err := os.RemoveAll(filepath.Join(r.Dir(), "appendonlydir")); err != nil {
					t.Fatal(err)
				}
				r.start()
			})
		}},
		{"the first shard of three", func(t *testing.T) { going.Add(int64(emptiedShard(t, 0))) }},
		{"the second shard of three", func(t *testing.T) { going.Add(int64(emptiedShard(t, 1))) }},
		{"the third shard of three", func(t *testing.T) { going.Add(int64(emptiedShard(t, 2))) }},
		{"PostgreSQL without its tables", func(t *testing.T) {
			p := newPostgres(t)
			loses(t, postgresLine(p.Address()), everything, func() { p.do("DROP SCHEMA public CASCADE", "CREATE SCHEMA public") })
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t)
		})
	}
}

func emptiedShard(t *testing.T, number int) (going int) {
	t.Helper()
	shards := newShards(t)
	return loses(t, redisLine(shards[0].Address(), shards[1:]...), aPart, func() { shards[number].do("FLUSHALL") })
}

type extent bool

const (
	everything extent = true
	aPart      extent = false // sessions of the rest may go on
)

// loses makes sessions in all states, has the engine lose them, and looks at what is left.
// early is for half way.
func loses(t *testing.T, line string, what extent, lose func(), early ...func()) (going int) {
	t.Helper()
	f := newFleet(t)
	nodes := []*node{f.start(line), f.start(line)}
	get := wanted(t)
	var live, dead []tokens
	for i := range 48 {
		if i == 24 {
			for _, f := range early {
				f()
			}
		}
		server := []string{withGrace, withoutGrace}[i%2]
		n, other := nodes[i/2%2], nodes[1-i/2%2]
		last := get(n.logIn(server))
		all := []tokens{last}
		for range i / 4 % 4 {
			last = get(other.refresh(last))
			all = append(all, last)
		}
		if i%8 >= 6 {
			if err := n.revoke(last); err != nil {
				t.Fatal(err)
			}
			dead = append(dead, all...)
			continue
		}
		live = append(live, last)
		spent := all[:len(all)-1]
		if server == withGrace && len(spent) > 0 { // the last one may be sent again
			spent = spent[:len(spent)-1]
		}
		dead = append(dead, spent...)
	}
	edgesRefuse(t, nodes, revokedOf(dead, live))

	lose()
	for range 2 {
		try(t, "before a reload", nodes, dead, 0)
		if what == everything {
			try(t, "before a reload", nodes, live, 0)
		}
	}
	for _, n := range nodes {
		n.reload(line)
	}
	for _, n := range nodes {
		for _, server := range []string{withGrace, withoutGrace} {
			tk := get(n.logIn(server))
			for i := range 4 {
				tk = get(nodes[i%2].refresh(tk))
			}
			if err := n.revoke(tk); err != nil {
				t.Error(err)
			}
			for _, n := range nodes {
				if err := n.refuses(tk); err != nil {
					t.Error(err)
				}
			}
			edgesRefuse(t, nodes, []tokens{tk})
		}
	}
	if what == everything {
		try(t, "after it", nodes, live, http.StatusBadRequest)
		edgesRefuse(t, nodes, live)
	} else {
		going = goOn(t, nodes, live)
	}
	try(t, "after it", nodes, dead, http.StatusBadRequest)
	t.Logf("of %d sessions %d go on; %d tokens of before, spent or revoked, got nothing", len(live), going, len(dead))
	if what == aPart && going == len(live) {
		t.Error("no session was lost")
	}
	return going
}

// revokedOf are the tokens of sessions none of whose tokens is live.
func revokedOf(dead, live []tokens) (revoked []tokens) {
	lives := make(map[string]bool)
	for _, tk := range live {
		lives[tk.session] = true
	}
	for _, tk := range dead {
		if !lives[tk.session] {
			revoked = append(revoked, tk)
		}
	}
	return revoked
}

// try uses tokens at all nodes, and wants that status or, if it is 0, no success.
func try(t *testing.T, when string, nodes []*node, all []tokens, want int) {
	t.Helper()
	var group sync.WaitGroup
	for i, n := range nodes {
		group.Go(func() {
			for _, tk := range all {
				a, err := n.tryRefresh(tk)
				if want != 0 && a.unavailable() {
					a, err = settled(func() (answer, error) { return n.tryRefresh(tk) })
				}
				if err == nil && (a.status == http.StatusOK || want != 0 && a.status != want) {
					err = errors.New(a.String())
				}
				if err != nil {
					t.Errorf("%s, node %d: generation %d of %s: %v", when, i, tk.generation, tk.session, err)
				}
			}
		})
	}
	group.Wait()
}

// goOn counts the sessions that still do, each of which must do so at all nodes.
func goOn(t *testing.T, nodes []*node, live []tokens) (going int) {
	t.Helper()
	for _, tk := range live {
		a, err := settled(func() (answer, error) { return nodes[0].tryRefresh(tk) })
		switch {
		case err != nil:
			t.Error(err)
		case a.status == http.StatusOK:
			going++
			next := wanted(t)(nodes[1].refresh(a.tokens))
			if nodes[0].edge(next) != http.StatusOK {
				t.Errorf("%s goes on, and its token does not pass", tk.session)
			}
		case a.refused():
			for i, n := range nodes {
				harness.Eventually(t, fmt.Sprintf("node %d refuses what is over", i), func() bool { return n.edge(tk) == http.StatusUnauthorized })
			}
		default:
			t.Errorf("%s: %s", tk.session, a)
		}
	}
	return going
}
