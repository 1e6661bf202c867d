package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caddygrant/caddy-grant/directory"
)

// query is one of the operator's, by the name of its setting.
type query struct{ name, text string }

// check refuses a text that cannot be a query for one row. column is what the query
// looks for.
func (q query) check(column string) error {
	switch {
	case strings.TrimSpace(q.text) == "":
		return fmt.Errorf("%s: it is missing: write a query such as SELECT ... WHERE %s = $1", q.name, column)
	case !strings.Contains(q.text, "$1"):
		return fmt.Errorf("%s: it has no parameter: write WHERE %s = $1", q.name, column)
	case otherParameter.MatchString(q.text):
		return fmt.Errorf("%s: the only parameter is $1, which may be used several times", q.name)
	}
	return nil
}

// checkAll refuses a text that cannot be a query for all rows.
func (q query) checkAll() error {
	if strings.Contains(q.text, "$1") {
		return fmt.Errorf("%s: it is for all and has no parameter: leave $1 out", q.name)
	}
	return nil
}

var otherParameter = regexp.MustCompile(`\$([02-9]|1[0-9])`)

// one returns the row of a query that is what was asked for, or nil if there is none.
// The errors hold nothing of the DSN, of what was asked for, or of the row.
func one[T any](ctx context.Context, d *Database, query query, asked string, columns columns[T], is func(*T) bool) (*T, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(d.QueryTimeout))
	defer cancel()
	for attempt := 1; ; attempt++ {
		found, err := attemptOne(ctx, d.pool.DB, query.text, asked, columns, is)
		if err == nil {
			return found, nil
		}
		failed := d.driver.failure(err)
		if failed.noRow {
			return nil, nil
		}
		// all connections that are idle may be dead
		if !failed.again || attempt > d.MaxConnections || ctx.Err() != nil {
			return nil, d.meaning(ctx, query, asked, err)
		}
	}
}

// attemptOne is one without what its errors mean. Other rows are passed over, whatever
// is wrong with them and however many there are: with a query such as LIKE $1, an error
// would tell a stranger what names there are.
func attemptOne[T any](ctx context.Context, db *sql.DB, query, asked string, columns columns[T], is func(*T) bool) (*T, error) {
	rows, err := db.QueryContext(ctx, query, asked)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	reader, err := columns.reader(rows)
	if err != nil {
		return nil, err
	}
	var found *T
	var failed error
	for rows.Next() {
		row, err := reader.read(rows)
		switch {
		case row == nil:
			return nil, err
		case !is(row):
		case found != nil:
			return nil, errSeveral
		default:
			found, failed = row, err
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return found, failed
}

// each goes through all rows of a query. Its errors hold no more than those of one.
func each[T any](ctx context.Context, d *Database, query query, columns columns[T]) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		if query.text == "" {
			yield(nil, errors.ErrUnsupported)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		fail := func(err error) { yield(nil, d.meaning(ctx, query, "", err)) }
		rows, err := d.pool.QueryContext(ctx, query.text)
		if err != nil {
			fail(err)
			cancel()
			return
		}
		defer rows.Close()
		defer cancel() // before it: no one waits for the rest
		reader, err := columns.reader(rows)
		if err != nil {
			fail(err)
			return
		}
		for rows.Next() {
			found, err := reader.read(rows)
			if err != nil {
				fail(err)
				return
			}
			if !yield(found, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			fail(err)
		}
	}
}

// canBe tells whether a row may have that name or id. What no user and no client is
// called is not sent, since databases refuse some of it: a NUL, or what is not UTF-8.
func canBe(name string) bool {
	return name != "" && len(name) <= directory.MaxNameLength && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, unicode.IsControl)
}
