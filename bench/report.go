package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// figure is something that was measured in every round.
type figure struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit,omitempty"` // none for ratios
	Values []float64 `json:"values"`         // one a round
	Median float64   `json:"median"`
	Wanted string    `json:"wanted,omitempty"`
	Met    *bool     `json:"met,omitempty"` // whether the median is as required

	meets func(median float64) bool
}

func measured(name, unit string, values ...float64) figure {
	return figure{Name: name, Unit: unit}.of(values...)
}

func ratio(name string, values ...float64) figure { return measured(name, "", values...) }

func (f figure) atLeast(limit float64) figure {
	return f.judged(fmt.Sprintf("≥ %g", limit), func(median float64) bool { return median >= limit })
}

func (f figure) atMost(limit float64) figure {
	return f.judged(fmt.Sprintf("≤ %.3g", limit), func(median float64) bool { return median <= limit })
}

func (f figure) judged(wanted string, meets func(median float64) bool) figure {
	f.Wanted, f.meets = wanted, meets
	return f.of(f.Values...)
}

// of is the same figure of other values.
func (f figure) of(values ...float64) figure {
	f.Values, f.Median = values, median(values)
	if f.meets != nil {
		met := f.meets(f.Median)
		f.Met = &met
	}
	return f
}

func (f figure) spread() string {
	if len(f.Values) < 2 {
		return ""
	}
	return brief(slices.Min(f.Values)) + " … " + brief(slices.Max(f.Values))
}

func (f figure) verdict() string {
	switch {
	case f.Met == nil:
		return ""
	case *f.Met:
		return "yes"
	}
	return "NO"
}

// report is the result of a run.
type report struct {
	Machine   machine   `json:"machine"`
	Rounds    int       `json:"rounds"`
	Slot      string    `json:"slot"`
	Workloads []section `json:"workloads"`
}

type section struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
	findings
	Refused string `json:"refused,omitempty"` // why there are none
}

// findings are the results of a workload.
type findings struct {
	Entries []entry     `json:"entries,omitempty"` // if it is about speed
	Rows    []engineRow `json:"rows,omitempty"`    // if it is about engines
	Figures []figure    `json:"figures,omitempty"`
}

// all are the figures, those of the entries and the rows too.
func (f findings) all() []figure {
	all := slices.Clone(f.Figures)
	for _, e := range f.Entries {
		for _, figure := range e.figures() {
			all = append(all, *figure)
		}
	}
	for _, r := range f.Rows {
		all = append(all, r.figures()...)
	}
	return all
}

func newReport(o options, m machine) *report {
	return &report{Machine: m, Rounds: o.rounds, Slot: o.slot.String()}
}

// add takes the figures of a workload, or none if anything went wrong: then they would be figures of something else.
func (r *report) add(name string, found findings, err error, took time.Duration) {
	s := section{Name: name, Seconds: math.Round(took.Seconds()), findings: found}
	for _, f := range found.all() {
		if err == nil && slices.ContainsFunc(f.Values, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }) {
			err = fmt.Errorf("%s is not a number: %v", f.Name, f.Values)
		}
	}
	if err != nil {
		s.findings, s.Refused = findings{}, err.Error()
	}
	r.Workloads = append(r.Workloads, s)
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%s; %d rounds, slots of %s\n", r.Machine, r.Rounds, r.Slot)
	for _, s := range r.Workloads {
		fmt.Fprintf(w, "\n%s (%.0f s)\n", s.Name, s.Seconds)
		if s.Refused != "" {
			fmt.Fprintf(w, "  not reported: %s\n", s.Refused)
			continue
		}
		if len(s.Entries) > 0 {
			printEntries(w, s.Entries)
		}
		if len(s.Rows) > 0 {
			printRows(w, s.Name, s.Rows)
		}
		printFigures(w, s.Figures)
	}
}

func printFigures(w io.Writer, figures []figure) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  \tmedian\tspread\twanted\tmet")
	for _, f := range figures {
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\n", f.Name, strings.TrimSpace(brief(f.Median)+" "+f.Unit), f.spread(), f.Wanted, f.verdict())
	}
	table.Flush()
}

// printEntries prints only medians, except for the share, which is what counts.
func printEntries(w io.Writer, entries []entry) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  \trequests/s\tp50 ms\tp99 ms\tCPU/request µs\tresident MiB\trespond's CPU / its own\tspread")
	for _, e := range entries {
		fmt.Fprintf(table, "  %s\t", e.Name)
		for _, f := range e.figures() {
			fmt.Fprintf(table, "%s\t", brief(f.Median))
		}
		fmt.Fprintln(table, e.Share.spread())
	}
	table.Flush()
}

// brief writes a number with as many digits as it is worth.
func brief(v float64) string {
	switch size := math.Abs(v); {
	case v == math.Trunc(v) || size >= 1000:
		return fmt.Sprintf("%.0f", v)
	case size >= 10:
		return fmt.Sprintf("%.1f", v)
	case size >= 0.1:
		return fmt.Sprintf("%.3f", v)
	}
	return fmt.Sprintf("%.2g", v)
}

func (r *report) write(path string) error {
	content, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(content, '\n'), 0o644)
}

// failure is an error if a workload has no figures.
func (r *report) failure() error {
	var refused []string
	for _, s := range r.Workloads {
		if s.Refused != "" {
			refused = append(refused, s.Name)
		}
	}
	if len(refused) > 0 {
		return fmt.Errorf("not reported: %s", strings.Join(refused, ", "))
	}
	return nil
}
