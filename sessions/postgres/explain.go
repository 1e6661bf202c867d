package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/caddygrant/caddy-grant/sessions"
)

// refusal is what PostgreSQL answered in place of a result, in our words.
type refusal struct{ code, text string }

func (r *refusal) Error() string {
	return "sessions postgres: " + r.text + " (SQLSTATE " + r.code + ")"
}

// isSetUp tells whether waiting mends nothing: a right, a table or a schema is not as it
// has to be.
func (r *refusal) isSetUp() bool {
	return strings.HasPrefix(r.code, "42") || strings.HasPrefix(r.code, "3F")
}

// isOfAll tells whether every statement is refused so, whatever session it is about: by
// the set-up, the connection, the role, the database, or what the server has left.
func (r *refusal) isOfAll() bool {
	switch r.code[:min(2, len(r.code))] {
	case "08", "28", "3D", "53":
		return true
	}
	return r.isSetUp() || r.code == "57P03"
}

const (
	insufficientPrivilege = "42501"
	undefinedTable        = "42P01"
	duplicateTable        = "42P07"
	noSchema              = "3F000"

	// tablesLost is said where only some tables are there, too, with which no new ones are
	// made: an epoch that is kept without its sessions would make spent tokens work again.
	tablesLost = `tables of sessions are missing: if they were moved, or the role's search_path was changed, undo that; if they are lost, execute "DROP TABLE IF EXISTS caddy_grant_migrations, caddy_grant_epochs, caddy_grant_sessions, caddy_grant_revocations" in their schema, and load Caddy's config again with "caddy reload --force", which makes new ones and ends all sessions`
)

// explain says which errors of Epoch mean that PostgreSQL must be set up differently. What
// is missing only after it was there was lost, which is something else: its sessions may
// be too.
func (e *engine) explain(ctx context.Context, err error) error {
	if errors.Is(err, errStandby) {
		return fmt.Errorf("%w: %w", sessions.ErrUnsuitable, err)
	}
	refused, ok := errors.AsType[*refusal](err)
	switch {
	case !ok || !refused.isSetUp():
		return err
	case refused.code == insufficientPrivilege:
		if grants := e.lacks(ctx); grants != "" {
			return unsuitable("the role lacks rights: execute %s", grants)
		}
	case e.known.Load():
		return err
	}
	return unsuitable("%s (SQLSTATE %s)", refused.text, refused.code)
}

// lacks returns the statements that give the role the rights on the tables that it lacks,
// or nothing if none is known to be missing.
func (e *engine) lacks(ctx context.Context) string {
	grants, err := ask(ctx, e.pool, func(ctx context.Context, ask asker) (grants []string, err error) {
		rows, err := ask.rows(ctx, e.sql.rights, e.names.schema)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		for rows.Next() {
			var what, place, role string
			if err := rows.Scan(&what, &place, &role); err != nil {
				return nil, err
			}
			grants = append(grants, fmt.Sprintf("GRANT %s ON %s TO %s;", what, place, role))
		}
		return grants, rows.Err()
	})
	if err != nil {
		return ""
	}
	return strings.Join(grants, " ")
}
