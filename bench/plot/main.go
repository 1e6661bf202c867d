// Command plot draws how fast the entries of a bench report are. It is a separate
// module, so that the product does not depend on its drawing library.
//
// It reads a report in JSON from standard input, and writes an SVG to standard output.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	var r report
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		return fmt.Errorf("reading the report: %w", err)
	}
	var charts []workload
	for _, w := range r.Workloads {
		if len(w.Entries) > 0 {
			charts = append(charts, w)
		}
	}
	if len(charts) == 0 {
		return fmt.Errorf("the report has nothing to draw: no workload with entries")
	}
	return draw(out, charts)
}

// report is the part of a report that this program needs. bench has the whole type.
type report struct {
	Workloads []workload `json:"workloads"`
}

type workload struct {
	Name    string  `json:"name"`
	Entries []entry `json:"entries"`
}

type entry struct {
	Name  string `json:"name"`
	Group string `json:"group"`
	Share share  `json:"share"` // of the speed of respond
}

type share struct {
	Values []float64 `json:"values"`
	Median float64   `json:"median"`
}
