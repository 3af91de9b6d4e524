-- The audit log, a Merkle tree whose leaves are the entries (internal/audit/FORMAT.md). Everything but audit_head and
-- audit_sinks is only ever added to.

-- +goose Up
-- The one row is the writers' lock: whoever appends updates it first, so indexes have no gaps and the log cannot fork.
CREATE TABLE audit_head (
    id         SMALLINT PRIMARY KEY,
    size       BIGINT NOT NULL,          -- entries
    signed_by  TEXT NOT NULL DEFAULT ''  -- the key checkpoints are signed with, as a note verifier key
);
INSERT INTO audit_head (id, size) VALUES (1, 0);

-- What is hashed and proved is entry; the columns between are copies to search by.
CREATE TABLE audit_entries (
    idx         BIGINT PRIMARY KEY,
    time        BIGINT NOT NULL,
    actor_kind  TEXT NOT NULL,
    actor_id    TEXT NOT NULL,
    actor_name  TEXT NOT NULL,
    source      TEXT NOT NULL,
    action      TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    object_id   TEXT NOT NULL,
    object_name TEXT NOT NULL,
    session_id  TEXT NOT NULL,
    entry       TEXT NOT NULL, -- canonical JSON
    hashes      TEXT NOT NULL  -- of the subtrees this entry completes, its own first: hex, 64 characters each
);
CREATE INDEX audit_entries_time ON audit_entries (time, idx);
CREATE INDEX audit_entries_actor ON audit_entries (actor_name, time, idx);
CREATE INDEX audit_entries_actor_id ON audit_entries (actor_id, time, idx);
CREATE INDEX audit_entries_action ON audit_entries (action, outcome, time, idx);
CREATE INDEX audit_entries_outcome ON audit_entries (outcome, time, idx);
CREATE INDEX audit_entries_object ON audit_entries (object_id, time, idx);
CREATE INDEX audit_entries_session ON audit_entries (session_id, time, idx);

CREATE TABLE audit_checkpoints (
    size       BIGINT NOT NULL,
    note       TEXT NOT NULL, -- signed (golang.org/x/mod/sumdb/note)
    created_at BIGINT NOT NULL,
    PRIMARY KEY (size, note)
);

-- Who accessed what, when and for how long: what the entries session_started and session_ended say, one row a session.
CREATE TABLE audit_access (
    session_id  TEXT PRIMARY KEY,
    user_id     TEXT NOT NULL,
    user_name   TEXT NOT NULL,
    target_id   TEXT NOT NULL,
    target_name TEXT NOT NULL,
    protocol    TEXT NOT NULL,
    address     TEXT NOT NULL,
    account     TEXT NOT NULL,
    tags        TEXT NOT NULL, -- each between commas: ",a,b,"
    source      TEXT NOT NULL,
    started_at  BIGINT NOT NULL,
    ended_at    BIGINT, -- NULL while it runs
    end_code    TEXT NOT NULL DEFAULT '',
    end_message TEXT NOT NULL DEFAULT '',
    start_index BIGINT NOT NULL,
    end_index   BIGINT
);
CREATE INDEX audit_access_time ON audit_access (started_at, session_id);
CREATE INDEX audit_access_user ON audit_access (user_name, started_at, session_id);
CREATE INDEX audit_access_target ON audit_access (target_id, started_at, session_id);

-- +goose Down
DROP TABLE audit_access;
DROP TABLE audit_checkpoints;
DROP TABLE audit_entries;
DROP TABLE audit_head;
