package docs

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// speedFigure is a figure in what `go -C bench run . -json` writes.
type speedFigure struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Values []float64 `json:"values"`
	Median float64   `json:"median"`
	Wanted string    `json:"wanted"`
	Met    *bool     `json:"met"`
}

func (f speedFigure) spread() string {
	if len(f.Values) < 2 {
		return ""
	}
	return fmt.Sprintf("%.3g … %.3g", slices.Min(f.Values), slices.Max(f.Values))
}

// engineRow is a row about sessions in an engine.
type engineRow struct {
	Sessions       string
	Nodes, Clients int
	Algorithm      string
	PerSec         speedFigure `json:"per_second"`
	P50, P99       speedFigure
	CPU, Ratio     speedFigure
	Commands       *speedFigure
	EngineCPU      *speedFigure `json:"engine_cpu"`
}

func (r engineRow) String() string {
	median := func(f *speedFigure) string {
		if f == nil {
			return ""
		}
		return fmt.Sprintf("%.3g", f.Median)
	}
	return fmt.Sprintf("%s | %d | %d | %s | %.0f | %.2f | %.2f | %.0f | %.3g | %s | %s", r.Sessions, r.Nodes, r.Clients, r.Algorithm,
		r.PerSec.Median, r.P50.Median, r.P99.Median, r.CPU.Median, r.Ratio.Median, median(r.Commands), median(r.EngineCPU))
}

// The docs' tables of speed are those of one run, which the repository has.
func TestDocsSpeed(t *testing.T) {
	var run struct {
		Machine struct {
			CPU, Go, Caddy, Date string
			Cores                int
		}
		Rounds    int
		Workloads []struct {
			Name    string
			Entries []struct {
				Name     string
				PerSec   speedFigure `json:"per_second"`
				P50, P99 speedFigure
				CPU      speedFigure
				Share    speedFigure
			}
			Rows    []engineRow
			Figures []speedFigure
		}
	}
	if err := json.Unmarshal([]byte(repo.Read(t, "bench/results.json")), &run); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, w := range run.Workloads {
		for _, e := range w.Entries {
			want = append(want, fmt.Sprintf("| %s | %s | %.0f | %.2f | %.2f | %.0f | %.3g | %s |",
				w.Name, e.Name, e.PerSec.Median, e.P50.Median, e.P99.Median, e.CPU.Median, e.Share.Median, e.Share.spread()))
		}
		for _, r := range w.Rows {
			want = append(want, fmt.Sprintf("| %s | %s |", w.Name, r))
		}
	}
	for _, w := range run.Workloads {
		above := "" // the figure to which those with spaces before their names belong
		for _, f := range w.Figures {
			name := strings.TrimSpace(f.Name)
			if name == f.Name {
				above = name
			} else {
				name = above + ": " + name
			}
			if f.Wanted == "" {
				continue
			}
			met := "no"
			if *f.Met {
				met = "yes"
			}
			want = append(want, fmt.Sprintf("| %s | %s | %s | %s | %s | %s |",
				w.Name, name, strings.TrimSpace(fmt.Sprintf("%.3g %s", f.Median, f.Unit)), f.spread(), f.Wanted, met))
		}
	}
	if len(run.Workloads) < 10 || len(want) < 30 {
		t.Fatalf("%d workloads and %d rows: the run was not of everything", len(run.Workloads), len(want))
	}
	day, _, _ := strings.Cut(run.Machine.Date, "T")
	machine := fmt.Sprintf("%s, %d cores, %s, Caddy %s, %s, %d rounds", run.Machine.CPU, run.Machine.Cores, run.Machine.Go, run.Machine.Caddy, day, run.Rounds)
	docs := repo.Docs(t)
	missing := 0
	for _, text := range append([]string{machine}, want...) {
		if !strings.Contains(docs, text) {
			missing++
		}
	}
	if missing > 0 {
		t.Errorf("the docs lack %d of these:\n%s\n%s", missing, machine, strings.Join(want, "\n"))
	}
	rows := 0
	for line := range strings.Lines(section(t, "## Speed")) {
		if cells := row(line); len(cells) > 4 && cells[0] != "" && !strings.HasPrefix(cells[0], "-") {
			rows++
		}
	}
	if rows != len(want) {
		t.Errorf("the docs' tables of speed have %d rows, the run %d", rows, len(want))
	}
}

// The benchmark takes 25 minutes, so that its command is only read.
func testBench(t *testing.T, blocks map[string]block) {
	words := strings.Fields(blocks["bench"].text)
	if len(words) < 6 || strings.Join(words[:5], " ") != "go -C bench run ." {
		t.Fatalf("the command is %q", words)
	}
	program := repo.Read(t, "bench/main.go")
	for _, word := range words[5:] {
		if name, isFlag := strings.CutPrefix(word, "-"); isFlag && !strings.Contains(program, `"`+name+`"`) {
			t.Errorf("bench has no flag %s", word)
		}
	}
}
