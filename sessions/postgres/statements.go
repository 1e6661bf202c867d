package postgres

import (
	"strings"

	"github.com/jackc/pgx/v5"
)

// statements are the texts of all calls, with the tables of a schema.
type statements struct {
	load, first, later, laterOfAll, revoke, feed string
	facts, tables, makeEpoch, rights             string
	mark, sweepSessions, sweepFeed               string
}

// Each parameter has a cast, since poolers may make a driver guess the types.
//
// synchronous_commit is set in the transaction itself, whatever the role, the database
// or a pooler have: where it is off, an acknowledged write can be lost. remote_apply
// promises more, and stays. lock_timeout ends what waits for a row after its caller
// has gone.
const (
	// $1 server, $2 epoch, $3 day, $4 random, $5 when it is over, $6 lock_timeout. The
	// clock ends no session for revoke: it may be ahead and go back, and whoever was told
	// that the session is revoked must be right.
	oneSession = `WITH server AS MATERIALIZED (
	SELECT epoch = $2::bigint AS ours,
		$3::date <= swept OR clock_timestamp() >= $5::timestamptz AND {ends} AS over,
		set_config('lock_timeout', $6::text, true),
		set_config('synchronous_commit', CASE current_setting('synchronous_commit')
			WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true)
	FROM {epochs} WHERE server = $1::text
), before AS MATERIALIZED (
	SELECT s.generation, s.answer, s.exchanged_at, s.revoked
	FROM server, {sessions} s
	WHERE ours AND NOT over AND s.day = $3::date AND s.random = $4::bytea AND s.epoch = $2::bigint
)`

	// The clock is read again at the end: if the record was swept meanwhile, the session
	// is over by then.
	state = `
SELECT pg_is_in_recovery(), ours, over OR clock_timestamp() >= $5::timestamptz,
	clock_timestamp(), generation, answer, exchanged_at, revoked
FROM server LEFT JOIN `

	load = oneSession + state + `before ON true`

	// $7 answer
	first = oneSession + `, written AS (
	INSERT INTO {sessions} AS s (epoch, generation, exchanged_at, answer, day, revoked, random)
	SELECT $2::bigint, 1, clock_timestamp(), $7::uuid, $3::date, false, $4::bytea
	FROM server WHERE ours AND NOT over AND NOT EXISTS (SELECT FROM before)
	ON CONFLICT (day, random, epoch) DO UPDATE SET generation = s.generation
	RETURNING generation, answer, exchanged_at, revoked
)` + state + `(SELECT * FROM written UNION ALL SELECT * FROM before) after ON true`

	// $7 answer, $8 the next generation. What before says is not looked at again after
	// waiting for the row, what s says is.
	later = oneSession + `, written AS (
	UPDATE {sessions} s SET
		generation = CASE WHEN {swaps} THEN $8::bigint ELSE s.generation END,
		answer = CASE WHEN {swaps} THEN $7::uuid ELSE s.answer END,
		exchanged_at = CASE WHEN {swaps} THEN clock_timestamp() ELSE s.exchanged_at END
	FROM before
	WHERE before.generation = $8::bigint - 1 AND NOT before.revoked AND isfinite(before.exchanged_at)
		AND s.day = $3::date AND s.random = $4::bytea AND s.epoch = $2::bigint
	RETURNING s.generation, s.answer, s.exchanged_at, s.revoked
)` + state + `(
	SELECT * FROM written UNION ALL SELECT * FROM before WHERE NOT EXISTS (SELECT FROM written)
) after ON true`
	canSwap = `s.generation = $8::bigint - 1 AND NOT s.revoked AND isfinite(s.exchanged_at)`

	// What later does, for several sessions: $2 epochs, $3 days, $4 randoms, $5 when they
	// are over, $6 answers, $7 the next generations. It waits for no row: the last column
	// tells that another transaction has locked the session, or has changed it since the
	// snapshot, where its ctid is not seen. Each record is looked up by itself, and written
	// by its ctid: a join could be planned as a scan of a table that is still small, and
	// plans last while it grows.
	laterOfAll = `WITH server AS MATERIALIZED (
	SELECT epoch, swept,
		set_config('synchronous_commit', CASE current_setting('synchronous_commit')
			WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true)
	FROM {epochs} WHERE server = $1::text
), asked AS MATERIALIZED (
	SELECT a.*, a.epoch = server.epoch AS ours, a.day <= swept OR clock_timestamp() >= a.ends AS over
	FROM server, unnest($2::bigint[], $3::date[], $4::bytea[], $5::timestamptz[], $6::uuid[], $7::bigint[])
		WITH ORDINALITY a (epoch, day, random, ends, answer, next, n)
), before AS MATERIALIZED (
	SELECT a.n, s.generation, s.answer, s.exchanged_at, s.revoked,
		s.generation = a.next - 1 AND NOT s.revoked AND isfinite(s.exchanged_at) AS swaps
	FROM asked a, LATERAL (
		SELECT * FROM {sessions} WHERE day = a.day AND random = a.random AND epoch = a.epoch OFFSET 0
	) s WHERE ours AND NOT over
), held AS MATERIALIZED (
	SELECT h.place, a.n, a.answer, a.next
	FROM before b, asked a, LATERAL (
		SELECT ctid AS place, generation, revoked, exchanged_at FROM {sessions}
		WHERE day = a.day AND random = a.random AND epoch = a.epoch
		FOR UPDATE SKIP LOCKED
	) h WHERE b.swaps AND a.n = b.n AND h.generation = a.next - 1 AND NOT h.revoked AND isfinite(h.exchanged_at)
), written AS (
	UPDATE {sessions} s SET generation = h.next, answer = h.answer, exchanged_at = clock_timestamp()
	FROM held h WHERE s.ctid = h.place
	RETURNING h.n, s.generation, s.answer, s.exchanged_at, s.revoked
)
SELECT pg_is_in_recovery(), ours, over OR clock_timestamp() >= ends, clock_timestamp(),
	coalesce(w.generation, b.generation), coalesce(w.answer, b.answer),
	coalesce(w.exchanged_at, b.exchanged_at), coalesce(w.revoked, b.revoked),
	coalesce(b.swaps AND w.generation IS NULL, false)
FROM asked a LEFT JOIN before b ON b.n = a.n LEFT JOIN written w ON w.n = a.n
ORDER BY a.n`

	// $7 the lock by which writers to the feed take turns, $8 whom to wake. A place is
	// taken after the turn, and the turn ends when the place is visible.
	revoke = oneSession + `, turn AS MATERIALIZED (
	SELECT pg_advisory_xact_lock($7::bigint) FROM server
	WHERE ours AND NOT over AND NOT EXISTS (SELECT FROM before WHERE revoked)
), written AS (
	INSERT INTO {sessions} AS s (epoch, generation, exchanged_at, answer, day, revoked, random)
	SELECT $2::bigint, 0, clock_timestamp(), '00000000-0000-0000-0000-000000000000', $3::date, true, $4::bytea FROM turn
	ON CONFLICT (day, random, epoch) DO UPDATE SET revoked = true WHERE NOT s.revoked
	RETURNING true
), entered AS (
	INSERT INTO {revocations} (epoch, day, random)
	SELECT $2::bigint, $3::date, $4::bytea FROM written
	RETURNING true
), woken AS MATERIALIZED (SELECT pg_notify($8::text, $1::text) FROM entered)
SELECT pg_is_in_recovery(), ours, (SELECT count(*) FROM woken) FROM server`

	// $1 server, $2 and $3 the place and the mark after which to read, $4 how many. A
	// row without a place says that there is nothing after it.
	feed = `SELECT pg_is_in_recovery(), e.epoch, e.trimmed, c.place IS NOT NULL,
	r.place, r.mark, to_char(r.day, 'YYYYMMDD'), r.random
FROM {epochs} e
LEFT JOIN {revocations} c ON c.epoch = e.epoch AND c.place = $2::bigint AND c.mark = $3::uuid
LEFT JOIN LATERAL (
	SELECT place, mark, day, random FROM {revocations}
	WHERE epoch = e.epoch AND place > $2::bigint ORDER BY place LIMIT $4::integer
) r ON true
WHERE e.server = $1::text ORDER BY r.place`
)

