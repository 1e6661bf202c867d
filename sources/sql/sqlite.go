package sql

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"modernc.org/sqlite"
)

func openSQLite(dsn string, _ *Database) (*sql.DB, error) {
	uri, err := sqliteURI(dsn)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", uri)
	if err != nil {
		return nil, errSQLitePath
	}
	return db, nil
}

// sqliteURI adds to the path of a file, or its URI, that it is opened for reading only,
// and not made if it is not there.
func sqliteURI(dsn string) (string, error) {
	path, query, _ := strings.Cut(dsn, "?")
	if !strings.HasPrefix(dsn, "file:") {
		path, query = "file:"+(&url.URL{Path: dsn}).EscapedPath(), ""
	}
	if strings.TrimPrefix(path, "file:") == ":memory:" {
		return "", errors.New("dsn: a database in memory is empty: write the path of a file")
	}
	options, err := url.ParseQuery(query)
	if err != nil {
		return "", errSQLitePath
	}
	if mode := options.Get("mode"); mode != "" && mode != "ro" {
		return "", errors.New("dsn: the database is opened for reading only: leave mode out")
	}
	options.Set("mode", "ro")
	if !strings.Contains(strings.Join(options["_pragma"], " "), "busy_timeout") {
		options.Add("_pragma", "busy_timeout(1000)") // milliseconds to wait for a writer
	}
	return path + "?" + options.Encode(), nil
}

func sqliteFailure(err error) failure {
	var answered *sqlite.Error
	if !errors.As(err, &answered) {
		return failure{text: "SQLite could not answer the query"}
	}
	code := fmt.Sprintf(" (SQLite code %d)", answered.Code())
	switch answered.Code() & 0xff { // the rest is detail
	case 1: // SQLITE_ERROR, about the query, which is in the config
		return failure{
			text:    "SQLite refused the query" + code,
			quoting: "SQLite refused the query: " + answered.Error(),
			mistake: true,
		}
	case 5, 6: // SQLITE_BUSY, SQLITE_LOCKED
		return failure{text: "a writer holds the lock of the database for too long" + code}
	case 8: // SQLITE_READONLY
		return failure{text: "a database in WAL mode needs its -shm file to be writable: let Caddy's user write to the folder, or keep a writer open" + code}
	case 9: // SQLITE_INTERRUPT
		return failure{text: "the query took too long: is there an index for it?" + code}
	case 11, 26: // SQLITE_CORRUPT, SQLITE_NOTADB
		return failure{text: "the file of the dsn is not a SQLite database, or is damaged" + code}
	case 14: // SQLITE_CANTOPEN
		return failure{text: "the file of the dsn cannot be opened: check its path, and that Caddy's user may read it and its folder" + code}
	}
	return failure{text: "SQLite could not answer the query" + code}
}

var errSQLitePath = errors.New("dsn: it is not the path of a SQLite file, nor a file: URI")
