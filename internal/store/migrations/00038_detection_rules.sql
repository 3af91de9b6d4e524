-- +goose Up
-- What people change of the rules of detection and their lists of words. Those Vitrine comes with and those of the configuration
-- are in neither table. The single row of detection_state changes with each change.
CREATE TABLE detection_rules (
    kind            TEXT NOT NULL,   -- rule, list
    id              TEXT NOT NULL,
    body            TEXT NOT NULL,   -- JSON, see internal/rules
    revision        BIGINT NOT NULL, -- of detection_state, when it was written
    updated_by      TEXT NOT NULL,   -- id of a user
    updated_by_name TEXT NOT NULL,
    updated_at      BIGINT NOT NULL,
    PRIMARY KEY (kind, id)
);

-- Every version there ever was, also of what is gone.
CREATE TABLE detection_rule_versions (
    kind            TEXT NOT NULL,
    id              TEXT NOT NULL,
    revision        BIGINT NOT NULL,
    body            TEXT NOT NULL,
    deleted         SMALLINT NOT NULL,
    updated_by      TEXT NOT NULL,
    updated_by_name TEXT NOT NULL,
    updated_at      BIGINT NOT NULL,
    PRIMARY KEY (kind, id, revision)
);

CREATE TABLE detection_state (
    id       SMALLINT PRIMARY KEY, -- 1
    revision BIGINT NOT NULL
);

-- +goose Down
DROP TABLE detection_state;
DROP TABLE detection_rule_versions;
DROP TABLE detection_rules;