// What Epoch asks.
const (
	// $1 to $4 the names of the tables
	facts = `SELECT current_setting('server_version_num')::integer, pg_is_in_recovery(),
	current_setting('transaction_read_only') = 'on', current_setting('transaction_isolation'),
	current_setting('fsync') = 'on', to_regclass($1::text) IS NOT NULL,
	EXISTS (SELECT FROM pg_class WHERE relpersistence <> 'p'
		AND oid IN (to_regclass($2::text), to_regclass($3::text), to_regclass($4::text)))`

	// $1 server, $2 to $4 the names of the tables
	tables = `SELECT coalesce((SELECT max(number) FROM {migrations}), 0),
	(SELECT bool_and(has_table_privilege(t, 'SELECT') AND has_table_privilege(t, 'INSERT')
			AND has_table_privilege(t, 'UPDATE') AND has_table_privilege(t, 'DELETE'))
		FROM unnest(ARRAY[$2::text, $3::text, $4::text]) t),
	(SELECT epoch FROM {epochs} WHERE server = $1::text)`

	// $1 server, $2 epoch
	makeEpoch = `WITH durable AS MATERIALIZED (SELECT set_config('synchronous_commit', 'on', true))
INSERT INTO {epochs} (server, epoch) SELECT $1::text, $2::bigint FROM durable ON CONFLICT (server) DO NOTHING`
)

