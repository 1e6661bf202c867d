package main

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/caddygrant/caddy-grant/integration/simulation"
)

// meter reads what an engine has used since it was started.
type meter interface {
	read(ctx context.Context) (reading, error)
	CPU() (time.Duration, error)
	directory() string
}

// reading is what an engine has used up to a moment.
type reading struct {
	size    int64         // bytes that its data takes: of memory in Redis, of tables and indexes in PostgreSQL
	written int64         // bytes of its log
	asked   int64         // scripts that Redis ran, transactions that PostgreSQL committed
	engine  time.Duration // of CPU
}

// minus is what was used between two readings.
func (r reading) minus(before reading) reading {
	return reading{
		size: r.size - before.size, written: r.written - before.written, asked: r.asked - before.asked,
		engine: r.engine - before.engine,
	}
}

// ownCPU is what this process has used.
func ownCPU() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

type redisMeter struct {
	*simulation.Redis
	client *redis.Client
}

func (m *redisMeter) directory() string { return m.Directory() }

func (m *redisMeter) read(ctx context.Context) (r reading, err error) {
	text, err := m.client.InfoMap(ctx, "memory", "persistence", "commandstats").Result()
	if err != nil {
		return r, err
	}
	for _, section := range text {
		for name, value := range section {
			n, _ := strconv.ParseInt(value, 10, 64)
			switch name {
			case "used_memory":
				r.size = n
			case "aof_current_size":
				r.written = n
			case "cmdstat_evalsha", "cmdstat_eval":
				calls, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
				n, _ = strconv.ParseInt(calls, 10, 64)
				r.asked += n
			}
		}
	}
	r.engine, err = m.CPU()
	return r, err
}

type postgresMeter struct {
	*simulation.Postgres
	conn *pgx.Conn
}

func (m *postgresMeter) directory() string { return m.Directory() }

// read waits until all backends have told their statistics, which idle ones do after ten
// seconds.
func (m *postgresMeter) read(ctx context.Context) (r reading, err error) {
	if r.engine, err = m.CPU(); err != nil {
		return r, err
	}
	time.Sleep(10_500 * time.Millisecond)
	err = m.conn.QueryRow(ctx, `SELECT
	coalesce((SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relname LIKE 'caddy_grant_%'), 0),
	pg_current_wal_lsn() - '0/0'::pg_lsn,
	(SELECT sum(xact_commit) FROM pg_stat_database)`).Scan(&r.size, &r.written, &r.asked)
	return r, err
}

type filesMeter struct{ dir string }

func (m *filesMeter) directory() string { return m.dir }

// CPU is none: the work is that of the node.
func (m *filesMeter) CPU() (time.Duration, error) { return 0, nil }

// read counts whole blocks, as du does.
func (m *filesMeter) read(context.Context) (r reading, err error) {
	err = filepath.WalkDir(m.dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil // it is gone
		}
		info, err := entry.Info()
		if err != nil {
			return nil
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return fmt.Errorf("%s: its blocks are unknown", entry.Name())
		}
		r.size += 512 * stat.Blocks
		return nil
	})
	return r, err
}
