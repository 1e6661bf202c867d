package engines

import (
	"strings"
	"testing"
	"time"
)

// Operators move a fleet to an engine and back, one node after the other, under a load:
// there are nodes of both configs at once, and no session ends.
func TestEnginesMovingThereAndBackEndsNoSession(t *testing.T) {
	for _, test := range []struct {
		name string
		line func(t *testing.T) string
	}{
		{"Redis", func(t *testing.T) string { return redisLine(newRedis(t).Address()) }},
		{"PostgreSQL", func(t *testing.T) string { return postgresLine(newPostgres(t).Address()) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			line := test.line(t)
			knows, moved := "storage {\nalso "+line+"\n}", line+" {\nalso storage\n}"
			nodes := []*node{f.start("storage"), f.start("storage")}
			l := begin(t, nodes...)
			defer l.end()
			begunIn := func(n *node, engine string) {
				t.Helper()
				for _, server := range []string{withGrace, withoutGrace} {
					tk := wanted(t)(n.logIn(server))
					if in := strings.Contains(tk.session, "-"+strings.ToLower(engine)+"-"); in != (engine != "") {
						t.Errorf("%s began elsewhere than in %q", tk.session, engine)
					}
				}
			}
			engine, _, _ := strings.Cut(line, " ")
			for _, step := range []struct {
				name  string
				node  int
				to    string
				begin string
			}{
				{"one node knows the engine", 0, knows, ""},
				{"both do", 1, knows, ""},
				{"logins of one node move", 0, moved, engine},
				{"those of the other do", 1, moved, engine},
				{"one goes back", 0, knows, ""},
				{"both are back", 1, knows, ""},
				{"and there again, the other first", 1, moved, engine},
			} {
				l.phase(step.name, func() {
					nodes[step.node].reload(step.to)
					begunIn(nodes[step.node], step.begin)
					time.Sleep(time.Second)
				})
			}
		})
	}
}
