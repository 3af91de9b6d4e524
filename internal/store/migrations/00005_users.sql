-- +goose Up
ALTER TABLE users ADD COLUMN display_name TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN email TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN source TEXT NOT NULL DEFAULT 'local'; -- who vouches: local, oidc:NAME, ldap:NAME
ALTER TABLE users ADD COLUMN external_subject TEXT;                -- what the source calls the person; NULL when local
ALTER TABLE users ADD COLUMN must_change_password SMALLINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN last_sign_in_at BIGINT;
ALTER TABLE users ADD COLUMN failed_sign_ins INTEGER NOT NULL DEFAULT 0; -- since the last good one
ALTER TABLE users ADD COLUMN locked_until BIGINT;
ALTER TABLE users ADD COLUMN search TEXT NOT NULL DEFAULT ''; -- name, display name and e-mail address in lower case
UPDATE users SET search = name;
CREATE UNIQUE INDEX users_external ON users (source, external_subject);

-- A role is given here (local) or by a source at each sign-in; the two do not touch each other's.
CREATE TABLE user_roles (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role    TEXT NOT NULL,
    source  TEXT NOT NULL DEFAULT 'local',
    PRIMARY KEY (user_id, role, source)
);
CREATE INDEX user_roles_role ON user_roles (role);

-- Until now everybody could do everything.
INSERT INTO user_roles (user_id, role, source) SELECT id, 'administrator', 'local' FROM users;

-- Where somebody has signed in from before: strangers' failures elsewhere do not lock them out there.
CREATE TABLE known_sources (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    source  TEXT NOT NULL, -- address, or IPv6 network of 64 bits
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, source)
);

-- +goose Down
DROP TABLE known_sources;
DROP TABLE user_roles;
DROP INDEX users_external;
ALTER TABLE users DROP COLUMN search;
ALTER TABLE users DROP COLUMN locked_until;
ALTER TABLE users DROP COLUMN failed_sign_ins;
ALTER TABLE users DROP COLUMN last_sign_in_at;
ALTER TABLE users DROP COLUMN must_change_password;
ALTER TABLE users DROP COLUMN external_subject;
ALTER TABLE users DROP COLUMN source;
ALTER TABLE users DROP COLUMN email;
ALTER TABLE users DROP COLUMN display_name;
