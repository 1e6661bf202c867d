package main

import (
	"strings"
	"testing"
)

func TestWhatWrkPrintsIsRead(t *testing.T) {
	const printed = `Running 1s test @ http://127.0.0.1:18480/hs256
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   401.12us    1.02ms  20.11ms   96.20%
    Req/Sec    15.21k     1.10k   17.02k    70.00%
  16731 requests in 1.10s, 21.31MB read
Requests/sec:  15209.95
Transfer/sec:     19.37MB
`
	if o, err := readWrk(printed); err != nil || o.answers() != 16731 || o.perSecond() < 15209 || o.perSecond() > 15211 {
		t.Errorf("%+v, %v", o, err)
	}
	for name, output := range map[string]string{
		"refusals":     printed + "  Non-2xx or 3xx responses: 3\n",
		"broken":       printed + "  Socket errors: connect 0, read 3, write 0, timeout 0\n",
		"nothing":      "",
		"no answer":    strings.Replace(printed, "16731", "0", 1),
		"another unit": strings.Replace(printed, "1.10s", "1.10x", 1),
	} {
		if o, err := readWrk(output); err == nil {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

// The figures of one generator are computed by the ones of the table.
func TestHowBusyAServerIs(t *testing.T) {
	respond := entry{Name: "respond", PerSecond: measured("", "/s", 20000, 25000), CPU: measured("", "µs", 40, 38)}
	figures := busyByOurs([]entry{respond})
	if len(figures) != 1 || figures[0].Values[0] != 80 || figures[0].Values[1] != 95 {
		t.Errorf("%+v", figures)
	}
}
