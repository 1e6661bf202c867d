// Package oneline joins errors into one that is a single line, as a log and a table need
// it: with [errors.Join] each has a line of its own, and what go.uber.org/multierr makes
// is logged by zap in three fields.
package oneline

import "strings"

// Join is nil if all errors are.
func Join(errs ...error) error {
	var all joined
	for _, err := range errs {
		if err != nil {
			all = append(all, err)
		}
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return all
}

type joined []error

func (j joined) Error() string {
	texts := make([]string, len(j))
	for i, err := range j {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (j joined) Unwrap() []error { return j }
