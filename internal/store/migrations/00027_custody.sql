-- +goose Up
-- What becomes of recordings: how long each is kept, what holds it, and how it went. A session has a row from before it
-- begins, and keeps it for ever.
CREATE TABLE recording_custody (
    session_id      TEXT PRIMARY KEY REFERENCES sessions (id),
    retention_us    BIGINT NOT NULL,        -- after the session's end; 0: without end
    retain_until    BIGINT,                 -- as far as it is known: at first from the session's begin. NULL: without end
    hold_since      BIGINT,                 -- NULL: no legal hold
    hold_by         TEXT NOT NULL DEFAULT '',
    hold_reason     TEXT NOT NULL DEFAULT '',
    shredded_at     BIGINT,                 -- NULL: its key was not destroyed
    shredded_by     TEXT NOT NULL DEFAULT '',
    shred_reason    TEXT NOT NULL DEFAULT '',
    deleting_since  BIGINT,                 -- NULL: nothing of it was removed yet
    deleted_at      BIGINT,                 -- NULL: not all of it was removed yet
    deleted_reason  TEXT NOT NULL DEFAULT '',
    manifest_sha256 TEXT NOT NULL DEFAULT '', -- hex, of what was removed
    deletion_error  TEXT NOT NULL DEFAULT '', -- why the last try failed
    next_try        BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX recording_custody_due ON recording_custody (retain_until) WHERE deleted_at IS NULL AND hold_since IS NULL;

-- Work that one node does at a time.
CREATE TABLE leases (
    name        TEXT PRIMARY KEY,
    holder      TEXT NOT NULL,
    lease_until BIGINT NOT NULL
);

-- +goose Down
DROP TABLE leases;
DROP TABLE recording_custody;
