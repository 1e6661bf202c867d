package main

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestNothingIsReportedOfAWorkloadThatWentWrong(t *testing.T) {
	good := findings{Entries: []entry{testEntry("HS256", 0.5)}, Figures: []figure{ratio("x", 1)}}
	for name, c := range map[string]struct {
		found findings
		err   error
	}{
		"an error":                 {good, errors.New("1 of 9 answers was unexpected")},
		"a figure of no number":    {findings{Entries: good.Entries, Figures: []figure{ratio("x", math.NaN())}}, nil},
		"an entry without answers": {findings{Entries: []entry{testEntry("HS256", 0)}, Figures: good.Figures}, nil},
	} {
		r := newReport(options{rounds: 1}, machine{})
		r.add("broken", c.found, c.err, 0)
		r.add("whole", good, nil, 0)
		if s := r.Workloads[0]; s.Refused == "" || s.Entries != nil || s.Figures != nil {
			t.Errorf("%s: reported is %+v", name, s)
		}
		if err := r.failure(); err == nil || !strings.Contains(err.Error(), "broken") || strings.Contains(err.Error(), "whole") {
			t.Errorf("%s: the failure is %v", name, err)
		}
	}
}

func TestTheTableHasEveryColumn(t *testing.T) {
	r := newReport(options{rounds: 2}, machine{CPU: "a CPU", Pinned: "not pinned: no"})
	r.add("password", findings{Entries: []entry{testEntry("HS256", 0.5, 0.625)}, Figures: []figure{ratio("of respond", 0.5).atLeast(0.6)}}, nil, 0)
	var out strings.Builder
	r.print(&out)
	for _, want := range []string{
		"a CPU", "not pinned: no",
		"HS256 1000 1 2 18 50 0.562 0.500 … 0.625",
		"of respond 0.500 ≥ 0.6 NO",
	} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), want) {
			t.Errorf("there is no %q in\n%s", want, out.String())
		}
	}
}
