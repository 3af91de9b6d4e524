-- +goose Up
-- Policies people keep. The single row of policy_state changes with each of them, so that a look at it tells whether
-- anything has changed, and nobody overwrites what they have not seen.
CREATE TABLE policies (
    id              TEXT PRIMARY KEY,
    name            TEXT NOT NULL,
    text            TEXT NOT NULL,
    enabled         SMALLINT NOT NULL,
    revision        BIGINT NOT NULL, -- of policy_state, when it was written
    updated_by      TEXT NOT NULL,   -- id of a user; '' for the gateway itself and the command line
    updated_by_name TEXT NOT NULL,
    updated_at      BIGINT NOT NULL
);

-- Every version there ever was, also of policies that are gone.
CREATE TABLE policy_versions (
    policy_id       TEXT NOT NULL,
    revision        BIGINT NOT NULL,
    name            TEXT NOT NULL,
    text            TEXT NOT NULL,
    enabled         SMALLINT NOT NULL,
    deleted         SMALLINT NOT NULL,
    updated_by      TEXT NOT NULL,
    updated_by_name TEXT NOT NULL,
    updated_at      BIGINT NOT NULL,
    PRIMARY KEY (policy_id, revision)
);

CREATE TABLE policy_state (
    id       SMALLINT PRIMARY KEY, -- 1
    revision BIGINT NOT NULL
);

-- +goose Down
DROP TABLE policy_state;
DROP TABLE policy_versions;
DROP TABLE policies;
