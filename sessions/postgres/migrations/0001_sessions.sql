-- The tables of caddy-grant's sessions. A node applies this file by itself when it first
-- needs them; where its role may not create tables, apply it by hand:
--
--     psql --single-transaction -v ON_ERROR_STOP=1 -f 0001_sessions.sql

-- Which of these files were applied.
CREATE TABLE caddy_grant_migrations (
    number     integer PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- A row for each authorization server. Its epoch is part of the ID of each session: with
-- another epoch all sessions are over.
CREATE TABLE caddy_grant_epochs (
    server  text PRIMARY KEY,
    epoch   bigint NOT NULL UNIQUE,
    swept   date NOT NULL DEFAULT '-infinity', -- sessions that ended up to this day are over
    trimmed bigint NOT NULL DEFAULT 0          -- the last place removed from the feed
);

-- A row for each session that was exchanged or revoked. An exchange changes no column
-- that has an index and finds room on the row's page, so it writes to no index.
CREATE TABLE caddy_grant_sessions (
    epoch        bigint NOT NULL,
    generation   bigint NOT NULL, -- how many times it was exchanged
    exchanged_at timestamptz NOT NULL,
    answer       uuid NOT NULL,   -- names the last exchange
    day          date NOT NULL,   -- on which it ends
    revoked      boolean NOT NULL,
    random       bytea NOT NULL,
    PRIMARY KEY (day, random, epoch)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

-- The feed of revocations.
CREATE TABLE caddy_grant_revocations (
    epoch  bigint NOT NULL,
    place  bigint GENERATED ALWAYS AS IDENTITY,
    mark   uuid NOT NULL DEFAULT gen_random_uuid(), -- tells it from a row that took its place
    day    date NOT NULL,
    random bytea NOT NULL,
    PRIMARY KEY (epoch, place)
);
CREATE INDEX caddy_grant_revocations_day ON caddy_grant_revocations (day);

INSERT INTO caddy_grant_migrations (number) VALUES (1);
