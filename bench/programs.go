package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// build compiles the programs that a run starts into its directory: a Caddy with the
// module as it is in this checkout, and those of this directory. Both Caddys are built
// by the go.mod of bench, so that they differ in caddy-grant and in nothing else.
func (b *bench) build(ctx context.Context, plot bool) error {
	source, err := sourceDir(ctx)
	if err != nil {
		return err
	}
	if err := compile(ctx, source, "github.com/caddygrant/caddy-grant/cmd/caddy", b.path("caddy")); err != nil {
		return err
	}
	programs := []string{"plain", "storage", "hash", "load"}
	if plot { // it has the most to download
		programs = append(programs, "plot")
	}
	for _, name := range programs {
		if err := compile(ctx, filepath.Join(source, name), ".", b.path(name)); err != nil {
			return err
		}
	}
	return nil
}

// sourceDir is where this module is in the checkout.
func sourceDir(ctx context.Context) (string, error) {
	const module = "github.com/caddygrant/caddy-grant/bench"
	dir, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("looking for the checkout: run it there as `go -C bench run .`: %w", err)
	}
	return strings.TrimSpace(string(dir)), nil
}

// compile builds a program of the module that dir is in.
func compile(ctx context.Context, dir, path, binary string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", binary, path)
	cmd.Dir = dir
	return combined(cmd, "building "+filepath.Base(binary))
}

// combined runs a command, whose output is in the error if it fails.
func combined(cmd *exec.Cmd, what string) error {
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", what, err, output)
	}
	return nil
}

// output runs a program of the run on a core and returns what it prints. It is
// interrupted when the context ends.
func (b *bench) output(ctx context.Context, core int, input []byte, program string, args ...string) ([]byte, error) {
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, b.path(program), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &output, os.Stderr
	err := onCore(core, cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		err = fmt.Errorf("the program %s: %w", program, err)
	}
	return output.Bytes(), err
}
