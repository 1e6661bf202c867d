package sql

import (
	"crypto/tls"
	"database/sql"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/stdlib"
)

func openPostgres(dsn string, settings *Database) (*sql.DB, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		// what pgx says of it may hold the password
		return nil, errors.New("dsn: it is not a connection string of PostgreSQL, or a file that it names cannot be read: write postgres://<user>:<password>@<host>:<port>/<database>?sslmode=verify-full, with %XX for characters such as @ / : and % in the password")
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "caddy-grant"
	}
	if limit := time.Duration(settings.QueryTimeout); config.ConnectTimeout == 0 || config.ConnectTimeout > limit {
		config.ConnectTimeout = limit
	}
	// A look-up that no one waits for is ended in the server too, and its connection
	// stays.
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: time.Second}
	}
	return stdlib.OpenDB(*config), nil
}

func postgresFailure(err error) failure {
	var answered *pgconn.PgError
	var connecting *pgconn.ConnectError
	connects := errors.As(err, &connecting)
	if errors.As(err, &answered) {
		return postgresAnswer(answered, connects)
	}
	if connects {
		return failure{text: "cannot connect to PostgreSQL: " + postgresReason(err)}
	}
	return failure{text: "the connection to PostgreSQL was lost: " + postgresReason(err), again: true}
}

// postgresAnswer is what an error of the server means. Appendix A of PostgreSQL's
// manual lists the codes, whose first two characters are the class.
func postgresAnswer(e *pgconn.PgError, connects bool) failure {
	code := " (SQLSTATE " + e.Code + ")"
	class := e.Code[:min(2, len(e.Code))]
	switch {
	case class == "22" && strings.Contains(e.Where, "$1"):
		// the column has a type, such as uuid, that what was asked for is not of
		return failure{noRow: true}
	case class == "28":
		return failure{text: "PostgreSQL refused to let Caddy in: check the user and the password of the dsn, and pg_hba.conf" + code}
	case class == "3D":
		return failure{text: "PostgreSQL has no such database: check the name in the dsn" + code}
	case class == "42":
		// about the query, which is in the config
		return failure{
			text:    "PostgreSQL refused the query: its log says why" + code,
			quoting: "PostgreSQL refused the query: " + e.Message + code,
			mistake: true,
		}
	case class == "53":
		return failure{text: "PostgreSQL has no connections or memory left: lower max_connections here, or raise it there" + code}
	case e.Code == "57P03":
		return failure{text: "PostgreSQL is starting up or shutting down" + code}
	case e.Code == "57014":
		return failure{text: "PostgreSQL ended the query, which took too long: is there an index for it?" + code}
	case class == "08" || class == "57":
		return failure{text: "PostgreSQL ended the connection" + code, again: !connects}
	case e.Code == "0A000" || e.Code == "26000":
		// a prepared statement that a change of the table, or a pooler, took away
		return failure{text: "PostgreSQL no longer has the prepared query: behind a pooler of transactions add default_query_exec_mode=exec to the dsn" + code, again: true}
	}
	return failure{text: "PostgreSQL could not answer the query: its log says why" + code}
}

// postgresReason tells why there is no connection.
func postgresReason(err error) string {
	var errno syscall.Errno
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		return "its certificate is not trusted: check sslmode and sslrootcert of the dsn"
	case errors.As(err, &name):
		return "the host of the dsn has no address"
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, pgconn.ErrConnClosed):
		return "the server closed it"
	}
	return "check host, port and sslmode of the dsn"
}
