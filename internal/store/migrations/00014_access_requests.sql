-- +goose Up
-- What people asked for. Names are copied, as those of sessions are: a request tells what was true when it was made.
CREATE TABLE access_requests (
    id               TEXT PRIMARY KEY, -- ULID: sorts by when it was made
    revision         BIGINT NOT NULL,  -- grows with each change; a decision names the one it was made on
    kind             TEXT NOT NULL,    -- request, break_glass
    state            TEXT NOT NULL,    -- pending, approved, denied, cancelled, expired; needs_review, reviewed
    user_id          TEXT NOT NULL,
    user_name        TEXT NOT NULL,
    target_id        TEXT NOT NULL,
    target_name      TEXT NOT NULL,
    account          TEXT NOT NULL,
    floating         SMALLINT NOT NULL, -- the window begins with the approval: only its length was asked for
    wanted_from      BIGINT NOT NULL,   -- as asked
    wanted_until     BIGINT NOT NULL,
    window_from      BIGINT NOT NULL,   -- as it stands, after approvers shortened it
    window_until     BIGINT NOT NULL,
    reason           TEXT NOT NULL,
    ticket           TEXT NOT NULL,
    approvals_needed INTEGER NOT NULL,
    max_starts       INTEGER NOT NULL,  -- of the grant; 0: any number
    created_at       BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,   -- a pending one is expired from here on
    closed_at        BIGINT             -- when it left pending or needs_review
);
CREATE INDEX access_requests_user ON access_requests (user_id, id);
CREATE INDEX access_requests_state ON access_requests (state, id);

-- Who said what. The key is the two-person rule's: nobody counts twice.
CREATE TABLE access_decisions (
    request_id   TEXT NOT NULL REFERENCES access_requests (id),
    user_id      TEXT NOT NULL,
    user_name    TEXT NOT NULL,
    verdict      TEXT NOT NULL, -- approved, denied, reviewed
    note         TEXT NOT NULL,
    window_from  BIGINT NOT NULL, -- as this person left it
    window_until BIGINT NOT NULL,
    decided_at   BIGINT NOT NULL,
    PRIMARY KEY (request_id, user_id)
);

-- Time-bound invitations: what an approval, a broken glass or an operator gives.
CREATE TABLE access_grants (
    id             TEXT PRIMARY KEY, -- ULID
    request_id     TEXT UNIQUE REFERENCES access_requests (id), -- NULL: an operator's
    user_id        TEXT NOT NULL,
    user_name      TEXT NOT NULL,
    target_id      TEXT NOT NULL,
    target_name    TEXT NOT NULL,
    account        TEXT NOT NULL,
    ticket         TEXT NOT NULL,
    window_from    BIGINT NOT NULL,
    window_until   BIGINT NOT NULL,
    max_starts     INTEGER NOT NULL, -- 0: any number
    max_concurrent INTEGER NOT NULL,
    starts         INTEGER NOT NULL,
    state          TEXT NOT NULL, -- active, used_up, ended, expired
    warned         SMALLINT NOT NULL, -- the person was told that it is about to end
    created_at     BIGINT NOT NULL,
    created_by     TEXT NOT NULL, -- name: the last approver, the person itself with break-glass, the operator
    closed_at      BIGINT,
    closed_by      TEXT NOT NULL, -- name of who ended it early
    note           TEXT NOT NULL  -- their word
);
CREATE INDEX access_grants_user ON access_grants (user_id, target_id, state);
CREATE INDEX access_grants_state ON access_grants (state, window_until);

CREATE TABLE access_grant_sessions (
    session_id TEXT PRIMARY KEY, -- may be written before the session itself
    grant_id   TEXT NOT NULL REFERENCES access_grants (id),
    started_at BIGINT NOT NULL
);
CREATE INDEX access_grant_sessions_grant ON access_grant_sessions (grant_id);

-- +goose Down
DROP TABLE access_grant_sessions;
DROP TABLE access_grants;
DROP TABLE access_decisions;
DROP TABLE access_requests;
