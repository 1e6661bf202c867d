package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// measureByWrk loads `respond` and logins with HS256 by wrk too, if that is installed.
// wrk needs a fraction of the CPU time per request that our load generator needs, which
// reads and checks each answer. So ours, on one core, does not keep the server's core
// busy with `respond`. What a server spends on going to sleep and waking up again is
// then in the CPU time of its requests; that makes the share larger. By wrk both servers
// are saturated. Which of the two is nearer to practice depends on how busy a server is.
func measureByWrk(ctx context.Context, b *bench, respond, login target) ([]figure, error) {
	found, err := exec.LookPath("wrk")
	if err != nil {
		fmt.Fprintln(os.Stderr, "left out, as wrk is missing: shares by another load generator")
		return nil, nil
	}
	if err := os.Symlink(found, b.path("wrk")); err != nil {
		return nil, err
	}
	var figures []figure
	for _, connections := range []int{speedWorkers, 8 * speedWorkers} {
		name := fmt.Sprintf("wrk, %d connections: ", connections)
		more, err := inRounds(b.rounds, b.passes(wrkTurn, 1), func(number int) ([]figure, error) {
			var limit, its reading
			err := pass(number,
				func() (err error) { limit, err = b.wrk(ctx, &respond, connections); return err },
				func() (err error) { its, err = b.wrk(ctx, &login, connections); return err })
			return []figure{
				ratio(name+"CPU per request: respond's / "+login.name+"'s", limit.cpu/its.cpu),
				ratio("  requests/s: "+login.name+"'s / respond's", its.perSecond()/limit.perSecond()),
				measured("  the server's core is busy with respond", "%", busy(limit.perSecond(), limit.cpu)),
				measured("  and with "+login.name, "%", busy(its.perSecond(), its.cpu)),
			}, err
		})
		if err != nil {
			return nil, err
		}
		figures = append(figures, more...)
	}
	return figures, nil
}

// busyByOurs is the same of what our load generator has measured.
func busyByOurs(entries []entry) []figure {
	var figures []figure
	for _, name := range []string{"respond", "HS256"} {
		e, ok := named(entries, name)
		if !ok {
			continue
		}
		var values []float64
		for round, perSecond := range e.PerSecond.Values {
			values = append(values, busy(perSecond, e.CPU.Values[round]))
		}
		figures = append(figures, measured("our load generator: the server's core is busy with "+name, "%", values...))
	}
	return figures
}

// busy is how much of a core a server uses, in percent, given its answers a second and
// the microseconds that each takes.
func busy(perSecond, cpu float64) float64 { return 100 * perSecond * cpu / 1e6 }

// wrk loads a target for a second.
func (b *bench) wrk(ctx context.Context, t *target, connections int) (s reading, err error) {
	if err := os.WriteFile(b.path("wrk.lua"), []byte(wrkScript), 0o600); err != nil {
		return s, err
	}
	begun, err := cpuTime(t.server.pid())
	if err != nil {
		return s, err
	}
	output, err := b.output(ctx, b.cores.load, nil, "wrk", "--threads", "1", "--connections", strconv.Itoa(connections),
		"--duration", wrkTurn.String(), "--script", b.path("wrk.lua"), t.plan.URL, "--", t.plan.Body, t.plan.Lines)
	if err != nil {
		return s, fmt.Errorf("%s: %w", t.name, err)
	}
	ended, err := cpuTime(t.server.pid())
	if err != nil {
		return s, err
	}
	if s.outcome, err = readWrk(string(output)); err != nil {
		return s, fmt.Errorf("%s: %w", t.name, err)
	}
	s.cpu = microseconds(ended-begun) / float64(s.answers())
	return s, nil
}

// readWrk reads what wrk prints. It does not look at bodies, but at the status.
func readWrk(output string) (o outcome, err error) {
	for _, fault := range []string{"Non-2xx or 3xx responses", "Socket errors"} {
		if strings.Contains(output, fault) {
			return o, fmt.Errorf("wrk: %s", strings.TrimSpace(output))
		}
	}
	match := wrkTotal.FindStringSubmatch(output)
	if match == nil {
		return o, fmt.Errorf("wrk does not tell how many requests it sent: %s", strings.TrimSpace(output))
	}
	n, err := strconv.ParseUint(match[1], 10, 64)
	took, err2 := time.ParseDuration(match[2])
	if err := errors.Join(err, err2); err != nil {
		return o, err
	}
	if n == 0 || took <= 0 {
		return o, fmt.Errorf("wrk got no answer: %s", strings.TrimSpace(output))
	}
	return outcome{Answers: []uint64{n}, Seconds: took.Seconds()}, nil
}

var wrkTotal = regexp.MustCompile(`(\d+) requests in ([0-9.]+(?:us|ms|s|m|h)),`)

// wrkScript sends a form for each of the first lines of a file in turn. The requests are
// made before the load begins. The lines are few, so that all these users have logged in
// while the server was warmed up: 64 logins at once that need a hash are too many.
const wrkScript = `
local requests, next = {}, 0
function init(args)
	local header = {["Content-Type"] = "` + formType + `"}
	for line in io.lines(args[2]) do
		requests[#requests + 1] = wrk.format("POST", nil, header, (args[1]:gsub("{line}", line)))
		if #requests == 100 then break end
	end
end
function request()
	next = next % #requests + 1
	return requests[next]
end
`

const wrkTurn = time.Second
