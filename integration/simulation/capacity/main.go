// Command capacity measures what one node, one Redis and one PostgreSQL carry, on this
// machine, with the engines' own protocols on loopback. The tables of docs/capacity.md are
// those that it writes. From the root of the repository:
//
//	go -C integration/simulation run ./capacity -o results.md -page ../../docs/capacity.md
//
// A machine that does something else meanwhile gives wrong times; counts and sizes stay
// right.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/caddygrant/caddy-grant/integration/simulation"
)

var (
	engines  = flag.String("engines", "redis,postgres,files", "what is measured, separated by commas: redis, postgres, files")
	kept     = flag.Int("sessions", 200_000, "how many sessions there are; on files, a tenth")
	days     = flag.Int("days", 30, "on how many days these sessions end")
	revoked  = flag.Int("revoked", 100_000, "how many sessions are revoked; on files, a tenth")
	duration = flag.Duration("duration", 8*time.Second, "for how long refreshes are measured, with each number of clients")
	fsync    = flag.String("appendfsync", "always", "how Redis syncs its file: always or everysec")
	output   = flag.String("o", "", "a file for the tables")
	page     = flag.String("page", "", "a page in Markdown in which they take the place of its tables")
)

func main() {
	flag.Parse()
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "capacity:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var all []*measurement
	for name := range strings.SplitSeq(*engines, ",") {
		if !slices.Contains([]string{"redis", "postgres", "files"}, name) {
			return fmt.Errorf("unknown engine %q", name)
		}
		m := &measurement{name: name, sessions: *kept, revoked: *revoked, costs: make(map[string]cost)}
		if err := measured(ctx, m); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, m)
	}
	tables := []string{costTable(all), exampleTable(all)}
	text := strings.Join(tables, "\n")
	fmt.Print("\n\n" + text)
	if *output != "" {
		if err := os.WriteFile(*output, []byte(text), 0o644); err != nil {
			return err
		}
	}
	if *page == "" {
		return nil
	}
	before, err := os.ReadFile(*page)
	if err != nil {
		return err
	}
	after, err := withTables(string(before), tables)
	if err != nil {
		return fmt.Errorf("%s: %w", *page, err)
	}
	return os.WriteFile(*page, []byte(after), 0o644)
}

// measured starts an engine and prints its figures.
func measured(ctx context.Context, m *measurement) error {
	switch m.name {
	case "redis":
		server, err := simulation.StartRedis("--appendfsync", *fsync, "--auto-aof-rewrite-percentage", "0")
		if err != nil {
			return err
		}
		defer server.Close()
		m.server, m.meter = server, &redisMeter{server, server.Client()}
		m.title = "Redis, `appendfsync " + *fsync + "`"
	case "postgres":
		server, err := simulation.StartPostgres()
		if err != nil {
			return err
		}
		defer server.Close()
		conn, err := server.Connect(ctx)
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		m.server, m.meter = server, &postgresMeter{server, conn}
		m.title = "PostgreSQL"
	case "files":
		dir, err := os.MkdirTemp("", "caddy-grant-capacity-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		m.meter = &filesMeter{dir}
		m.title = "files"
		m.sessions, m.revoked = m.sessions/10, m.revoked/10
	}
	return m.run(ctx)
}
