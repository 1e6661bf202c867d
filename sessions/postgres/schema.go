package postgres

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/caddygrant/caddy-grant/sessions"
)

//go:embed migrations/*.sql
var files embed.FS

// migration brings the tables from the number before to its own.
type migration struct {
	number int
	sql    string
}

var migrations = readMigrations()

// readMigrations reads the embedded files, whose names begin with their numbers.
func readMigrations() (all []migration) {
	names, _ := fs.Glob(files, "migrations/*.sql")
	for _, name := range names {
		number, err := strconv.Atoi(strings.TrimPrefix(name, "migrations/")[:4])
		text, unreadable := files.ReadFile(name)
		if err != nil || unreadable != nil {
			panic("postgres: " + name) // at the start of the program, in no test of which it could be missed
		}
		all = append(all, migration{number, string(text)})
	}
	slices.SortFunc(all, func(a, b migration) int { return cmp.Compare(a.number, b.number) })
	return all
}

// findEpoch returns the epoch of the server. What is missing, tables or epoch, is made
// until it was there once.
func (e *engine) findEpoch(ctx context.Context) (int64, error) {
	known := e.known.Load() // before it is looked for: another call may make it meanwhile
	setUp, err := ask(ctx, e.pool, func(ctx context.Context, ask asker) (f setUp, err error) {
		err = ask.row(ctx, e.sql.facts, []any{e.names.migrations, e.names.epochs, e.names.sessions, e.names.revocations},
			&f.version, &f.standby, &f.readOnly, &f.isolation, &f.fsync, &f.hasTables, &f.unlogged)
		return f, err
	})
	if err != nil {
		return 0, err
	}
	if err := setUp.suits(); err != nil {
		return 0, err
	}
	if !setUp.hasTables {
		if err := e.migrate(ctx, known); err != nil {
			return 0, err
		}
	}
	epoch, number, err := e.readEpoch(ctx)
	if err == nil && number < newest() {
		if err = e.migrate(ctx, known); err == nil {
			epoch, _, err = e.readEpoch(ctx)
		}
	}
	if err != nil || epoch != nil {
		return deref(epoch), err
	}
	if known {
		return 0, errNoEpoch
	}
	// Of several nodes that do this at once one succeeds, and the others read what it made.
	made, _ := strconv.ParseUint(sessions.NewEpoch(), 16, 64)
	if _, err := changed(ctx, e.pool, e.sql.makeEpoch, e.server, int64(made)); err != nil {
		return 0, err
	}
	epoch, _, err = e.readEpoch(ctx)
	if err == nil && epoch == nil {
		err = errNoEpoch
	}
	return deref(epoch), err
}

func deref(epoch *int64) int64 {
	if epoch == nil {
		return 0
	}
	return *epoch
}

// readEpoch returns the epoch, if there is one, and the number of the last migration.
func (e *engine) readEpoch(ctx context.Context) (epoch *int64, number int, err error) {
	type found struct {
		number  int
		allowed *bool
		epoch   *int64
	}
	f, err := ask(ctx, e.pool, func(ctx context.Context, ask asker) (f found, err error) {
		err = ask.row(ctx, e.sql.tables, []any{e.server, e.names.epochs, e.names.sessions, e.names.revocations}, &f.number, &f.allowed, &f.epoch)
		return f, err
	})
	switch {
	case err != nil:
		return nil, 0, err
	case f.number > newest():
		return nil, 0, unsuitable("the tables are those of a newer version: they have migration %d, and this program knows up to %d: update it", f.number, newest())
	case f.allowed == nil || !*f.allowed:
		return nil, 0, &refusal{insufficientPrivilege, "the role lacks a right"}
	}
	return f.epoch, f.number, nil
}

func newest() int { return migrations[len(migrations)-1].number }

