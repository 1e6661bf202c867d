-- Tables for the Caddyfile beside this, in PostgreSQL. Any others will do.
CREATE TABLE accounts (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email         text NOT NULL UNIQUE,
    password_hash text, -- of caddy hash-password --algorithm argon2id
    roles         text[] NOT NULL DEFAULT '{}',
    locked_at     timestamptz
);

INSERT INTO accounts (email, password_hash, roles) VALUES
    -- the password is demo-password
    ('demo@example.com', '$argon2id$v=19$m=47104,t=1,p=1$/hLeqHkBzASWn5ieqEZ/tg$SvRv1XpB9etSSMz45IcgJO8RvxJQffE15Y4LM/oqJ4E', '{contacts.read}');
