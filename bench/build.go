package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// binaries are the programs that a run starts.
type binaries struct {
	caddy   string // with the module, as it is in this checkout
	plain   string // without it
	storage string // what limits a refresh
	hash    string // what limits a cold login
	load    string // the load generator
	plot    string // what draws, if that is asked for
}

// build compiles them into the directory of the run. Both Caddys are built by the
// go.mod of this module, so that they differ in caddy-grant and in nothing else.
func (b *bench) build(ctx context.Context, plot bool) error {
	source, err := sourceDir(ctx)
	if err != nil {
		return err
	}
	programs := []struct {
		binary *string
		name   string
		dir    string // below the source
		path   string
	}{
		{&b.caddy, "caddy", "", "github.com/caddygrant/caddy-grant/cmd/caddy"},
		{&b.plain, "plain", "plain", "."},
		{&b.storage, "storage", "storage", "."},
		{&b.hash, "hash", "hash", "."},
		{&b.load, "load", "load", "."},
		{&b.plot, "plot", "plot", "."},
	}
	if !plot { // it has the most to download
		programs = programs[:len(programs)-1]
	}
	for _, p := range programs {
		*p.binary = b.path(p.name)
		if err := compile(ctx, filepath.Join(source, p.dir), p.path, *p.binary); err != nil {
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
