package main

import (
	"fmt"
	"io"
)

// engineRow is how fast refreshes are with sessions in one place, with one value a round.
type engineRow struct {
	Sessions  string `json:"sessions"` // where they are
	Nodes     int    `json:"nodes"`
	Clients   uint64 `json:"clients"`
	Algorithm string `json:"algorithm"`

	PerSecond figure `json:"per_second"`
	P50       figure `json:"p50"`
	P99       figure `json:"p99"`
	CPU       figure `json:"cpu"`   // of the nodes, per refresh
	Ratio     figure `json:"ratio"` // that, divided by that of a login in the turn before or after

	// What the engine had to do. Files have none.
	Commands  *figure `json:"commands,omitempty"`   // per refresh; of PostgreSQL transactions that write
	EngineCPU *figure `json:"engine_cpu,omitempty"` // per refresh, of all its processes
}

// add takes what was measured in a round.
func (r *engineRow) add(login, refresh reading) {
	for _, f := range []struct {
		into  *figure
		value figure
	}{
		{&r.PerSecond, measured("refreshes", "/s", refresh.perSecond())},
		{&r.P50, measured("p50", "ms", milliseconds(refresh.P50))},
		{&r.P99, measured("p99", "ms", milliseconds(refresh.P99))},
		{&r.CPU, measured("CPU per refresh", "µs", refresh.cpu)},
		{&r.Ratio, ratio("CPU per refresh / per login", refresh.cpu/login.cpu)},
	} {
		*f.into = f.value.of(append(f.into.Values, f.value.Values...)...)
	}
}

// addEngine takes the CPU time of the engine per refresh.
func (r *engineRow) addEngine(cpu float64) {
	if r.EngineCPU == nil {
		r.EngineCPU = new(figure)
	}
	*r.EngineCPU = measured("CPU of the engine per refresh", "µs", append(r.EngineCPU.Values, cpu)...)
}

func (r *engineRow) figures() []figure {
	all := []figure{r.PerSecond, r.P50, r.P99, r.CPU, r.Ratio}
	for _, f := range []*figure{r.Commands, r.EngineCPU} {
		if f != nil {
			all = append(all, *f)
		}
	}
	return all
}

// place is where its sessions are, and what refreshes them.
func (r *engineRow) place() string {
	return fmt.Sprintf("%s, %s, %s", r.Sessions, several(r.Nodes, "node"), several(int(r.Clients), "client"))
}

func (r *engineRow) name() string { return r.place() + ", " + r.Algorithm }

func several(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprint(n, " ", what, "s")
}

// printRows prints medians, as the table of README.md has them.
func printRows(w io.Writer, workload string, rows []engineRow) {
	fmt.Fprint(w, engineTable)
	for _, r := range rows {
		fmt.Fprintf(w, "| %s | %s | %d | %d | %s | %.0f | %.2f | %.2f | %.0f | %.3g | %s | %s |\n",
			workload, r.Sessions, r.Nodes, r.Clients, r.Algorithm, r.PerSecond.Median, r.P50.Median, r.P99.Median,
			r.CPU.Median, r.Ratio.Median, medianOf(r.Commands), medianOf(r.EngineCPU))
	}
}

func medianOf(f *figure) string {
	if f == nil {
		return ""
	}
	return fmt.Sprintf("%.3g", f.Median)
}

const engineTable = `| | Sessions in | Nodes | Clients | Tokens | Refreshes/s | p50 ms | p99 ms | CPU/refresh µs | of a login's | Commands/refresh | Engine's CPU/refresh µs |
|---|---|---|---|---|---|---|---|---|---|---|---|
`
