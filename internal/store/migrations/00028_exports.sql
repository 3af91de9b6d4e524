-- +goose Up
-- Exports of recordings, which take their time: each is a job that a later life of the gateway goes on with.
CREATE TABLE export_jobs (
    id           TEXT PRIMARY KEY, -- ULID
    session_id   TEXT NOT NULL REFERENCES sessions (id),
    kind         TEXT NOT NULL,    -- mp4, package
    options      TEXT NOT NULL,    -- JSON
    reason       TEXT NOT NULL,
    user_id      TEXT NOT NULL,
    user_name    TEXT NOT NULL,
    state        TEXT NOT NULL,    -- waiting, running, done, failed, cancelled, expired
    progress     INTEGER NOT NULL DEFAULT 0, -- of 1000
    bytes        BIGINT NOT NULL DEFAULT 0,
    sha256       TEXT NOT NULL DEFAULT '',   -- hex, of the result
    error_code   TEXT NOT NULL DEFAULT '',
    error        TEXT NOT NULL DEFAULT '',
    created_at   BIGINT NOT NULL,
    finished_at  BIGINT,
    expires_at   BIGINT,           -- of the result; NULL while there is none
    ticket_hash  TEXT NOT NULL DEFAULT '',   -- hex SHA-256 of the one download that may begin
    ticket_user  TEXT NOT NULL DEFAULT '',
    ticket_until BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX export_jobs_session ON export_jobs (session_id, id);
CREATE INDEX export_jobs_open ON export_jobs (id) WHERE state IN ('waiting', 'running');

-- +goose Down
DROP TABLE export_jobs;
