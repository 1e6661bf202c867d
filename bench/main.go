// Command bench measures what caddy-grant costs and what it withstands, side by side with what limits it:
//
//	go -C bench run .                        # everything, about 25 minutes
//	go -C bench run . -run password,bearer -json figures.json -svg speed.svg
//	go -C bench run . -run cold,flood -rounds 9
//	go -C bench run . -run soak -soak 10m
//
// It is a separate module, so that the product does not depend on what only this
// program needs. Paths of -json and -svg are relative to the directory bench.
//
// How fast it is:
//
//	password  logins whose password is remembered, beside respond and beside other token servers
//	bearer    checked requests beside unchecked ones, with one token and with many
//	credentials  requests with outside tokens, API keys and tokens of clients beside those
//	          with an own token
//	browser   requests with the session cookie of a login page beside those with a token,
//	          and the page itself beside respond
//	refresh   refreshes beside a bare server that does the same in the storage
//	engines   refreshes with sessions in files, Redis and PostgreSQL, beside logins
//	latency   logins and respond, each at half of what it can
//	idle      memory and start of a Caddy with and without it
//	cold      logins whose password has to be hashed, beside the hash
//
// And how robust it is: equal (can a name be found out by timing), users (a million),
// flood (of wrong logins) and soak (reloads and changing files).
//
// Every figure that counts is a ratio of two things measured in turns in the same run,
// since the speed of a machine drifts. Each answer is checked; a workload with an
// unexpected answer is not reported. It builds the servers and the load generator (a
// separate module, in load/), and starts them as processes on loopback; where it
// measures speed, server and load have a core each. Nothing else should run on the
// machine meanwhile.
//
// The exit code is 0 if every workload could be measured, even if a figure is not as
// required.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// bench is one run of the program.
type bench struct {
	options
	cores cores
	dir   string // for all that the run writes, and for the programs that it starts
	calls uint64 // load plans so far, see numbers
}

type options struct {
	rounds int
	slot   time.Duration
	tries  int
	soak   time.Duration
}

// workload is a group of figures that are measured together.
type workload struct {
	name    string
	measure func(context.Context, *bench) (findings, error)
}

var workloads = []workload{
	{"password", measurePassword},
	{"bearer", measureBearer},
	{"credentials", only(measureCredentials)},
	{"browser", measureBrowser},
	{"refresh", only(measureRefresh)},
	{"engines", measureEngines},
	{"latency", only(measureLatency)},
	{"idle", only(measureIdle)},
	{"cold", only(measureCold)},
	{"equal", only(measureEqual)},
	{"users", only(measureUsers)},
	{"flood", only(measureFlood)},
	{"soak", only(measureSoak)},
}

// only is for workloads that have figures and no entries.
func only(measure func(context.Context, *bench) ([]figure, error)) func(context.Context, *bench) (findings, error) {
	return func(ctx context.Context, b *bench) (findings, error) {
		figures, err := measure(ctx, b)
		return findings{Figures: figures}, err
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var names []string
	for _, w := range workloads {
		names = append(names, w.name)
	}
	b := new(bench)
	only := flag.String("run", strings.Join(names, ","), "the `workloads` to measure")
	flag.IntVar(&b.rounds, "rounds", 5, "how many times to measure, in turns")
	flag.DurationVar(&b.slot, "slot", 4*time.Second, "how long a turn takes")
	flag.IntVar(&b.tries, "tries", 200, "how many tries of each kind the workload equal takes")
	flag.DurationVar(&b.soak, "soak", time.Minute, "how long the workload soak takes")
	output := flag.String("json", "", "write the figures to this `file` too")
	svg := flag.String("svg", "", "draw the tables of password and bearer to this `file`")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", flag.Arg(0))
	}
	if b.rounds < 1 || b.slot < time.Second || b.tries < 20 || b.soak < 20*time.Second {
		return errors.New("too little to measure: at least 1 round, 1s a slot, 20 tries and a soak of 20s")
	}
	chosen := strings.Split(*only, ",")
	for _, name := range chosen {
		if !slices.Contains(names, name) {
			return fmt.Errorf("there is no workload %q: it is one of %s", name, strings.Join(names, ", "))
		}
	}

	var err error
	if b.dir, err = os.MkdirTemp("", "bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.build(ctx, *svg != ""); err != nil {
		return err
	}
	b.cores = chooseCores()
	r := newReport(b.options, b.machine(ctx))
	for _, w := range workloads {
		if slices.Contains(chosen, w.name) {
			fmt.Fprintf(os.Stderr, "measuring %s …\n", w.name)
			begun := time.Now()
			found, err := w.measure(ctx, b)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			r.add(w.name, found, err, time.Since(begun))
		}
	}
	r.print(os.Stdout)
	if *output != "" {
		if err := r.write(*output); err != nil {
			return err
		}
	}
	if *svg != "" {
		if err := b.draw(ctx, r, *svg); err != nil {
			return errors.Join(err, r.failure())
		}
	}
	return r.failure()
}
