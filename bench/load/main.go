// Command load is the load generator of bench: vegeta, a well-maintained library, told
// in JSON what to send and what to expect. It is a separate process, so that its
// garbage collector and its CPU are not those of the measuring program, and a separate
// module, so that the product does not depend on it.
//
// It reads one plan from standard input, and writes one outcome to standard output when the time is up or when it is
// interrupted.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	decoder := json.NewDecoder(os.Stdin)
	decoder.DisallowUnknownFields()
	var p plan
	if err := decoder.Decode(&p); err != nil {
		return fmt.Errorf("reading the plan: %w", err)
	}
	if len(p.Expect) == 0 {
		return fmt.Errorf("the plan expects nothing: every answer would be unexpected")
	}
	o, err := attack(ctx, p)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(o)
}
