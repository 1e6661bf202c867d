package userfile

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Records reads a file with one entry a line: blank lines and lines that start with #
// are ignored, and so is white space around a line. It calls parse with each other
// line, of at most 4096 bytes, and each with the number of the line and what parse made
// of it, in order.
//
// name is as in [List], and each returns [ErrDuplicate] as it does there. All errors,
// those of parse too, are collected in a [*Problems]; they are printed as they are, so
// parse must not quote what may be a secret. A file without an entry is valid. One in
// another format is [ErrJSON] or [ErrYAML].
func Records[T any](data []byte, parse func(text string) (*T, error), name func(*T) string, each func(line int, entry *T) error) error {
	text, err := htpasswdText(data)
	if err != nil {
		return err
	}
	var problems Problems
	for number, line := range lines(text) {
		entry, err := record(line, parse)
		if err != nil {
			problems.add(place{line: number}, "", err)
		} else if err := each(number, entry); err != nil {
			problems.add(place{line: number}, name(entry), err)
		}
	}
	problems.locate(func(found func(string, place)) {
		for number, line := range lines(text) {
			if entry, err := record(line, parse); err == nil {
				found(name(entry), place{line: number})
			}
		}
	})
	return problems.err()
}

func record[T any](line string, parse func(string) (*T, error)) (*T, error) {
	switch {
	case len(line) > maxLine:
		return nil, errLongRecord
	case !utf8.ValidString(line):
		return nil, errRecordUTF8
	}
	return parse(line)
}

var (
	errLongRecord = fmt.Errorf("longer than %d bytes", maxLine)
	errRecordUTF8 = errors.New("not valid UTF-8; save the file as UTF-8")
)
