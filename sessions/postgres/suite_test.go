package postgres_test

import (
	"syscall"
	"testing"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/sessionstest"
)

// The engine passes the suite of the contract, on a server of its own that is emptied,
// stopped and killed.
func TestPostgresPassesTheSuite(t *testing.T) {
	s := newServer(t)
	url, db := s.database(t)
	nodes := new(struck)
	byID := ` WHERE day = to_date($1, 'YYYYMMDD') AND random = decode($2, 'hex') AND epoch = ('x' || $3)::bit(64)::bigint`
	sessionstest.TestEngine(t, sessionstest.Engines{
		Open: func(t *testing.T, server string) sessions.Engine {
			return nodes.open(t, server, url)
		},
		Empty: func(t *testing.T) {
			run(t, db, `DROP SCHEMA public CASCADE`)
			run(t, db, `CREATE SCHEMA public`)
		},
		Interrupt: func(t *testing.T) func() {
			s.end(syscall.SIGINT)
			return s.start
		},
		Restart: func(t *testing.T) {
			s.kill()
			s.start()
		},
		Damage: func(t *testing.T, server string, id sessions.ID) {
			run(t, db, `UPDATE caddy_grant_sessions SET generation = -1`+byID, id.Day, id.Random, id.Epoch)
		},
		Plant: func(t *testing.T, server string, id sessions.ID, st sessions.State) {
			run(t, db, `INSERT INTO caddy_grant_sessions (day, random, epoch, generation, answer, exchanged_at, revoked)
				SELECT to_date($1, 'YYYYMMDD'), decode($2, 'hex'), ('x' || $3)::bit(64)::bigint, $4::bigint,
					lpad($5, 32, '0')::uuid, clock_timestamp() - make_interval(secs => $6), $7::boolean`,
				id.Day, id.Random, id.Epoch, int64(st.Generation), st.Answer, st.Age.Seconds(), st.Revoked)
			if st.Revoked {
				run(t, db, `INSERT INTO caddy_grant_revocations (day, random, epoch)
					SELECT to_date($1, 'YYYYMMDD'), decode($2, 'hex'), ('x' || $3)::bit(64)::bigint`, id.Day, id.Random, id.Epoch)
			}
		},
		Remains: func(t *testing.T, server string, id sessions.ID) bool {
			return value[int](t, db, `SELECT (SELECT count(*) FROM caddy_grant_sessions`+byID+`)
				+ (SELECT count(*) FROM caddy_grant_revocations`+byID+`)`, id.Day, id.Random, id.Epoch) > 0
		},
		LoseCursors: func(t *testing.T, server string) {
			run(t, db, `UPDATE caddy_grant_epochs SET trimmed = (SELECT max(place) FROM caddy_grant_revocations) WHERE server = $1`, server)
		},
		Strike:  nodes.strike,
		Secrets: []string{plainPassword, urlPassword},
	})
}
