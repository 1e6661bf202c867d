package sql

import (
	"context"
	"errors"
	"fmt"
)

// failure is what an error of a driver means. What drivers say themselves may hold the
// DSN, what was typed into a login form, or a value of a row, so it is told in words of
// our own.
type failure struct {
	text    string
	quoting string // text with the database's own words, if they help
	mistake bool   // in the query or its tables, which waiting does not fix
	again   bool   // worth another attempt at once: a query only reads
	noRow   bool   // no row can have what was asked for
}

// mistake is an error that the operator has to fix before a query can be used.
type mistake struct{ text string }

func (m *mistake) Error() string { return m.text }

// contextFailure tells of a query that ended with its context.
func contextFailure(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("no answer: %w", cause)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)
	}
	return nil
}

// meaning is the error of a query in our words. Those of the database itself are added
// only if nothing was asked for: a query may make them quote it, such as
// to_regclass($1) or json_extract(claims, $1).
func (d *Database) meaning(ctx context.Context, query query, asked string, err error) error {
	if problem, ok := errors.AsType[*rowError](err); ok {
		return problem.in(query.name)
	}
	if ended := contextFailure(ctx, err); ended != nil {
		return fmt.Errorf("%s: %w", query.name, ended)
	}
	failed := d.driver.failure(err)
	if asked == "" && failed.quoting != "" {
		failed.text = failed.quoting
	}
	if failed.mistake {
		return &mistake{query.name + ": " + failed.text}
	}
	return fmt.Errorf("%s: %s", query.name, failed.text)
}

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

var errSeveral = &rowError{text: "it returned several rows: what it looks for must be unique"}
