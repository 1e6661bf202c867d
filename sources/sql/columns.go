package sql

import (
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// columns are those that a query may return, by name, with what becomes of their
// values.
type columns[T any] struct {
	set      map[string]func(*T, any) error
	required []string
	keys     []string          // tell whose a row is
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

// rowReader makes a T of each row of one result.
type rowReader[T any] struct {
	names   []string
	keys    []string
	setters []func(*T, any) error
	values  []any
	into    []any
}

func (c columns[T]) reader(rows *sql.Rows) (*rowReader[T], error) {
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	setters, err := c.of(names)
	if err != nil {
		return nil, err
	}
	r := &rowReader[T]{names, c.keys, setters, make([]any, len(names)), make([]any, len(names))}
	for i := range r.values {
		r.into[i] = &r.values[i]
	}
	return r, nil
}

// read reads the current row. A row that cannot be used is returned with the error,
// unless the error is about whose row it is.
func (r *rowReader[T]) read(rows *sql.Rows) (*T, error) {
	if err := rows.Scan(r.into...); err != nil {
		return nil, err
	}
	found := new(T)
	var failed error
	for i, set := range r.setters {
		err := set(found, r.values[i])
		if err == nil {
			continue
		}
		if err = (&rowError{text: fmt.Sprintf("column %s: %v", r.names[i], err)}); slices.Contains(r.keys, strings.ToLower(r.names[i])) {
			return nil, err
		}
		if failed == nil {
			failed = err
		}
	}
	return found, failed
}

// sortedKeys is for lists in messages.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
