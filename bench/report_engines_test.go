package main

import (
	"strings"
	"testing"
	"time"
)

// testRow is one of two rounds, whose logins take 100 µs.
func testRow(sessions string, nodes int, cpu, commands, engine float64) engineRow {
	r := engineRow{Sessions: sessions, Nodes: nodes, Clients: 8, Algorithm: "HS256"}
	for range 2 {
		r.add(testReading(100, 1), testReading(cpu, 1))
		if commands > 0 {
			r.addEngine(engine)
		}
	}
	if commands > 0 {
		counted := ratio("commands per refresh", commands)
		r.Commands = &counted
	}
	return r
}

func TestAnEngineIsJudgedByItsBusiestAndItsWorstRow(t *testing.T) {
	figures := engineFigures([]engineRow{
		testRow("files", 1, 300, 0, 0),
		testRow("redis", 1, 110, 1.5, 50), testRow("redis", 2, 140, 1, 30),
		testRow("postgres", 1, 120, 1, 200),
	})
	var got strings.Builder
	for _, f := range figures {
		got.WriteString(f.Name + " " + brief(f.Median) + " " + f.verdict() + "\n")
	}
	const want = `redis, 2 nodes, 8 clients: a node's CPU per refresh / per login 1.400 NO
redis, 2 nodes, 8 clients, HS256: a node's CPU per refresh / per login, at most 1.400 NO
redis, 2 nodes, 8 clients: Redis' CPU per refresh 30 yes
redis, 1 node, 8 clients, HS256: Redis' CPU per refresh, at most 50 NO
redis, 1 node, 8 clients, HS256: commands per refresh, at most 1.500 yes
postgres, 1 node, 8 clients: a node's CPU per refresh / per login 1.200 yes
postgres, 1 node, 8 clients, HS256: a node's CPU per refresh / per login, at most 1.200 yes
postgres, 1 node, 8 clients, HS256: transactions that write per refresh, at most 1 yes
`
	if got.String() != want {
		t.Errorf("the figures are\n%swant\n%s", &got, want)
	}
}

func TestTheTableOfEnginesHasARowForEach(t *testing.T) {
	r := newReport(options{rounds: 2}, machine{})
	rows := []engineRow{testRow("files", 1, 300, 0, 0), testRow("redis", 2, 140, 1.01, 30)}
	r.add("engines", findings{Rows: rows}, nil, 0)
	var out strings.Builder
	r.print(&out)
	want := engineTable + `| engines | files | 1 | 8 | HS256 | 1000 | 1.00 | 2.00 | 300 | 3 |  |  |
| engines | redis | 2 | 8 | HS256 | 1000 | 1.00 | 2.00 | 140 | 1.4 | 1.01 | 30 |
`
	if !strings.Contains(out.String(), want) {
		t.Errorf("there is no\n%sin\n%s", want, &out)
	}
}

func TestARowWithoutANumberIsNotReported(t *testing.T) {
	r := newReport(options{rounds: 2}, machine{})
	broken := testRow("redis", 1, 110, 1, 30)
	broken.add(testReading(0, 1), testReading(110, 1))
	r.add("engines", findings{Rows: []engineRow{broken}}, nil, 0)
	if s := r.Workloads[0]; s.Refused == "" || s.Rows != nil {
		t.Errorf("reported is %+v", s)
	}
}

func TestCommandsOfScriptsAreToldFromThoseOfClients(t *testing.T) {
	for line, script := range map[string]bool{
		`+1780000000.123456 [0 lua] "hget" "{caddy-grant:a/2af}" "over"`: true,
		`+1780000000.123456 [0 127.0.0.1:6379] "evalsha" "[0 lua]"`:      false,
		`+1780000000.123456 [3 unix:/run/lua] "info"`:                    false,
		`+OK`: false,
	} {
		if got := byScript(line); got != script {
			t.Errorf("%s: %t", line, got)
		}
	}
}

func TestTheCPUOfProcessesThatEndedIsRead(t *testing.T) {
	const stat = "4711 (a b) c) S 1 4711 4711 0 -1 4194304 2131 53011 0 7 12 34 250 125 20 0 1 0 99 0 0"
	got, err := cpuOfEnded(stat)
	if want := 3750 * time.Millisecond; err == nil && got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if _, broken := cpuOfEnded("4711 (x) S 1"); err != nil || broken == nil {
		t.Errorf("errors %v and, of a line that is too short, %v", err, broken)
	}
}