// migrate applies what is missing, in one transaction. Nodes that start at the same time
// wait for each other.
func (e *engine) migrate(ctx context.Context, known bool) error {
	if known {
		return errors.New("sessions postgres: " + tablesLost)
	}
	ctx, cancel := context.WithTimeout(mayConnect(ctx), max(e.pool.timeout, migrationTimeout))
	defer cancel()
	err := func() (err error) {
		defer recovered(&err)
		return pgx.BeginTxFunc(ctx, e.pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
			return applyMissing(ctx, tx, e.names)
		})
	}()
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch refused.Code {
		case insufficientPrivilege:
			return unsuitable("the role may not make the tables: %s: give it a schema with CREATE SCHEMA … AUTHORIZATION, or apply the files of sessions/postgres/migrations by hand", refused.Message)
		case noSchema:
			return unsuitable("no schema of the role's search_path is there: write schema <name> in the block, or CREATE SCHEMA: %s", refused.Message)
		}
	}
	return meaning(ctx, e.pool, err)
}

// migrationTimeout is how long the tables may take, and another node that makes them.
const migrationTimeout = 20 * time.Second

// applyMissing reads the catalogs themselves: a connection that has looked before does not
// see by to_regclass alone what another has made while this one waited for the lock.
func applyMissing(ctx context.Context, tx pgx.Tx, names names) error {
	exec := func(sql string, parameters ...any) error {
		_, err := tx.Exec(ctx, sql, append([]any{pgx.QueryExecModeExec}, parameters...)...)
		return err
	}
	if err := exec(`SELECT pg_advisory_xact_lock($1::bigint), set_config('synchronous_commit', 'on', true)`, migrationLock); err != nil {
		return err
	}
	if names.schema != "" {
		// asked first: IF NOT EXISTS needs the right to create one even where it exists
		var exists bool
		err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1::text)`, pgx.QueryExecModeExec, names.schema).Scan(&exists)
		if err == nil && !exists {
			err = exec(`CREATE SCHEMA ` + pgx.Identifier{names.schema}.Sanitize())
		}
		if err == nil {
			err = exec(`SELECT set_config('search_path', $1::text, true)`, names.schema)
		}
		if err != nil {
			return err
		}
	}
	applied := 0
	var exists bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass($1::text))`, pgx.QueryExecModeExec, names.migrations).Scan(&exists); err != nil {
		return err
	}
	if exists {
		if err := tx.QueryRow(ctx, `SELECT coalesce(max(number), 0) FROM `+names.migrations, pgx.QueryExecModeExec).Scan(&applied); err != nil {
			return err
		}
	}
	for _, m := range migrations {
		if m.number <= applied {
			continue
		}
		if _, err := tx.Exec(ctx, m.sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("migration %d: %w", m.number, err)
		}
	}
	return nil
}

// migrationLock is an arbitrary number, the same for all versions.
const migrationLock = int64(0x6361646479677261)

// setUp is how a server is set up.
type setUp struct {
	version             int
	standby, readOnly   bool
	isolation           string
	fsync               bool
	hasTables, unlogged bool
}

// suits tells what is in the way of what an engine promises.
func (s setUp) suits() error {
	switch {
	case s.version < leastVersion:
		return unsuitable("PostgreSQL %d is too old: 14 is the oldest", s.version/10000)
	case s.standby || s.readOnly:
		return errStandby
	case s.isolation != "read committed":
		return unsuitable("default_transaction_isolation is %s: ALTER ROLE … SET default_transaction_isolation = 'read committed'", s.isolation)
	case !s.fsync:
		return unsuitable("fsync is off: what was acknowledged is lost when the machine fails")
	case s.unlogged:
		return unsuitable("a table is UNLOGGED or temporary, and empty after a crash: ALTER TABLE … SET LOGGED")
	}
	return nil
}

const leastVersion = 140000

func unsuitable(format string, arguments ...any) error {
	return fmt.Errorf("sessions postgres: %w: "+format, append([]any{sessions.ErrUnsuitable}, arguments...)...)
}
