package userimport

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/caddygrant/caddy-grant/internal/userfile"
)

// errHeader does not show the first line, which may be a user's.
var errHeader = errors.New("the first line must name the columns: username, password_hash or password, " +
	"and if you like id, scopes, disabled and others")

// columns are where the columns of a CSV file are.
type columns struct {
	username, hash, password, id, scopes, disabled int // -1: there is none
	others                                         map[string]int
}

// csv reads a table with a header. The separator is a comma, a semicolon or a tab.
func (r *reader) csv(data []byte) error {
	data, err := userfile.Unmark(data)
	if err != nil {
		return err
	}
	rows := csv.NewReader(bytes.NewReader(data))
	rows.Comma = separator(data)
	rows.FieldsPerRecord = -1
	rows.ReuseRecord = true

	header, err := rows.Read()
	if err != nil {
		return errHeader
	}
	width := len(header)
	at, err := columnsOf(header)
	if err != nil {
		return err
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var broken *csv.ParseError
		switch {
		case errors.As(err, &broken):
			err = r.skip(broken.StartLine, "", fmt.Errorf("not valid CSV: %w", broken.Err))
		case err != nil:
			return err
		default:
			line, _ := rows.FieldPos(0)
			if len(row) == width {
				err = r.row(line, row, at)
			} else {
				err = r.skip(line, "", fmt.Errorf("its number of columns is %d, and that of the first line %d", len(row), width))
			}
		}
		if err != nil {
			return err
		}
	}
}

// separator is what stands most often in the first line.
func separator(data []byte) rune {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	best := ','
	for _, other := range ";\t" {
		if bytes.Count(line, []byte(string(other))) > bytes.Count(line, []byte(string(best))) {
			best = other
		}
	}
	return best
}

func columnsOf(header []string) (columns, error) {
	at := columns{others: make(map[string]int)}
	for name, place := range map[string]*int{
		"username": &at.username, "password_hash": &at.hash, "password": &at.password,
		"id": &at.id, "scopes": &at.scopes, "disabled": &at.disabled,
	} {
		*place = slices.IndexFunc(header, func(column string) bool { return columnName(column) == name })
	}
	if at.username < 0 || at.hash < 0 && at.password < 0 {
		return columns{}, errHeader
	}
	known := []int{at.username, at.hash, at.password, at.id, at.scopes, at.disabled}
	for i, column := range header {
		name := columnName(column)
		if slices.IndexFunc(header, func(other string) bool { return columnName(other) == name }) != i {
			return columns{}, fmt.Errorf("the first line has two columns with the same name, of which column %d is the second", i+1)
		}
		if name != "" && !slices.Contains(known, i) {
			at.others[name] = i
		}
	}
	return at, nil
}

func columnName(column string) string { return strings.ToLower(strings.TrimSpace(column)) }

func (r *reader) row(line int, row []string, at columns) error {
	cell := func(column int) string {
		if column < 0 {
			return ""
		}
		return strings.Clone(row[column])
	}
	if !slices.ContainsFunc(row, func(cell string) bool { return cell != "" }) {
		return nil // a spreadsheet leaves such lines
	}
	c := candidate{line: line, attributes: make(map[string]any)}
	c.user.Username, c.user.ID = cell(at.username), cell(at.id)
	c.secret = cell(at.hash)
	if text := cell(at.password); text != "" {
		if c.secret != "" {
			return r.skip(line, c.user.Username, errors.New("it has a password and a password_hash; keep one of them"))
		}
		c.secret, c.plaintext = text, true
	}
	if c.user.Username == "" {
		return r.skip(line, "", errors.New("it has no username"))
	}
	if c.secret == "" {
		return r.skip(line, c.user.Username, errors.New("it has no password_hash and no password"))
	}
	switch strings.ToLower(strings.TrimSpace(cell(at.disabled))) {
	case "", "false", "no", "n", "0":
	case "true", "yes", "y", "1":
		c.user.Disabled = true
	default:
		return r.skip(line, c.user.Username, errors.New("disabled must be true or false"))
	}
	if at.scopes >= 0 {
		c.scopes(cell(at.scopes))
	}
	for name, column := range at.others {
		if text := cell(column); text != "" {
			c.attributes[name] = text
		}
	}
	return r.take(c)
}

// scopes reads names with blanks between them. An empty cell is no scope at all: it must
// not mean more than a filled one.
func (c *candidate) scopes(text string) {
	c.scoped = true
	switch names := strings.Fields(text); {
	case len(names) == 0:
		c.user.Scopes = []string{}
		c.notes = append(c.notes, `no scopes; write * for all that a client may ask for`)
	case slices.Equal(names, []string{"*"}):
	default:
		c.user.Scopes = names
	}
}
