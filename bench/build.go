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

// build compiles them into the directory of the run.
func (b *bench) build(ctx context.Context, plot bool) error {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", modulePath).Output()
	if err != nil {
		return fmt.Errorf("looking for the checkout: run it there as `go run ./bench`: %w", err)
	}
	checkout := strings.TrimSpace(string(root))
	programs := []struct {
		binary *string
		name   string
		dir    string // of its module
		path   string
	}{
		{&b.caddy, "caddy", checkout, "./cmd/caddy"},
		{&b.plain, "plain", checkout, "./bench/plain"},
		{&b.storage, "storage", checkout, "./bench/storage"},
		{&b.hash, "hash", checkout, "./bench/hash"},
		{&b.load, "load", filepath.Join(checkout, "bench", "load"), "."},
		{&b.plot, "plot", filepath.Join(checkout, "bench", "plot"), "."},
	}
	if !plot { // it has the most to download
		programs = programs[:len(programs)-1]
	}
	for _, program := range programs {
		*program.binary = filepath.Join(b.dir, program.name)
		build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", *program.binary, program.path)
		build.Dir = program.dir
		if output, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", program.name, err, output)
		}
	}
	return nil
}

const modulePath = "github.com/caddygrant/caddy-grant"
