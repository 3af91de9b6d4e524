-- Portable between SQLite and PostgreSQL. Times are µs since 1970 (UTC); flags are 0 or 1.

-- +goose Up
CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE, -- lower case
    password_hash TEXT NOT NULL,
    disabled      SMALLINT NOT NULL DEFAULT 0,
    created_at    BIGINT NOT NULL,
    password_at   BIGINT NOT NULL
);

CREATE TABLE browser_sessions (
    token_hash TEXT PRIMARY KEY, -- SHA-256 of the cookie, hex
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    address    TEXT NOT NULL
);
CREATE INDEX browser_sessions_user ON browser_sessions (user_id);

-- Who and what are copied, not referenced: a session tells what was true when it ran.
CREATE TABLE sessions (
    id              TEXT PRIMARY KEY, -- ULID: sorts by start
    user_id         TEXT NOT NULL,
    user_name       TEXT NOT NULL,
    target_id       TEXT NOT NULL,
    target_name     TEXT NOT NULL,
    target_protocol TEXT NOT NULL,
    target_address  TEXT NOT NULL,
    client_address  TEXT NOT NULL,
    state           TEXT NOT NULL,
    started_at      BIGINT NOT NULL,
    ended_at        BIGINT,
    end_code        TEXT NOT NULL DEFAULT '',
    end_message     TEXT NOT NULL DEFAULT '',
    width           INTEGER NOT NULL DEFAULT 0,
    height          INTEGER NOT NULL DEFAULT 0,
    desktop_name    TEXT NOT NULL DEFAULT ''
);
CREATE INDEX sessions_state ON sessions (state, id);

CREATE TABLE recordings (
    session_id    TEXT PRIMARY KEY REFERENCES sessions (id),
    state         TEXT NOT NULL,
    bytes         BIGINT NOT NULL DEFAULT 0,
    duration_us   BIGINT NOT NULL DEFAULT 0,
    pending_files INTEGER NOT NULL DEFAULT 0,
    error         TEXT NOT NULL DEFAULT '',
    sealed_by     TEXT NOT NULL DEFAULT ''
);

-- +goose Down
DROP TABLE recordings;
DROP TABLE sessions;
DROP TABLE browser_sessions;
DROP TABLE users;
