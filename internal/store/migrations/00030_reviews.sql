-- +goose Up
-- What reviewers make of recordings. A recording without a row is still to be reviewed.
CREATE TABLE recording_reviews (
    session_id    TEXT PRIMARY KEY REFERENCES sessions (id),
    state         TEXT NOT NULL, -- to_do, seen, flagged
    reviewer_id   TEXT NOT NULL,
    reviewer_name TEXT NOT NULL, -- as it was then
    reviewed_at   BIGINT NOT NULL
);
CREATE INDEX recording_reviews_state ON recording_reviews (state, session_id);
-- Every change of the state: rows are added only.
CREATE TABLE recording_review_acts (
    id         TEXT PRIMARY KEY, -- ULID
    session_id TEXT NOT NULL REFERENCES sessions (id),
    state      TEXT NOT NULL,
    comment    TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    user_name  TEXT NOT NULL,
    at         BIGINT NOT NULL
);
CREATE INDEX recording_review_acts_session ON recording_review_acts (session_id, id);
CREATE TABLE recording_notes (
    id         TEXT PRIMARY KEY, -- ULID
    session_id TEXT NOT NULL REFERENCES sessions (id),
    t_us       BIGINT NOT NULL, -- on the session's clock
    text       TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    user_name  TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    edited_at  BIGINT
);
CREATE INDEX recording_notes_session ON recording_notes (session_id, t_us, id);

-- +goose Down
DROP TABLE recording_notes;
DROP TABLE recording_review_acts;
DROP TABLE recording_reviews;
