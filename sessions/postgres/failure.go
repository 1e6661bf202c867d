package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"github.com/caddygrant/caddy-grant/sessions"
)

// recovers tells whether a call that failed so is worth another attempt at once.
func (p *pool) recovers(err error) bool {
	if answered, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch answered.Code {
		case "26000", "42P05": // a prepared statement is not there, or is already
			p.unprepared.Store(true)
			return true
		case "57P01", "57P02", "57P05": // the connection was ended before it was used, or while it was
		case "25006": // the server became a standby
		default:
			return false
		}
		p.Reset()
		return true
	}
	if errors.Is(err, errStandby) {
		p.Reset()
		return true
	}
	if !isLost(err) {
		return false
	}
	p.Reset() // the other connections are dead too, after a restart
	return true
}

// isLost tells whether a connection was there, and broke.
func isLost(err error) bool {
	if _, connecting := errors.AsType[*pgconn.ConnectError](err); connecting {
		return false
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

// meaning is an error in our words: what drivers say themselves may hold the URL, and
// what PostgreSQL says may hold the ID of a session.
func meaning(ctx context.Context, p *pool, err error) error {
	var connecting *pgconn.ConnectError
	connects := errors.As(err, &connecting)
	answered, isAnswer := errors.AsType[*pgconn.PgError](err)
	switch {
	case err == nil:
		return nil
	case isContract(err):
		return err
	case errors.Is(err, puddle.ErrClosedPool):
		return errClosed
	case connects && errors.Is(err, pgconn.ErrReadOnlyConnection):
		return readOnly(p)
	case isAnswer:
		return answer(answered)
	case ctx.Err() != nil:
		return fmt.Errorf("sessions postgres: no answer: %w", ctx.Err())
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("sessions postgres: no answer in time: %w", context.DeadlineExceeded)
	case connects:
		return errors.New("sessions postgres: cannot connect to PostgreSQL: " + reason(err))
	case isLost(err):
		return errors.New("sessions postgres: the connection to PostgreSQL was lost: " + reason(err))
	}
	return errors.New("sessions postgres: what PostgreSQL answered cannot be read")
}

// isContract tells whether an error is in our words already.
func isContract(err error) bool {
	for _, own := range []error{
		sessions.ErrOtherEpoch, sessions.ErrDamaged, sessions.ErrCursor, sessions.ErrUnsuitable, errStandby, errNoEpoch,
		errClosed, errID, errSwap, errPanic,
	} {
		if errors.Is(err, own) {
			return true
		}
	}
	return false
}

// readOnly is what a server that refuses writes means. Where several are named, the
// primary may only be away.
func readOnly(p *pool) error {
	if p.hosts > 1 {
		return errors.New("sessions postgres: none of the hosts of the url is a primary that takes writes")
	}
	return errStandby
}

// answer is what an error of the server means. Appendix A of PostgreSQL's manual lists
// the codes, whose first two characters are the class.
func answer(e *pgconn.PgError) error {
	class := e.Code[:min(2, len(e.Code))]
	text := "PostgreSQL could not answer: its log says why"
	switch {
	case e.Code == "25006":
		return errStandby
	case e.Code == insufficientPrivilege:
		text = "the role lacks a right, see the README of sessions postgres for those that it needs: " + e.Message
	case e.Code == undefinedTable || e.Code == duplicateTable:
		text = tablesLost + ": " + e.Message
	case e.Code == "42704":
		text = "PostgreSQL does not know something: check the parameters of the url: " + e.Message
	case class == "42" || class == "3F":
		text = "the tables are not as expected: " + e.Message
	case class == "28":
		text = "PostgreSQL refused to let Caddy in: check the user and the password, and pg_hba.conf"
	case class == "3D":
		text = "PostgreSQL has no such database: check the name in the url"
	case class == "53":
		text = "PostgreSQL has no connections, memory or room left: lower max_connections here, or raise it there"
	case e.Code == "55P03":
		text = "PostgreSQL waited for a lock for too long"
	case e.Code == "57P03":
		text = "PostgreSQL is starting up or shutting down"
	case e.Code == "57014":
		text = "PostgreSQL ended the statement, which took too long"
	case class == "08" || class == "57":
		text = "PostgreSQL ended the connection"
	case class == "40":
		text = "PostgreSQL gave the statement up for another one"
	case class == "XX":
		text = "PostgreSQL found its own data damaged, or failed: its log says more"
	}
	return &refusal{e.Code, text}
}

// reason tells why there is no connection.
func reason(err error) string {
	var errno syscall.Errno
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		return "its certificate is not trusted: check sslmode and sslrootcert of the url"
	case errors.As(err, &name):
		return "the host of the url has no address"
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, pgconn.ErrConnClosed):
		return "the server closed it"
	}
	return "check host, port and sslmode of the url"
}

// Errors that say why nothing is known.
var (
	errStandby = errors.New("sessions postgres: PostgreSQL is a standby or refuses writes: the url must name the primary, and default_transaction_read_only must be off")
	errNoEpoch = errors.New("sessions postgres: the epoch of this server is missing from caddy_grant_epochs: its sessions cannot be trusted; \"caddy reload --force\" makes a new one, which ends them")
	errClosed  = errors.New("sessions postgres: the engine is closed")
	errID      = errors.New("sessions postgres: the ID of a session is not valid")
	errSwap    = errors.New("sessions postgres: a swap needs a generation from 1 and 32 characters of 0-9 and a-f")
)