// rights are those that the role lacks: what to grant, on what, and to whom. It reads
// catalogs only, which need none. $1 the schema, or nothing for the role's own.
const rights = `WITH tables AS (
	SELECT t.name, n, CASE WHEN $1::text = '' THEN to_regclass(t.name)::oid
		ELSE (SELECT oid FROM pg_class WHERE relname = t.name AND relnamespace = to_regnamespace($1::text)) END AS id
	FROM unnest(ARRAY['caddy_grant_migrations', 'caddy_grant_epochs', 'caddy_grant_sessions', 'caddy_grant_revocations'])
		WITH ORDINALITY t (name, n)
), lacking AS (
	SELECT string_agg(p.name, ', ' ORDER BY p.n) AS what, concat(nullif($1::text, '') || '.', t.name) AS place, t.n
	FROM tables t, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) WITH ORDINALITY p (name, n)
	WHERE NOT has_table_privilege(t.id, p.name) AND (p.name = 'SELECT' OR t.name <> 'caddy_grant_migrations')
	GROUP BY t.name, t.n
	UNION ALL
	SELECT 'USAGE', 'SCHEMA ' || $1::text, 0 WHERE $1::text <> '' AND NOT has_schema_privilege(to_regnamespace($1::text)::oid, 'USAGE')
)
SELECT what, place, quote_ident(current_user) FROM lacking ORDER BY n`

// What Sweep does, in this order. The first is a transaction of its own and writes once a
// day. All servers of the tables have the same clock.
const (
	//
	// $1 today by the clock of this node: a day is over if it is by both
	mark = `WITH durable AS MATERIALIZED (
	SELECT set_config('synchronous_commit', 'on', true),
		least((clock_timestamp() AT TIME ZONE 'UTC')::date, $1::date) - {days} AS day
)
UPDATE {epochs} SET swept = durable.day FROM durable WHERE swept < durable.day`

	// $1 how many
	sweepSessions = `WITH gone AS MATERIALIZED (
	SELECT ctid FROM {sessions} WHERE day <= (SELECT min(swept) FROM {epochs})
	ORDER BY day LIMIT $1::integer FOR UPDATE SKIP LOCKED
)
DELETE FROM {sessions} WHERE ctid = ANY (ARRAY(SELECT ctid FROM gone))`

	// $1 how many. The newest entry of a feed stays, so that a cursor to it does.
	sweepFeed = `WITH gone AS MATERIALIZED (
	SELECT r.ctid FROM {revocations} r
	WHERE r.day <= (SELECT min(swept) FROM {epochs}) AND (
		NOT EXISTS (SELECT FROM {epochs} e WHERE e.epoch = r.epoch)
		OR EXISTS (SELECT FROM {revocations} n WHERE n.epoch = r.epoch AND n.place > r.place))
	ORDER BY r.day LIMIT $1::integer FOR UPDATE OF r SKIP LOCKED
), removed AS (
	DELETE FROM {revocations} WHERE ctid = ANY (ARRAY(SELECT ctid FROM gone)) RETURNING epoch, place
), trimmed AS (
	UPDATE {epochs} e SET trimmed = last.place
	FROM (SELECT epoch, max(place) AS place FROM removed GROUP BY epoch) last
	WHERE e.epoch = last.epoch AND e.trimmed < last.place
)
SELECT count(*) FROM removed`
)

// in returns the statements on the tables of a schema, or of the role's own for "".
func (n names) statements() statements {
	fill := strings.NewReplacer("{epochs}", n.epochs, "{sessions}", n.sessions, "{revocations}", n.revocations,
		"{migrations}", n.migrations, "{swaps}", canSwap, "{days}", daysUntilOver,
		"{ends}", "true")
	return statements{
		load: fill.Replace(load), first: fill.Replace(first), later: fill.Replace(later), laterOfAll: fill.Replace(laterOfAll),
		revoke: fill.Replace(strings.Replace(revoke, "{ends}", "false", 1)),
		feed:   fill.Replace(feed), facts: facts, tables: fill.Replace(tables), makeEpoch: fill.Replace(makeEpoch), rights: rights,
		mark: fill.Replace(mark), sweepSessions: fill.Replace(sweepSessions), sweepFeed: fill.Replace(sweepFeed),
	}
}

// names are those of the tables, as statements have them.
type names struct{ schema, epochs, sessions, revocations, migrations string }

func namesIn(schema string) names {
	table := func(name string) string {
		if schema == "" {
			return name
		}
		return pgx.Identifier{schema, name}.Sanitize()
	}
	return names{
		schema, table("caddy_grant_epochs"), table("caddy_grant_sessions"), table("caddy_grant_revocations"),
		table("caddy_grant_migrations"),
	}
}
