package sql

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caddygrant/caddy-grant/directory"
)

// one returns the only row of a query, or nil if there is none. The errors hold nothing
// of the DSN, of what was asked for, or of the row.
func one[T any](ctx context.Context, d *Database, query query, asked string, columns columns[T]) (*T, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(d.QueryTimeout))
	defer cancel()
	for attempt := 1; ; attempt++ {
		found, err := attemptOne(ctx, d.pool.DB, query.text, asked, columns)
		if err == nil {
			return found, nil
		}
		var problem *rowError
		if asRowError(err, &problem) {
			return nil, problem.in(query.name)
		}
		if ended := contextFailure(ctx, err); ended != nil {
			return nil, fmt.Errorf("%s: %w", query.name, ended)
		}
		failed := d.driver.failure(err)
		switch {
		case failed.noRow:
			return nil, nil
		case failed.again && attempt <= d.MaxConnections: // all that are idle may be dead
			continue
		case failed.mistake:
			return nil, &mistake{query.name + ": " + failed.text}
		}
		return nil, fmt.Errorf("%s: %s", query.name, failed.text)
	}
}

// attemptOne is one without what its errors mean.
func attemptOne[T any](ctx context.Context, db *sql.DB, query, asked string, columns columns[T]) (*T, error) {
	rows, err := db.QueryContext(ctx, query, asked)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	setters, err := columns.of(names)
	if err != nil {
		return nil, err
	}
	if !rows.Next() {
		return nil, rows.Err()
	}
	values := make([]any, len(names))
	into := make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	if err := rows.Scan(into...); err != nil {
		return nil, err
	}
	if rows.Next() {
		return nil, errSeveral
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	found := new(T)
	for i, set := range setters {
		if err := set(found, values[i]); err != nil {
			return nil, &rowError{text: fmt.Sprintf("column %s: %v", names[i], err)}
		}
	}
	return found, nil
}

// canBe tells whether a row may have that name or id. What no user and no client is
// called is not sent, since databases refuse some of it: a NUL, or what is not UTF-8.
func canBe(name string) bool {
	return name != "" && len(name) <= directory.MaxNameLength && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, unicode.IsControl)
}

// columns are those that a query may return, by name, with what becomes of their
// values.
type columns[T any] struct {
	set      map[string]func(*T, any) error
	required []string
	hints    map[string]string // what to do about columns that are refused
}

// of returns the setters for the columns of a result in their order.
func (c columns[T]) of(names []string) ([]func(*T, any) error, error) {
	var setters []func(*T, any) error
	var seen []string
	for _, name := range names {
		name = strings.ToLower(name)
		set, known := c.set[name]
		switch hint := c.hints[name]; {
		case hint != "":
			return nil, &rowError{text: fmt.Sprintf("column %s: %s", name, hint), mistake: true}
		case !known:
			return nil, &rowError{text: fmt.Sprintf("column %q is unknown: select what is needed, renamed with AS to one of %s", name, strings.Join(sortedKeys(c.set), ", ")), mistake: true}
		case slices.Contains(seen, name):
			return nil, &rowError{text: fmt.Sprintf("duplicate column %s: select it once", name), mistake: true}
		}
		seen = append(seen, name)
		setters = append(setters, set)
	}
	for _, name := range c.required {
		if !slices.Contains(seen, name) {
			return nil, &rowError{text: fmt.Sprintf("column %s is missing: select it, or rename one with AS %s", name, name), mistake: true}
		}
	}
	return setters, nil
}

// sortedKeys is for lists in messages.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// rowError is what is wrong with a result.
type rowError struct {
	text    string
	mistake bool // whatever the rows are
}

func (e *rowError) Error() string { return e.text }

// in names the query.
func (e *rowError) in(query string) error {
	if e.mistake {
		return &mistake{query + ": " + e.text}
	}
	return fmt.Errorf("%s: %w", query, e)
}

func asRowError(err error, target **rowError) bool {
	e, ok := err.(*rowError) // made here, never wrapped
	*target = e
	return ok
}

var errSeveral = &rowError{text: "it returned several rows: what it looks for must be unique"}
